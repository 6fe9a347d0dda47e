/**
 * Makes every call of a guest into JavaScript cost fuel: imports of its core modules that are no WebAssembly, and suspending ones.
 *
 * Why: a call of the host takes microseconds and a handful of instructions. A guest that does nothing but call would hold the thread a
 * thousand times longer than its fuel says. Worlds whose functions all wait for the service have no need of it.
 */

/** Exported functions of WebAssembly have their index as name, by the specification. */
const wasmFunctionName = /^\d+$/;

type JavaScriptFunction = (...args: readonly unknown[]) => unknown;

function isJavaScript(value: unknown): value is JavaScriptFunction {
  return typeof value === "function" && !wasmFunctionName.test(value.name);
}

/** @param work called before each call of a function that is not of WebAssembly */
export function meterImports(imports: WebAssembly.Imports | undefined, work: () => void): WebAssembly.Imports {
  const metered = (entries: WebAssembly.ModuleImports): WebAssembly.ModuleImports =>
    Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, isJavaScript(value) ? withWork(value, work) : value]));
  return Object.fromEntries(Object.entries(imports ?? {}).map(([module, entries]) => [module, metered(entries)]));
}

function withWork(run: JavaScriptFunction, work: () => void): JavaScriptFunction {
  return (...args) => {
    work();
    return run(...args);
  };
}

interface SuspendingApi {
  readonly Suspending: new (run: JavaScriptFunction) => object;
}

function hasSuspending(value: unknown): value is SuspendingApi {
  return typeof value === "object" && value !== null && "Suspending" in value && typeof value.Suspending === "function";
}

/**
 * The guards with a `WebAssembly.Suspending` whose functions begin with `work`, and whose promises are given to `bounded`: those of
 * the glue do not settle when a function without an error case fails in the host.
 */
export function meterSuspending(
  guards: Readonly<Record<string, unknown>>,
  work: () => void,
  bounded: (answer: unknown) => unknown,
): Readonly<Record<string, unknown>> {
  const engine = guards["WebAssembly"];
  if (!hasSuspending(engine)) throw new TypeError("the engine has no promise integration");
  const { Suspending } = engine;
  const Metered = function (run: JavaScriptFunction): object {
    return new Suspending((...args) => {
      work();
      return bounded(run(...args));
    });
  };
  // By descriptors: typed arrays that are rarely used are made when they are asked for.
  const all = Object.getOwnPropertyDescriptors(guards);
  return Object.defineProperties({}, { ...all, WebAssembly: { value: Object.freeze({ ...engine, Suspending: Metered }) } });
}
