/**
 * Runs a built component in plain Node: jco's glue, JSPI, and a host of functions that a test gives. No sandbox, no metering: it proves the ABI.
 *
 * Invariant: a fresh instance for each call, as on the platform, and host functions are asynchronous, as there.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { transpileBytes } from "@bytecodealliance/jco-transpile";
/** A host function's error case: the glue takes the payload of what is thrown, and lets any other error through as a failure of the host. */
class Refusal extends Error {
  readonly payload: { readonly code: string; readonly message: string };

  constructor(code: string, message: string) {
    super(message);
    this.payload = { code, message };
  }
}

export const hostFunctions = [
  "log#write",
  "http#fetch",
  "kv#get",
  "kv#put",
  "kv#delete",
  "kv#list-entries",
  "secrets#get",
  "metrics#record",
  "events#emit",
  "rooms#post",
  "members#list-members",
  "proposals#get",
  "proposals#list-proposals",
  "schedule#postpone",
] as const;

/** By `interface.function` in camel case: `kv.listEntries`. What is not given is refused. */
export type FakeHost = Readonly<Record<string, (...args: never[]) => unknown>>;

export interface Context {
  readonly requestId?: string;
  readonly actor?: { readonly id: string; readonly handle: string; readonly permissions: readonly string[] };
  readonly settings?: string;
  readonly time?: string;
}

export interface Outcome {
  readonly tag: string;
  readonly val: unknown;
}

export interface RunningComponent {
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  /** @throws what the guest gave as its error case, or a trap */
  invoke(call: { readonly tag: string; readonly val: unknown }, host?: FakeHost, context?: Context): Promise<Outcome>;
  http(
    method: string,
    target: string,
    options?: { body?: string | Uint8Array; host?: FakeHost; context?: Context },
  ): Promise<{ status: number; body: Uint8Array; text: string }>;
}

const camel = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

function importsOf(host: FakeHost): Record<string, Record<string, unknown>> {
  const imports: Record<string, Record<string, unknown>> = {};
  for (const name of hostFunctions) {
    const [face = "", kebab = ""] = name.split("#");
    const key = `${face}.${camel(kebab)}`;
    const refuse = () => {
      throw new Refusal("capability.denied", `${key} is not granted`);
    };
    const call = host[key] ?? (key === "log.write" ? () => undefined : refuse);
    (imports[`althing:extension/${face}`] ??= {})[camel(kebab)] = async (...args: never[]) => call(...args);
  }
  return imports;
}

let gluesWritten = 0;

/** @param folder where the glue is written */
export async function runComponent(component: Uint8Array, folder: string): Promise<RunningComponent> {
  const asyncImports = hostFunctions.map((name) => `althing:extension/${name.replace("#", "@1.0.0#")}`);
  const { files, imports, exports } = await transpileBytes(component, {
    name: "component",
    instantiation: "async",
    asyncMode: "jspi",
    asyncImports,
    asyncExports: ["handle"],
  });
  const glue = join(folder, `component-${++gluesWritten}.mjs`);
  await writeFile(glue, files["component.js"] ?? "");
  const { instantiate } = (await import(/* @vite-ignore */ pathToFileURL(glue).href)) as {
    instantiate: (...args: unknown[]) => Promise<{ handle: (...args: unknown[]) => Promise<Outcome> }>;
  };
  const modules = new Map<string, Promise<WebAssembly.Module>>();
  const module = (name: string) => {
    const known = modules.get(name) ?? WebAssembly.compile(new Uint8Array(files[name] ?? new Uint8Array()));
    modules.set(name, known);
    return known;
  };
  const invoke: RunningComponent["invoke"] = async (call, host = {}, context = {}) => {
    const { handle } = await instantiate(module, importsOf(host));
    const full = {
      requestId: "request-1",
      community: "garden",
      extension: "org.example.test",
      version: "1.0.0",
      settings: "{}",
      timeLimitMs: 2_000,
      time: "2026-05-01T12:00:00.000Z",
      ...context,
    };
    return handle(full, call);
  };
  return {
    imports,
    exports: exports.map(([name]) => name),
    invoke,
    http: async (method, target, { body = "", host = {}, context = {} } = {}) => {
      const url = new URL(target, "http://extension.invalid");
      const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
      const path = decodeURIComponent(url.pathname);
      const last = path.split("/").at(-1) ?? "";
      const val = {
        method,
        path,
        query: url.search.slice(1),
        params: [{ name: "name", value: last }],
        headers: [{ name: "x-ext-trial", value: "é" }],
        body: bytes,
      };
      const outcome = await invoke({ tag: "http", val }, host, context);
      const response = outcome.val as { status: number; body: Uint8Array };
      return { ...response, text: new TextDecoder().decode(response.body) };
    },
  };
}

export interface FakeStore {
  readonly functions: FakeHost;
  text(key: string): string | undefined;
}

/** A key-value store as the platform's: revisions are bigint. */
export function fakeStore(firstRevision = 1n): FakeStore {
  const entries = new Map<string, { key: string; value: Uint8Array; revision: bigint }>();
  let revision = firstRevision - 1n;
  const functions = {
    "kv.get": (key: string) => entries.get(key),
    "kv.put": (key: string, value: Uint8Array, expect: bigint | undefined) => {
      const observed = entries.get(key)?.revision ?? 0n;
      if (expect !== undefined && expect !== observed)
        throw new Refusal("kv.conflict", `${key} is at revision ${observed}, not ${expect}.`);
      entries.set(key, { key, value: value.slice(), revision: ++revision });
      return revision;
    },
    "kv.delete": (key: string) => void entries.delete(key),
    "kv.listEntries": (prefix: string, after: string | undefined, limit: number) => {
      const keys = [...entries.keys()].toSorted().filter((key) => key.startsWith(prefix) && (after === undefined || key > after));
      const page = keys.slice(0, limit);
      return { entries: page.map((key) => entries.get(key)), next: keys.length > limit ? page.at(-1) : undefined };
    },
  };
  return {
    functions,
    text: (key) => {
      const entry = entries.get(key);
      return entry === undefined ? undefined : new TextDecoder().decode(entry.value);
    },
  };
}
