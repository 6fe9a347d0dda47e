/**
 * What programs expect to find in the global object and QuickJS lacks or cannot do without a system below it.
 *
 * Invariant: nothing here pretends. The clock is the invocation's beginning and stands still; `Math.random` is seeded by the request and never fit for
 * secrets; what cannot be had (timers, a random source, fetch) throws an error that says what to use. Without this, a touch of the clock ends the guest
 * with a trap. Runs before any of the author's modules. docs/architecture/extension-abi.md.
 */
import type { WitContext } from "./bindings.ts";
import { host } from "./host-port.ts";
import { TextDecoder, TextEncoder } from "./text-codec.ts";

const RealDate = Date;
let beganMs: number | undefined;
let randomState = 0;

function now(): number {
  if (beganMs === undefined) throw new Error("the time is known only inside a handler, not while the module loads");
  return beganMs;
}

function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** Mulberry32: small, even, and predictable by anybody who knows the request id. */
function nextRandom(): number {
  randomState = (randomState + 0x6d2b79f5) | 0;
  let mixed = Math.imul(randomState ^ (randomState >>> 15), randomState | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
}

/** Sets clock and randomness for one invocation. */
export function beginInvocation(context: WitContext): void {
  beganMs = RealDate.parse(context.time);
  randomState = seedOf(context.requestId);
}

const InvocationDate = new Proxy(RealDate, {
  construct: (target, args: unknown[], newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, key, receiver): unknown => (key === "now" ? now : Reflect.get(target, key, receiver)),
});

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return value.stack === undefined ? String(value) : `${String(value)}\n${value.stack}`;
  try {
    return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? `${inner}n` : inner)) ?? String(value);
  } catch {
    return String(value);
  }
}

const writer =
  (level: "debug" | "info" | "warn" | "error") =>
  (...values: unknown[]) =>
    host().log.write(level, values.map(shown).join(" "));

const guestConsole = {
  debug: writer("debug"),
  log: writer("info"),
  info: writer("info"),
  warn: writer("warn"),
  error: writer("error"),
  trace: writer("debug"),
  assert: (condition: unknown, ...values: unknown[]) => {
    if (!condition) guestConsole.error("assertion failed", ...values);
  },
};

function absent(name: string, instead: string): () => never {
  return () => {
    throw new Error(`${name} is not available in an extension: ${instead}`);
  };
}

const noRandom = "a sandbox has no source of secret randomness; let the platform or the caller bring it";
const noTimers = "an invocation ends when its handler returns; declare a job, or schedule.postpone(…)";

/** Deep copies of plain data, as far as the standard's algorithm meets it; functions and other things are refused as there. */
function copyOf(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === "function" || typeof value === "symbol")
    throw new DOMException("a function or symbol cannot be cloned", "DataCloneError");
  if (typeof value !== "object" || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  const keep = <T extends object>(copy: T): T => (seen.set(value, copy), copy);
  if (value instanceof RealDate) return keep(new RealDate(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof ArrayBuffer) return keep(value.slice(0));
  if (value instanceof DataView) return keep(new DataView(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength)));
  if (value instanceof Uint8Array) return keep(value.slice());
  if (value instanceof Error) return keep(Object.assign(new Error(value.message), { name: value.name }));
  if (value instanceof Map) {
    const copy = keep(new Map<unknown, unknown>());
    for (const [key, item] of value) copy.set(copyOf(key, seen), copyOf(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set<unknown>());
    for (const item of value) copy.add(copyOf(item, seen));
    return copy;
  }
  const copy: Record<string, unknown> | unknown[] = keep(Array.isArray(value) ? Array.from<unknown>({ length: value.length }) : {});
  for (const [key, item] of Object.entries(value))
    Object.defineProperty(copy, key, { value: copyOf(item, seen), writable: true, enumerable: true, configurable: true });
  return copy;
}

const globals: Readonly<Record<string, unknown>> = {
  Date: InvocationDate,
  console: guestConsole,
  TextEncoder,
  TextDecoder,
  structuredClone: (value: unknown) => copyOf(value, new Map()),
  performance: {
    now: () => 0,
    get timeOrigin() {
      return now();
    },
  },
  crypto: { getRandomValues: absent("crypto.getRandomValues", noRandom), randomUUID: absent("crypto.randomUUID", noRandom) },
  fetch: absent("fetch", "use http.fetch of @althing/sdk/guest, which returns the response directly"),
  setTimeout: absent("setTimeout", noTimers),
  setInterval: absent("setInterval", noTimers),
};

for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
Math.random = nextRandom;
