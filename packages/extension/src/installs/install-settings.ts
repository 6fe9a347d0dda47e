/**
 * Settings of an install, held to the manifest's schema.
 *
 * Invariant: what is stored fits the schema of the version that is current, with its defaults filled in; secrets are parted from it before anything is
 * stored, so no record of an install holds one. The schema is the manifest module's closed part of JSON Schema, and its judge is asked.
 */
import { AppError, type Fault } from "@althing/contract";
import { fitsSetting, type Manifest, type SettingNode } from "../manifest/index.ts";

/** Of the JSON of all settings that are not secrets. */
const settingsMaxBytes = 32 * 1024;
const faultsMax = 100;

export type Settings = Readonly<Record<string, unknown>>;

export interface JudgedSettings {
  /** With defaults, without secrets. */
  readonly plain: Record<string, unknown>;
  readonly secrets: ReadonlyMap<string, string>;
}

interface Properties {
  readonly [name: string]: SettingNode;
}

const propertiesOf = (manifest: Manifest): Properties => manifest.settings?.properties ?? {};
const isSecret = (node: SettingNode | undefined): boolean => node?.type === "string" && node.secret === true;
const nodeOf = (properties: Properties, name: string) => (Object.hasOwn(properties, name) ? properties[name] : undefined);

/** Fills in what is not there, also inside objects that are. */
function withDefaults(value: unknown, node: SettingNode): unknown {
  if (value === undefined) return node.default;
  if (node.type !== "object" || typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return filled(Object.entries(value), node.properties);
}

function filled(entries: readonly (readonly [string, unknown])[], properties: Properties): Record<string, unknown> {
  const given = new Map<string, unknown>(entries);
  for (const [name, node] of Object.entries(properties)) {
    const value = withDefaults(given.get(name), node);
    if (value !== undefined && !isSecret(node)) given.set(name, value);
  }
  return Object.fromEntries(given);
}

/** Every place that does not fit; `fitsSetting` decides, this only says where. */
function judgeNode(value: unknown, node: SettingNode, path: string, faults: Fault[]): void {
  if (fitsSetting(value, node)) return;
  const before = faults.length;
  if (node.type === "object" && typeof value === "object" && value !== null && !Array.isArray(value)) {
    for (const [name, item] of Object.entries(value)) {
      const child = nodeOf(node.properties, name);
      if (child === undefined) faults.push({ path: `${path}.${name.slice(0, 100)}`, message: "there is no such setting" });
      else judgeNode(item, child, `${path}.${name}`, faults);
    }
    for (const name of node.required ?? []) if (!Object.hasOwn(value, name)) faults.push({ path: `${path}.${name}`, message: "is needed" });
  } else if (node.type === "array" && Array.isArray(value)) {
    for (const [index, item] of value.entries()) judgeNode(item, node.items, `${path}.${index}`, faults);
  }
  if (faults.length === before) faults.push({ path, message: `does not fit its schema (${node.type})` });
}

function refuse(faults: readonly Fault[]): void {
  if (faults.length > 0) throw new AppError("settings.invalid", { count: faults.length }, { faults: faults.slice(0, faultsMax) });
}

/**
 * A whole new set of settings.
 * @param hasSecret is there a stored secret of this name?
 * @throws {settings.invalid} with every fault
 */
export function judgeSettings(manifest: Manifest, given: Settings, hasSecret: (name: string) => boolean): JudgedSettings {
  const properties = propertiesOf(manifest);
  const plain = filled(
    Object.entries(given).filter(([name]) => !isSecret(nodeOf(properties, name))),
    properties,
  );
  const faults: Fault[] = [];
  const secrets = new Map<string, string>();
  for (const [name, value] of [...Object.entries(plain), ...Object.entries(given).filter(([key]) => isSecret(nodeOf(properties, key)))]) {
    const node = nodeOf(properties, name);
    if (node === undefined) faults.push({ path: name.slice(0, 100), message: "there is no such setting" });
    else judgeNode(value, node, name, faults);
    if (isSecret(node) && typeof value === "string") secrets.set(name, value);
  }
  for (const name of manifest.settings?.required ?? []) {
    const isThere = Object.hasOwn(plain, name) || secrets.has(name) || (isSecret(nodeOf(properties, name)) && hasSecret(name));
    if (!isThere) faults.push({ path: name, message: "is needed" });
  }
  if (Buffer.byteLength(JSON.stringify(plain)) > settingsMaxBytes) {
    faults.push({ path: "(root)", message: `all settings together have more than ${settingsMaxBytes} bytes` });
  }
  refuse(faults);
  return { plain, secrets };
}

/** Settings of another version, as far as they fit this one; the rest are its defaults. */
export function carrySettings(manifest: Manifest, before: Settings): Record<string, unknown> {
  const properties = propertiesOf(manifest);
  const kept = Object.entries(before).filter(([name, value]) => {
    const node = nodeOf(properties, name);
    return node !== undefined && !isSecret(node) && fitsSetting(value, node);
  });
  return filled(kept, properties);
}
