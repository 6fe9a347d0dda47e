/**
 * What a component is prepared for: which interfaces the host provides, and which functions it answers asynchronously.
 *
 * Invariant: the lists of `extensionWorld` are those of packages/contract/wit/extension.wit (a test compares them). Preparation
 * takes the lists, not the profile's name, so another world is another value of `GuestWorld`.
 */
import { refusePreparation } from "./refusal.ts";

/** What a component is prepared for. */
export interface GuestWorld {
  readonly profile: "extension" | "wasi-http";
  /** `pkg:ns/iface@ver#fn` of every function import that the host answers asynchronously; bare functions without `#`. */
  readonly asyncImports: readonly string[];
  /**
   * Interface names (without version) the host provides, also bare names of functions. An entry that ends in `*` is a prefix
   * (`wasi:io/*`). A component that imports another one is refused `import.unknown`.
   */
  readonly interfaces: readonly string[];
  /** Exports that must be there and are called asynchronously: a function, or `pkg:ns/iface@ver#fn` of an exported interface. */
  readonly asyncExports: readonly string[];
  /**
   * Every function of the interfaces, in the form of `asyncImports`; `#*` for all of one. When given, a component that imports
   * another one is refused.
   */
  readonly functions?: readonly string[];
}

/** One world, or several of which the first whose exports the component has is taken. */
export type GuestWorlds = GuestWorld | readonly GuestWorld[];

const extensionFunctions: Readonly<Record<string, readonly string[]>> = {
  log: ["write"],
  http: ["fetch"],
  kv: ["get", "put", "delete", "list-entries"],
  secrets: ["get"],
  metrics: ["record"],
  events: ["emit"],
  rooms: ["post"],
  members: ["list-members"],
  proposals: ["get", "list-proposals"],
  schedule: ["postpone"],
};

const extensionAsyncImports = Object.entries(extensionFunctions).flatMap(([name, functions]) =>
  functions.map((entry) => `althing:extension/${name}@1.0.0#${entry}`),
);

/** The world of `althing:extension@1.0.0`. */
export const extensionWorld: GuestWorld = {
  profile: "extension",
  asyncImports: extensionAsyncImports,
  functions: extensionAsyncImports,
  interfaces: ["types", ...Object.keys(extensionFunctions)].map((name) => `althing:extension/${name}`),
  asyncExports: ["handle"],
};

const wasiFunctions: Readonly<Record<string, readonly string[]>> = {
  "io/poll": ["poll", "[method]pollable.ready", "[method]pollable.block"],
  "io/error": ["[method]error.to-debug-string"],
  "io/streams": [
    ...["read", "blocking-read", "skip", "blocking-skip", "subscribe"].map((name) => `[method]input-stream.${name}`),
    ...["check-write", "write", "blocking-write-and-flush", "flush", "blocking-flush", "subscribe", "write-zeroes"].map(
      (name) => `[method]output-stream.${name}`,
    ),
    ...["blocking-write-zeroes-and-flush", "splice", "blocking-splice"].map((name) => `[method]output-stream.${name}`),
  ],
  "clocks/monotonic-clock": ["now", "resolution", "subscribe-instant", "subscribe-duration"],
  "clocks/wall-clock": ["now", "resolution"],
  "random/random": ["get-random-bytes", "get-random-u64"],
  "random/insecure": ["get-insecure-random-bytes", "get-insecure-random-u64"],
  "random/insecure-seed": ["insecure-seed"],
  "cli/environment": ["get-environment", "get-arguments", "initial-cwd"],
  "cli/exit": ["exit", "exit-with-code"],
  "cli/stdin": ["get-stdin"],
  "cli/stdout": ["get-stdout"],
  "cli/stderr": ["get-stderr"],
  "cli/terminal-input": [],
  "cli/terminal-output": [],
  "cli/terminal-stdin": ["get-terminal-stdin"],
  "cli/terminal-stdout": ["get-terminal-stdout"],
  "cli/terminal-stderr": ["get-terminal-stderr"],
  "filesystem/preopens": ["get-directories"],
  // Nothing gives a descriptor or a socket, so no method of one can be called.
  "filesystem/types": ["*"],
  ...Object.fromEntries(
    ["network", "instance-network", "ip-name-lookup", "tcp", "tcp-create-socket", "udp", "udp-create-socket"].map((name) => [
      `sockets/${name}`,
      ["*"],
    ]),
  ),
  "http/types": [
    ...["[constructor]fields", "[static]fields.from-list", "http-error-code"],
    ...["get", "has", "set", "delete", "append", "entries", "clone"].map((name) => `[method]fields.${name}`),
    ...["method", "path-with-query", "scheme", "authority", "headers", "consume"].map((name) => `[method]incoming-request.${name}`),
    ...["[constructor]outgoing-request", "[method]outgoing-request.body", "[method]outgoing-request.headers"],
    ...["method", "path-with-query", "scheme", "authority"].flatMap((name) => [
      `[method]outgoing-request.${name}`,
      `[method]outgoing-request.set-${name}`,
    ]),
    "[constructor]request-options",
    ...["connect-timeout", "first-byte-timeout", "between-bytes-timeout"].flatMap((name) => [
      `[method]request-options.${name}`,
      `[method]request-options.set-${name}`,
    ]),
    "[static]response-outparam.set",
    ...["status", "headers", "consume"].map((name) => `[method]incoming-response.${name}`),
    ...["[method]incoming-body.stream", "[static]incoming-body.finish"],
    ...["[method]future-trailers.subscribe", "[method]future-trailers.get"],
    ...["[constructor]outgoing-response", "[method]outgoing-response.status-code", "[method]outgoing-response.set-status-code"],
    ...["[method]outgoing-response.headers", "[method]outgoing-response.body"],
    ...["[method]outgoing-body.write", "[static]outgoing-body.finish"],
    ...["[method]future-incoming-response.subscribe", "[method]future-incoming-response.get"],
  ],
  "http/outgoing-handler": ["handle"],
};

/**
 * Unmodified components of `wasi:http/proxy`, any stable 0.2. What a guest waits in is answered asynchronously; bodies lie in memory
 * and streams never wait. docs/architecture/wasi-http.md.
 */
export const wasiHttpWorld: GuestWorld = {
  profile: "wasi-http",
  asyncImports: ["wasi:io/poll@0.2.0#poll", "wasi:io/poll@0.2.0#[method]pollable.block"],
  functions: Object.entries(wasiFunctions).flatMap(([name, functions]) => functions.map((entry) => `wasi:${name}@0.2.0#${entry}`)),
  interfaces: Object.keys(wasiFunctions).map((name) => `wasi:${name}`),
  asyncExports: ["wasi:http/incoming-handler@0.2.0#handle"],
};

/** An import of the outermost component. */
export interface ComponentImport {
  readonly name: string;
  readonly kind: "function" | "instance" | "type";
  /** Functions of an imported instance; `undefined` when its type is not written out. */
  readonly functions: readonly string[] | undefined;
}

interface Versioned {
  readonly name: string;
  readonly version: string | undefined;
}

function splitVersion(name: string): Versioned {
  const at = name.lastIndexOf("@");
  return at < 0 ? { name, version: undefined } : { name: name.slice(0, at), version: name.slice(at + 1) };
}

/** Semantic versions with equal leftmost non-zero part. A pre-release is compatible with nothing. */
function isCompatible(wanted: string, given: string): boolean {
  if (wanted.includes("-")) return wanted === given;
  const [a, b] = [wanted, given].map((version) => (version.split("+")[0] ?? "").split("."));
  if (a === undefined || b === undefined) return false;
  if (a[0] !== b[0]) return false;
  return a[0] !== "0" || a[1] === b[1];
}

function parseFunction(entry: string): Versioned & { readonly fn: string | undefined } {
  const at = entry.indexOf("#");
  return at < 0 ? { ...splitVersion(entry), fn: undefined } : { ...splitVersion(entry.slice(0, at)), fn: entry.slice(at + 1) };
}

function provides(world: GuestWorld, name: string): boolean {
  return world.interfaces.some((entry) => (entry.endsWith("*") ? name.startsWith(entry.slice(0, -1)) : entry === name));
}

function checkVersion(entry: ComponentImport, version: string | undefined, given: string | undefined): void {
  if (given !== undefined && (version === undefined || !isCompatible(version, given)))
    refusePreparation("import.version", `"${entry.name}" is imported, the host has ${given}`);
}

function checkFunctions(world: GuestWorld, entry: ComponentImport, { name, version }: Versioned): void {
  if (world.functions === undefined || entry.kind !== "instance") return;
  const known = new Set<string>();
  for (const parsed of world.functions.map(parseFunction)) {
    if (parsed.name !== name || parsed.fn === undefined) continue;
    checkVersion(entry, version, parsed.version);
    known.add(parsed.fn);
  }
  if (entry.functions === undefined) refusePreparation("import.unknown", `the import "${entry.name}" does not write out its type`);
  for (const fn of entry.functions) {
    if (!known.has(fn) && !known.has("*")) refusePreparation("import.unknown", `the host's "${name}" has no function "${fn}"`);
  }
}

/**
 * Checks the imports of the outermost component against the world.
 * @returns the asynchronous functions among them as the transpiler wants them named: with the versions the component writes
 * @throws {component.refused} `import.unknown`, `import.version`
 */
export function resolveImports(world: GuestWorld, imports: readonly ComponentImport[]): string[] {
  const asyncFunctions = world.asyncImports.map(parseFunction);
  const found: string[] = [];
  for (const entry of imports) {
    if (entry.kind === "type") continue;
    const { name, version } = splitVersion(entry.name);
    if (!provides(world, name)) refusePreparation("import.unknown", `the host does not provide "${entry.name}"`);
    checkFunctions(world, entry, { name, version });
    for (const known of asyncFunctions.filter((candidate) => candidate.name === name)) {
      checkVersion(entry, version, known.version);
      if (entry.kind === "instance" ? known.fn !== undefined : known.fn === undefined)
        found.push(known.fn === undefined ? entry.name : `${entry.name}#${known.fn}`);
    }
  }
  return found;
}

/** What a component exports of what the world wants, in the words of the component; `undefined` where it does not. */
function exportsFor(world: GuestWorld, exports: readonly string[]): (string | undefined)[] {
  return world.asyncExports.map((wanted) => {
    const { name, version, fn } = parseFunction(wanted);
    if (fn === undefined) return exports.find((entry) => entry === wanted);
    const found = exports.find((entry) => {
      const given = splitVersion(entry);
      return given.name === name && (version === undefined || (given.version !== undefined && isCompatible(given.version, version)));
    });
    return found === undefined ? undefined : `${found}#${fn}`;
  });
}

/**
 * The first world whose exports the component has.
 * @returns it, and the exports that are called asynchronously as the transpiler wants them named
 * @throws {component.refused} `export.missing`
 */
export function chooseWorld(
  worlds: GuestWorlds,
  exports: readonly string[],
): { readonly world: GuestWorld; readonly asyncExports: readonly string[] } {
  const candidates = "profile" in worlds ? [worlds] : worlds;
  for (const world of candidates) {
    const asyncExports = exportsFor(world, exports).filter((name) => name !== undefined);
    if (asyncExports.length === world.asyncExports.length) return { world, asyncExports };
  }
  const wanted = candidates.map((world) => world.asyncExports.map((name) => `"${name}"`).join(" and ")).join(", or ");
  return refusePreparation("export.missing", `the component does not export ${wanted}`);
}

/** The world of a component that was prepared for one of several. @throws {RangeError} when it is none of them */
export function worldOf(worlds: GuestWorlds, profile: string): GuestWorld {
  const found = ("profile" in worlds ? [worlds] : worlds).find((world) => world.profile === profile);
  if (found === undefined) throw new RangeError(`no world of profile "${profile.slice(0, 40)}"`);
  return found;
}
