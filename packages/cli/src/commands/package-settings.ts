/**
 * `althing package settings`: shows and changes a package's settings and secrets.
 *
 * Invariant: values are typed by the package's own schema and judged by the hub; a secret never stands on the command line, where other processes could
 * read it, and is never shown again.
 */
import { AppError, type Install } from "@althing/contract";
import { resolve } from "node:path";
import type { SettingNode } from "@althing/extension/manifest";
import { listOption, usageError, type Context } from "../context.ts";
import { manifestOf } from "../ext/in-words.ts";
import { openPackages } from "../ext/open-packages.ts";
import { communityOption, parsePackage } from "../ext/parse-names.ts";
import { readInputText } from "../ext/read-input.ts";
import { checkPrivateFile } from "../file-privacy.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";

type Settings = Readonly<Record<string, unknown>>;
interface SecretChange {
  value: string;
  hosts: string[];
}

function pair(word: string, what: string): readonly [string, string] {
  const at = word.indexOf("=");
  if (at < 1) throw usageError(`"${word}" is no ${what}`);
  return [word.slice(0, at), word.slice(at + 1)];
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usageError(`${name} takes JSON, not "${text}"`);
  }
}

function typed(name: string, node: SettingNode | undefined, text: string): unknown {
  if (node === undefined) throw usageError(`the package has no setting ${name}`);
  if (node.type === "string") return text;
  if (node.type === "array" && node.items.type === "string" && !text.trimStart().startsWith("["))
    return text.split(",").map((part) => part.trim());
  return parseJson(name, text);
}

/** @throws {cli.usage} an unknown setting, a secret among the words, or a value of the wrong form */
export function applySettingWords(now: Settings, properties: Readonly<Record<string, SettingNode>>, words: readonly string[]): Settings {
  const next = new Map(Object.entries(now));
  for (const word of words) {
    const [name, text] = pair(word, "key=value");
    const node = properties[name];
    if (node?.type === "string" && node.secret === true) throw usageError(`${name} is a secret: give --secret ${name}=@FILE`);
    if (text === "default") next.delete(name);
    else next.set(name, typed(name, node, text));
  }
  return Object.fromEntries(next);
}

/** A private file's text without the line feed that editors put at its end. */
async function readSecret(context: Context, name: string, source: string): Promise<string> {
  if (!source.startsWith("@")) throw usageError(`a secret comes from a file: --secret ${name}=@FILE, mode 0600`);
  const file = source.slice(1);
  const value = (await readInputText(context, file, 64 * 1024)).replace(/\r?\n$/, "");
  checkPrivateFile(resolve(context.host.cwd, file));
  if (value === "") throw usageError(`${file} is empty`);
  return value;
}

async function secretChanges(context: Context, install: Install): Promise<Record<string, SecretChange | null>> {
  const changes = new Map<string, SecretChange | null>(listOption(context.options, "forget").map((name) => [name, null]));
  for (const word of listOption(context.options, "secret")) {
    const [name, source] = pair(word, "NAME=@FILE");
    const hosts = install.secrets.find((one) => one.name === name)?.hosts ?? [];
    changes.set(name, { value: await readSecret(context, name, source), hosts: [...hosts] });
  }
  for (const word of listOption(context.options, "secretHost")) {
    const [name, hosts] = pair(word, "NAME=HOST,HOST");
    const secret = changes.get(name);
    // The hub keeps values to itself, so hosts cannot be changed without one.
    if (secret === undefined || secret === null) throw usageError(`--secret-host ${name} goes with --secret ${name}=@FILE`);
    secret.hosts = hosts.split(",").map((host) => host.trim());
  }
  return Object.fromEntries(changes);
}

function settingRows(install: Install, properties: Readonly<Record<string, SettingNode>>): string[][] {
  const rows = Object.entries(properties).map(([name, node]) => {
    const isSecret = node.type === "string" && node.secret === true;
    const stored = install.secrets.find((one) => one.name === name);
    if (isSecret) return [name, stored === undefined ? "(secret, not set)" : `(secret, set ${stored.setAt})`, safeLine(node.title ?? "")];
    const own = install.settings[name];
    const value = own === undefined ? `${JSON.stringify(node.default) ?? "(not set)"} (default)` : JSON.stringify(own);
    return [name, safeLine(value), safeLine(node.title ?? "")];
  });
  const others = install.secrets.filter(({ name }) => properties[name] === undefined);
  return [...rows, ...others.map(({ name, setAt }) => [name, `(secret, set ${setAt})`, ""])];
}

export async function settings(context: Context, [name, ...words]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), install: parsePackage(name) };
  const client = await openPackages(context);
  const install = await client.call("packages.get", { params });
  const manifest = manifestOf(install.manifest);
  if (manifest === undefined)
    throw new AppError("ext.integrity", { extension: install.extension, detail: "its manifest does not fit this version" });
  const properties = manifest.settings?.properties ?? {};
  const secrets = await secretChanges(context, install);
  const isChange = words.length > 0 || Object.keys(secrets).length > 0;
  const body = {
    ...(words.length === 0 ? {} : { settings: { ...applySettingWords(install.settings, properties, words) } }),
    ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
  };
  const after = isChange ? await client.call("packages.change", { params, body }, { ifMatch: String(install.revision) }) : install;
  const view = { settings: after.settings, secrets: after.secrets, revision: after.revision };
  context.output.result(view, table(settingRows(after, properties)));
}
