/**
 * Promise integration of WebAssembly, which the type library does not know yet, and a trap that no guest can catch.
 *
 * An error thrown from a host function into a guest is caught by its `catch_all`; the error of a trap is not, because the engine
 * marks the object. So one real trap is made at start, and its error is what ends a guest that stands in a host call: the whole
 * stack of the guest unwinds without executing one of its instructions.
 */
interface PromiseIntegration {
  promising(run: WebAssembly.ExportValue): (...args: readonly unknown[]) => Promise<unknown>;
}

/** Narrows what glue and modules export. */
export function isCallable(value: unknown): value is (...args: readonly unknown[]) => unknown {
  return typeof value === "function";
}

function isPromising(value: unknown): value is PromiseIntegration["promising"] {
  return typeof value === "function";
}

/** Makes an export enterable with suspension. @throws {TypeError} when the engine has no promise integration */
export function promising(run: WebAssembly.ExportValue): (...args: readonly unknown[]) => Promise<unknown> {
  const make: unknown = Reflect.get(WebAssembly, "promising");
  if (!isPromising(make)) throw new TypeError("the engine has no promise integration");
  return make(run);
}

// (module (func (export "t") unreachable))
const trapBytes = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 0x74, 0, 0, 10, 5, 1, 3, 0, 0, 0x0b,
]);

function makeTrap(): Error {
  const run: unknown = new WebAssembly.Instance(new WebAssembly.Module(trapBytes)).exports["t"];
  try {
    if (isCallable(run)) run();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return error;
  }
  throw new TypeError("the engine does not trap");
}

/** Thrown into guests to end them; one object for all, because it says nothing about any. */
export const uncatchableTrap: Error = makeTrap();
