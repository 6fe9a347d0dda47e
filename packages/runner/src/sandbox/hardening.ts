/**
 * The prologue of every sandbox process: takes away what code in this process could do beyond computing.
 *
 * The permission model denies files, sockets, child processes, threads, addons and the inspector, but not signals, priorities,
 * engine flags or Node's own bindings. So this works by lists of what stays: everything else on `process` and on the global
 * object goes, and no module can be loaded any more, neither by `import` nor by `require`. Invariant: it runs to its end before
 * the process takes its first frame; `seal` is called when the glue was loaded and before any guest.
 */
import { registerHooks } from "node:module";

/** What Node's own code reads from `process` at run time, and what cannot harm. */
const keptOfProcess = new Set([
  "version",
  "versions",
  "arch",
  "platform",
  "release",
  "config",
  "features",
  "title",
  "pid",
  "ppid",
  "argv",
  "argv0",
  "execArgv",
  "execPath",
  "env",
  "exitCode",
  "nextTick",
  "hrtime",
  "emitWarning",
  "on",
  "once",
  "off",
  "emit",
  "addListener",
  "removeListener",
  "removeAllListeners",
  "listeners",
  "listenerCount",
  "rawListeners",
  "prependListener",
  "eventNames",
  "setMaxListeners",
  "getMaxListeners",
  "prependOnceListener",
  "_events",
  "_eventsCount",
  "_maxListeners",
  "_exiting",
  "domain",
  "constructor",
  "_tickCallback",
  "_fatalException",
  "noDeprecation",
  "throwDeprecation",
  "traceDeprecation",
  "exit",
  "reallyExit",
  "uptime",
  "memoryUsage",
  "_preload_modules",
  "permission",
]);

/** The language, and what the sandbox's program and glue use of the platform. */
const keptGlobals = new Set([
  "Object",
  "Function",
  "Array",
  "Number",
  "parseFloat",
  "parseInt",
  "Infinity",
  "NaN",
  "undefined",
  "Boolean",
  "String",
  "Symbol",
  "Date",
  "Promise",
  "RegExp",
  "Error",
  "AggregateError",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError",
  "SuppressedError",
  "globalThis",
  "JSON",
  "Math",
  "Intl",
  "ArrayBuffer",
  "Atomics",
  "Uint8Array",
  "Int8Array",
  "Uint16Array",
  "Int16Array",
  "Uint32Array",
  "Int32Array",
  "Float16Array",
  "Float32Array",
  "Float64Array",
  "Uint8ClampedArray",
  "BigUint64Array",
  "BigInt64Array",
  "DataView",
  "Map",
  "BigInt",
  "Set",
  "Iterator",
  "WeakMap",
  "WeakSet",
  "WeakRef",
  "Proxy",
  "Reflect",
  "FinalizationRegistry",
  "DisposableStack",
  "AsyncDisposableStack",
  "decodeURI",
  "decodeURIComponent",
  "encodeURI",
  "encodeURIComponent",
  "escape",
  "unescape",
  "eval",
  "isFinite",
  "isNaN",
  "WebAssembly",
  "global",
  "process",
  "Buffer",
  "queueMicrotask",
  "setImmediate",
  "clearImmediate",
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "structuredClone",
  "gc",
  "TextEncoder",
  "TextDecoder",
  "AbortController",
  "AbortSignal",
  "Event",
  "EventTarget",
  "DOMException",
  "URL",
  "URLSearchParams",
]);

function stripObject(target: object, kept: ReadonlySet<PropertyKey>): void {
  for (const key of Reflect.ownKeys(target)) {
    if (kept.has(key) || typeof key === "symbol") continue;
    const done =
      Reflect.deleteProperty(target, key) ||
      Reflect.defineProperty(target, key, { value: undefined, writable: false, configurable: false, enumerable: false });
    if (!done) throw new TypeError(`cannot take away ${key}`);
  }
}

/**
 * Takes everything away; afterwards modules load from `data:` URLs only.
 * @returns `seal`: from its call on no module loads at all
 */
export function harden(): () => void {
  let sealed = false;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (sealed || !specifier.startsWith("data:text/javascript;base64,")) throw new TypeError("no module can be loaded here");
      return nextResolve(specifier, context);
    },
  });
  for (const level of [process, Reflect.getPrototypeOf(process)]) if (level !== null) stripObject(level, keptOfProcess);
  stripObject(globalThis, keptGlobals);
  return () => {
    sealed = true;
  };
}
