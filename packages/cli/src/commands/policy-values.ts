/**
 * `key=value` words of `policy set`, typed by what each key takes.
 *
 * Invariant: the keys and their kinds come from the contract's own schema, so a key that is added there can be set here; a value of the wrong kind is
 * wrong usage and names what the key takes. `key=default` gives a key back to the instance.
 */
import {
  installSources,
  pluginLimitsSchema,
  pluginPolicyChangeSchema,
  pluginPolicySchema,
  trustModes,
  type PluginPolicyChange,
} from "@althing/contract";
import { usageError } from "../context.ts";

type Draft = Record<string, unknown>;

const listKeys = ["trustedPublishers", "installSources", "registryAllowlist"];
const switchKeys = ["backgroundJobs", "publicEndpoints"];
const limitKeys = Object.keys(pluginLimitsSchema.shape);
const outboundKeys = Object.keys(pluginPolicySchema.shape.outboundHttp.shape);

/** Every key that `policy set` and `policy why` take. */
export const settableKeys: readonly string[] = [
  ...Object.keys(pluginPolicySchema.shape).filter((key) => key !== "limits" && key !== "outboundHttp"),
  ...outboundKeys.map((key) => `outboundHttp.${key}`),
  ...limitKeys.map((key) => `limits.${key}`),
];

const toList = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

function toSwitch(key: string, text: string): boolean {
  if (text === "true" || text === "on") return true;
  if (text === "false" || text === "off") return false;
  throw usageError(`${key} takes true or false, not "${text}"`);
}

function toNumber(key: string, text: string): number {
  const value = Number(text.replaceAll("_", ""));
  if (text.trim() === "" || !Number.isFinite(value)) throw usageError(`${key} takes a number, not "${text}"`);
  return value;
}

function choices(key: string): string {
  if (key === "trust") return trustModes.join(", ");
  return key === "installSources" ? installSources.join(", ") : "";
}

function typed(key: string, text: string): unknown {
  if (listKeys.includes(key) || key === "outboundHttp.allowlist") return toList(text);
  if (switchKeys.includes(key) || key === "outboundHttp.enabled") return toSwitch(key, text);
  if (key.startsWith("limits.")) return toNumber(key, text);
  return text;
}

function nested(draft: Draft, key: string): { readonly holder: Draft; readonly name: string } {
  const [group = "", name] = key.split(".");
  if (name === undefined) return { holder: draft, name: group };
  const there = draft[group];
  const holder: Draft =
    typeof there === "object" && there !== null ? { ...there } : group === "outboundHttp" ? { enabled: false, allowlist: [] } : {};
  draft[group] = holder;
  return { holder, name };
}

/** Back to the instance's word: a limit alone, the rest of `outboundHttp` with it, since it is one decision. */
function giveBack(draft: Draft, key: string): void {
  const [group = "", name] = key.split(".");
  if (group !== "limits" || name === undefined) {
    delete draft[group];
    return;
  }
  const { holder } = nested(draft, key);
  delete holder[name];
}

/**
 * What a community sets after these words.
 * @throws {cli.usage} an unknown key, or a value of the wrong kind
 */
export function applyPolicyWords(now: PluginPolicyChange, words: readonly string[]): PluginPolicyChange {
  const draft: Draft = { ...now };
  for (const word of words) {
    const at = word.indexOf("=");
    const [key, text] = [word.slice(0, Math.max(at, 0)), word.slice(at + 1)];
    if (at < 1 || !settableKeys.includes(key))
      throw usageError(`"${word}" is no key=value of the policy; keys are ${settableKeys.join(", ")}`);
    if (text === "default") giveBack(draft, key);
    else {
      const { holder, name } = nested(draft, key);
      holder[name] = typed(key, text);
    }
  }
  const parsed = pluginPolicyChangeSchema.safeParse(draft);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const key = issue?.path.map(String).join(".") ?? "";
  const allowed = choices(String(issue?.path[0] ?? ""));
  throw usageError(`${key}: ${issue?.message ?? "invalid"}${allowed === "" ? "" : ` (it takes ${allowed})`}`);
}

/** As `policy set` would take it. */
export function policyValueText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "(none)" : value.map(String).join(",");
  return String(value);
}
