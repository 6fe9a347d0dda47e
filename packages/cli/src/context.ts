/**
 * What one run of a command works with: common flags read once, output, the things to end at the end.
 *
 * Invariant: whatever is opened through the context is closed when the command ends, fails or is interrupted, newest first.
 */
import { AppError, settings, type Config, type RunFile } from "@althing/contract";
import { dirname, resolve } from "node:path";
import { loadConfig } from "./config-file.ts";
import { unmaskDashedId } from "./dashed-ids.ts";
import type { CliHost } from "./host.ts";
import { createOutput, type Output } from "./output.ts";
import { readRunFile } from "./supervisor/run-file.ts";

export type Options = Readonly<Record<string, unknown>>;

export interface Context {
  readonly host: CliHost;
  readonly options: Options;
  readonly output: Output;
  /** Called newest first at the end, also after an interruption. */
  defer(end: () => Promise<void> | void): void;
  end(): Promise<void>;
}

export function createContext(host: CliHost, options: Options): Context {
  const ends: (() => Promise<void> | void)[] = [];
  let ending: Promise<void> = Promise.resolve();
  const endNewest = async (): Promise<void> => {
    let failure: { readonly error: unknown } | undefined;
    for (let next = ends.pop(); next !== undefined; next = ends.pop()) {
      try {
        await next();
      } catch (error) {
        // The others are ended all the same.
        failure ??= { error };
      }
    }
    if (failure !== undefined) throw failure.error;
  };
  // An interruption and the command's own end may meet: whoever comes second waits for the first.
  const end = (): Promise<void> => (ending = ending.then(endNewest));
  host.onInterrupt(end);
  return {
    host,
    options,
    output: createOutput({ stdout: host.stdout, stderr: host.stderr, json: options["json"] === true, quiet: options["quiet"] === true }),
    defer: (step) => void ends.push(step),
    end,
  };
}

export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? unmaskDashedId(value) : undefined;
}

export function listOption(options: Options, name: string): string[] {
  const value = options[name];
  return Array.isArray(value) ? value.map(String) : [];
}

export function usageError(detail: string): AppError {
  return new AppError("cli.usage", { detail });
}

/** A whole number within bounds. @throws {cli.usage} */
export function wholeNumber(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw usageError(`${name} takes a whole number from ${min} to ${max}, not "${text}"`);
    return value;
  };
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `250ms`, `30s`, `5m`, `1h` → milliseconds. @throws {cli.usage} */
export function duration(name: string, minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const match = /^(\d{1,9})(ms|s|m|h)$/.exec(text);
    const value = match === null ? Number.NaN : Number(match[1]) * (units[match[2] ?? ""] ?? Number.NaN);
    if (!(value >= minMs && value <= maxMs))
      throw usageError(`${name} takes a time such as 250ms, 30s or 5m (from ${minMs} ms to ${maxMs} ms), not "${text}"`);
    return value;
  };
}

/** The instance's settings as this command line, the environment and `althing.toml` give them. */
export function instanceConfig(context: Context): ReturnType<typeof loadConfig> {
  return loadConfig({ flags: settingFlags(context.options), env: context.host.env, cwd: context.host.cwd });
}

/** Flags by setting name: commander knows `--nats-ws-port` as `natsWsPort`. */
function settingFlags(options: Options): Record<string, unknown> {
  const camel = (name: string): string => name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());
  return Object.fromEntries(Object.keys(settings).map((name) => [name, options[camel(name)]]));
}

/** The at-rest key of the local instance, absolute; `undefined` without one. */
export function atRestKeyFile(context: Context): string | undefined {
  const { at_rest_key_file: path } = instanceConfig(context).config;
  return path === undefined ? undefined : resolve(context.host.cwd, path);
}

/** The data folder of the local instance, absolute. */
export function dataFolder(context: Context): string {
  return absoluteData(context, instanceConfig(context).config);
}

export function absoluteData(context: Context, config: Config): string {
  return resolve(context.host.cwd, config.data);
}

/** How far up an instance is looked for from a folder inside its own, such as an extension's project. */
const parentsMax = 4;

/** Of the data folder; where nothing says which one, of the nearest parent folder that runs an instance. */
async function runningInstance(context: Context): Promise<RunFile | undefined> {
  const { config, sources } = instanceConfig(context);
  for (let folder = context.host.cwd, steps = 0; ; folder = dirname(folder), steps += 1) {
    const run = await readRunFile(resolve(folder, config.data));
    if (run !== undefined || sources.data !== "default" || steps === parentsMax || dirname(folder) === folder) return run;
  }
}

/** Addresses to call: --url, else ALTHING_URL, else the instance that runs on the data folder or one above, else the usual port. */
export async function targetUrls(context: Context): Promise<string[]> {
  const given = listOption(context.options, "url");
  const named = given.length > 0 ? given : splitList(context.host.env["ALTHING_URL"]);
  if (named.length > 0) return named.map(checkUrl);
  const run = await runningInstance(context);
  return [run?.url ?? "http://localhost:8470"];
}

export function targetNats(context: Context): string[] {
  const given = listOption(context.options, "nats");
  return given.length > 0 ? given : splitList(context.host.env["ALTHING_NATS"]);
}

export function identityPath(context: Context): string {
  const path = textOption(context.options, "as") ?? context.host.env["ALTHING_IDENTITY"];
  if (path === undefined || path === "") throw usageError("this command needs an identity: --as FILE (or ALTHING_IDENTITY)");
  return resolve(context.host.cwd, path);
}

export function statePath(identity: string): string {
  return `${identity}.state`;
}

function splitList(value: string | undefined): string[] {
  return (value ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function checkUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw usageError(`"${text}" is no http:// or https:// address`);
  return text.replace(/\/+$/, "");
}
