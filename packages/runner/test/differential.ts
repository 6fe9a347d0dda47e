/**
 * Runs a module plain and metered side by side and tells every difference a guest or its host could see: results, traps, calls
 * of imports with their arguments, and afterwards memory, globals and tables.
 */
import { createFuelTank, meterModule, type MeterReport } from "../src/metering/index.ts";

/** What one run of a module showed, as lines that compare. */
interface Trace {
  readonly lines: string[];
  /** The stack overflowed somewhere: frames differ in size, so nothing after that can be compared. */
  overflowed: boolean;
}

type Exports = Readonly<Record<string, WebAssembly.ExportValue>>;

const float64 = new Float64Array(1);
const bits64 = new BigUint64Array(float64.buffer);

/** A value as text; references only by kind, as identity differs between instances. */
export function show(value: unknown): string {
  if (typeof value === "number") {
    float64[0] = value;
    return Number.isNaN(value) ? "NaN" : `${value}/${(bits64[0] as bigint).toString(16)}`;
  }
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `[${value.map(show).join(",")}]`;
  return value === null ? "null" : typeof value;
}

function isOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes("call stack");
}

function attempt(trace: Trace, label: string, body: () => unknown): void {
  try {
    trace.lines.push(`${label} = ${show(body())}`);
  } catch (error) {
    if (isOverflow(error)) trace.overflowed = true;
    trace.lines.push(`${label} ! ${error instanceof WebAssembly.Exception ? "exception" : String(error)}`);
  }
}

function hash(bytes: Uint8Array): string {
  let value = 0x811c9dc5;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193);
  return (value >>> 0).toString(16);
}

function describe(trace: Trace, exports: Exports): void {
  for (const [name, value] of Object.entries(exports)) {
    if (value instanceof WebAssembly.Memory)
      trace.lines.push(`${name}: ${value.buffer.byteLength} bytes ${hash(new Uint8Array(value.buffer))}`);
    else if (value instanceof WebAssembly.Global) attempt(trace, name, () => value.value);
    else if (value instanceof WebAssembly.Table) {
      attempt(trace, `${name}: ${value.length} entries`, () =>
        Array.from({ length: Math.min(value.length, 64) }, (_, index) => value.get(index)),
      );
    }
  }
}

/** Imports of a module as Binaryen's fuzzer makes them: everything called is written down. */
function importsFor(module: WebAssembly.Module, trace: Trace, exportsOf: () => Exports): WebAssembly.Imports {
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  const functions = (): ((...args: unknown[]) => unknown)[] =>
    Object.values(exportsOf()).filter((value) => typeof value === "function") as never;
  let depth = 0;
  const call = (target: unknown): unknown => {
    if (typeof target !== "function" || depth > 3) return undefined;
    depth++;
    try {
      return target(...Array.from({ length: target.length }, () => 0));
    } finally {
      depth--;
    }
  };
  const host = (name: string): ((...args: unknown[]) => unknown) => {
    return (...args) => {
      trace.lines.push(`${name}(${args.map(show).join(",")})`);
      if (trace.lines.length > 20_000) throw new Error("too many calls of imports");
      if (name === "throw") throw new Error("thrown by an import");
      if (name === "call-export") return void call(functions()[Number(args[0]) >>> 0]);
      if (name === "call-ref") return void call(args[0]);
      if (name.endsWith("-catch")) {
        try {
          call(name === "call-ref-catch" ? args[0] : functions()[Number(args[0]) >>> 0]);
          return 0;
        } catch (error) {
          if (isOverflow(error)) trace.overflowed = true;
          return 1;
        }
      }
      return 0;
    };
  };
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    const group = (imports[from] ??= {});
    if (kind === "function") group[name] = host(name);
    else if (kind === "tag") group[name] = new WebAssembly.Tag({ parameters: name === "jstag" ? ["externref"] : ["i32"] }) as never;
    else if (kind === "table") group[name] = new WebAssembly.Table({ element: "anyfunc", initial: 10 });
    else if (kind === "memory") group[name] = new WebAssembly.Memory({ initial: 1 });
  }
  return imports;
}

function callAll(trace: Trace, exports: Exports, args: readonly unknown[]): void {
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== "function") continue;
    const target = value as (...args: unknown[]) => unknown;
    attempt(trace, `${name}()`, () => target(...args));
    if (trace.overflowed) return;
  }
}

export interface Comparison {
  /** First line that differs, or `undefined`. */
  readonly difference: string | undefined;
  /** Why nothing could be compared, or `undefined`. */
  readonly skipped: string | undefined;
  readonly report: MeterReport;
  readonly fuelUsed: number;
  readonly lines: number;
}

async function runPlain(bytes: Uint8Array, args: readonly unknown[]): Promise<Trace> {
  const trace: Trace = { lines: [], overflowed: false };
  const module = new WebAssembly.Module(bytes as BufferSource);
  let exports: Exports = {};
  try {
    exports = (
      await WebAssembly.instantiate(
        module,
        importsFor(module, trace, () => exports),
      )
    ).exports;
  } catch (error) {
    if (isOverflow(error)) trace.overflowed = true;
    trace.lines.push(`instantiate ! ${String(error)}`);
    return trace;
  }
  callAll(trace, exports, args);
  describe(trace, exports);
  return trace;
}

/** Engine messages name the API function, which differs where the start function is called by the host. */
function normalise(line: string): string {
  return line.replace(/WebAssembly\.\w+(\(\))?:? ?/, "");
}

async function runMetered(
  bytes: Uint8Array,
  report: MeterReport,
  args: readonly unknown[],
  slice: number,
): Promise<{ trace: Trace; fuelUsed: number }> {
  const trace: Trace = { lines: [], overflowed: false };
  const tank = createFuelTank({ budget: Number.MAX_SAFE_INTEGER, slice });
  const module = new WebAssembly.Module(bytes as BufferSource);
  let exports: Exports = {};
  try {
    const instance = tank.instantiate(
      module,
      report.names,
      importsFor(module, trace, () => exports),
    );
    instance.start?.();
    exports = instance.exports;
    callAll(trace, exports, args);
    describe(trace, exports);
  } catch (error) {
    if (isOverflow(error)) trace.overflowed = true;
    trace.lines.push(`instantiate ! ${String(error)}`);
  }
  return { trace, fuelUsed: tank.fuelUsed() };
}

/**
 * Compares both runs of `bytes`, each export called once in order with `args`; metered once with slices of `slice` and once
 * with one slice for all, between which the fuel must not differ.
 */
export async function compare(bytes: Uint8Array, args: readonly unknown[] = [], slice = 50): Promise<Comparison> {
  const { bytes: meteredBytes, report } = meterModule(bytes, { maxMemoryPages: 65_536, maxTableElements: 10_000_000 });
  const plain = await runPlain(bytes, args);
  const { trace, fuelUsed } = await runMetered(meteredBytes, report, args, slice);
  const once = await runMetered(meteredBytes, report, args, Number.MAX_SAFE_INTEGER);
  const result = { report, fuelUsed, lines: plain.lines.length };
  if (plain.overflowed || trace.overflowed || once.trace.overflowed) return { ...result, difference: undefined, skipped: "stack overflow" };
  const count = Math.max(plain.lines.length, trace.lines.length);
  for (let index = 0; index < count; index++) {
    const [before, after] = [normalise(plain.lines[index] ?? "(nothing)"), normalise(trace.lines[index] ?? "(nothing)")];
    if (before !== after)
      return { ...result, difference: `plain ${before.slice(0, 300)}; metered ${after.slice(0, 300)}`, skipped: undefined };
  }
  const trapped = plain.lines.some((line) => line.includes(" ! "));
  if (once.fuelUsed !== fuelUsed && !trapped)
    return { ...result, difference: `fuel ${once.fuelUsed} in one slice, ${fuelUsed} in many`, skipped: undefined };
  return { ...result, difference: undefined, skipped: undefined };
}
