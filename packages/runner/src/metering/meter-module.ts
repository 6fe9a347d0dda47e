/**
 * The metering pass: rewrites a core module so that it counts and pays for every instruction it executes.
 *
 * Pure and deterministic: the same bytes and options give the same result. The original is validated by the engine first, so no
 * index in it can name what the pass adds; additions are appended to their index spaces, so no index in it changes. The way to
 * the host is a typed function reference in an added global, not an import: imports would shift indices and share a name space
 * with the guest. See docs/architecture/metering.md.
 */
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { FunctionEmitter, type Injected } from "./function-emit.ts";
import { FunctionScan } from "./function-scan.ts";
import { clampTables, type Clamp, writeLimits } from "./clamp.ts";
import { type ModuleLayout, readLayout, sectionId, sectionOrder, type Span } from "./module-layout.ts";
import { featureNames } from "./opcodes.ts";
import { defaultMeterLimits, type MeterLimits, type MeterOptions } from "./options.ts";
import { isAppError } from "@althing/contract";
import { refuse } from "./refusal.ts";
import { RefuelParts } from "./refuel-parts.ts";

/** Export names the pass added; all differ from every name the guest exports. */
export interface InjectedNames {
  /** Mutable i64 global: units left of the slices given. */
  readonly fuel: string;
  /** Mutable global that takes the refuel function, `(i64) -> i64`. */
  readonly refuel: string;
  /** The start function, when the module had one; the host calls it after setting `refuel`. */
  readonly start: string | undefined;
}

export interface MeterReport {
  readonly names: InjectedNames;
  /** Features of the instructions seen, sorted. */
  readonly features: readonly string[];
  /** Defined functions of the original. */
  readonly functions: number;
  /** Instructions of the original, unreachable ones included. */
  readonly instructions: number;
  readonly originalBytes: number;
  readonly meteredBytes: number;
  /** Maxima that were lowered. */
  readonly clamped: readonly Clamp[];
  /** Names of custom sections left out: all but `name`, because code offsets in them no longer hold. */
  readonly droppedSections: readonly string[];
  /** Bytes of objects that constant expressions allocate at instantiation. */
  readonly constantGcBytes: number;
}

export interface MeteredModule {
  readonly bytes: Uint8Array;
  readonly report: MeterReport;
}

function uniqueName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let count = 1; taken.has(name); count++) name = `${wanted}#${count}`;
  return name;
}

interface CodeResult {
  readonly code: ByteWriter;
  readonly instructions: number;
  readonly features: readonly string[];
}

/** The block type of a wrapped body: nothing, the one result, or a type without parameters. */
function wrapperType(layout: ModuleLayout, parts: RefuelParts, typeIndex: number): Uint8Array {
  const type = layout.types[typeIndex];
  if (type === undefined || type.outputs === 0) return new Uint8Array([0x40]);
  if (type.outputs === 1) return layout.bytes.subarray(type.resultsStart, type.resultsEnd);
  return parts.blockType(typeIndex, type);
}

/** @returns `undefined` when a handler was found and `splitAtCalls` is not set */
function rewriteCode(
  layout: ModuleLayout,
  limits: MeterLimits,
  parts: RefuelParts,
  injected: Injected,
  splitAtCalls: boolean,
): CodeResult | undefined {
  const span = layout.sections.get(sectionId.code);
  const out = new ByteWriter(span === undefined ? 64 : Math.ceil((span.end - span.start) * 1.5) + 1024);
  const scan = new FunctionScan({
    types: layout.types,
    tags: layout.tags,
    maxNesting: limits.maxNesting,
    maxLocals: limits.maxLocals,
    splitAtCalls,
  });
  const emitter = new FunctionEmitter(out, injected);
  const defined = layout.functions.length - layout.importedFunctions;
  out.u32(defined + 1);
  if (span !== undefined) {
    const reader = new ByteReader(layout.bytes, span.start, span.end);
    if (reader.u32() !== defined) refuse("malformed", "functions and bodies differ in number");
    for (let index = 0; index < defined; index++) {
      const size = reader.u32();
      const start = reader.at;
      if (size > limits.maxFunctionBytes)
        refuse("limit.function-bytes", `function ${index} has ${size} bytes, more than ${limits.maxFunctionBytes}`);
      reader.skip(size);
      const typeIndex = layout.functions[layout.importedFunctions + index] as number;
      const signature = layout.types[typeIndex];
      if (signature === undefined) return refuse("malformed", `function ${index} has no type`);
      scan.scan(layout.bytes, start, start + size, signature);
      if (scan.handlesExceptions && !splitAtCalls) return undefined;
      const wrapper = scan.needsWrapper ? wrapperType(layout, parts, typeIndex) : new Uint8Array(0);
      const before = out.at;
      out.sized(Math.ceil(size * 1.4), () => emitter.emit(scan, layout.bytes, start + size, wrapper));
      if (out.at - before - 5 > limits.maxFunctionBytes)
        refuse("limit.function-bytes", `function ${index} has more than ${limits.maxFunctionBytes} bytes with metering`);
    }
    if (reader.at !== span.end) refuse("malformed", "bytes after the last function");
  }
  parts.writeRefuelBody(out, injected);
  const features = featureNames.filter((_name, index) => scan.seenFeatures[index] === 1);
  // The engine refuses this mixture only if the right threads meet: 125 of 200 validations of one module passed.
  if (features.includes("legacy-exceptions") && features.includes("exception-references")) {
    refuse("feature.mixed-exceptions", "handlers of the old and of the new form in one module");
  }
  return { code: out, instructions: scan.instructions, features: [...features].sort() };
}

/** Copies a vector section with entries appended; `span` may be absent. */
function extendVector(out: ByteWriter, id: number, layout: ModuleLayout, extra: number, write: (out: ByteWriter) => void): void {
  const span = layout.sections.get(id);
  const reader = span === undefined ? undefined : new ByteReader(layout.bytes, span.start, span.end);
  const count = reader === undefined ? 0 : reader.u32();
  out.room(16);
  out.byte(id);
  out.sized((span === undefined ? 0 : span.end - span.start) + 128, () => {
    out.room(8);
    out.u32(count + extra);
    if (reader !== undefined) out.copy(layout.bytes, reader.at, reader.end);
    write(out);
  });
}

function copySection(out: ByteWriter, id: number, bytes: Uint8Array, span: Span): void {
  out.room(16);
  out.byte(id);
  out.u32(span.end - span.start);
  out.copy(bytes, span.start, span.end);
}

function writeExport(out: ByteWriter, name: string, kind: number, index: number): void {
  const encoded = new TextEncoder().encode(name);
  out.room(encoded.length + 16);
  out.u32(encoded.length);
  out.copy(encoded, 0, encoded.length);
  out.byte(kind);
  out.u32(index);
}

function rewrite(original: Uint8Array, options: MeterOptions): MeteredModule {
  const limits = { ...defaultMeterLimits, ...options.limits };
  if (original.length > limits.maxModuleBytes) refuse("limit.module-bytes", `${original.length} bytes, more than ${limits.maxModuleBytes}`);
  if (!WebAssembly.validate(original as BufferSource)) refuse("engine", "the engine does not take the module");
  const layout = readLayout(original, limits);
  const names: InjectedNames = {
    fuel: uniqueName("althing:fuel", layout.exportNames),
    refuel: uniqueName("althing:refuel", layout.exportNames),
    start: layout.startFunction === undefined ? undefined : uniqueName("althing:start", layout.exportNames),
  };
  const injected: Injected = { fuelGlobal: layout.globals, refuelFunction: layout.functions.length };
  const attempt = (splitAtCalls: boolean): (CodeResult & { readonly parts: RefuelParts }) | undefined => {
    const parts = new RefuelParts(layout.types.length, layout.bytes);
    const result = rewriteCode(layout, limits, parts, injected, splitAtCalls);
    return result && { ...result, parts };
  };
  const { code, instructions, features, parts } = attempt(false) ?? attempt(true) ?? refuse("malformed", "the code section has no end");
  const tables = clampTables(layout.tables, options.maxTableElements);
  const clamped: Clamp[] = [...tables.clamped];
  const out = new ByteWriter(original.length + code.at + 4096);
  out.copy(original, 0, 8);
  for (const id of sectionOrder) {
    const span = layout.sections.get(id);
    if (id === sectionId.type) extendVector(out, id, layout, parts.typeCount, (to) => parts.writeTypes(to));
    else if (id === sectionId.function) extendVector(out, id, layout, 1, (to) => parts.writeFunctionType(to));
    else if (id === sectionId.global) extendVector(out, id, layout, 2, (to) => parts.writeGlobals(to));
    else if (id === sectionId.export) {
      extendVector(out, id, layout, names.start === undefined ? 2 : 3, (to) => {
        writeExport(to, names.fuel, 3, injected.fuelGlobal);
        writeExport(to, names.refuel, 3, injected.fuelGlobal + 1);
        if (names.start !== undefined) writeExport(to, names.start, 0, layout.startFunction as number);
      });
    } else if (id === sectionId.code) copySection(out, id, code.bytes, { start: 0, end: code.at });
    else if (span === undefined || id === sectionId.start) continue;
    else if (id === sectionId.table) tables.write(out, original);
    else if (id === sectionId.memory) clamped.push(...writeLimits(out, layout.memories, options.maxMemoryPages));
    else copySection(out, id, original, span);
  }
  for (const span of layout.nameSections) copySection(out, sectionId.custom, original, span);
  const bytes = out.finish();
  const report: MeterReport = {
    names,
    features,
    functions: layout.functions.length - layout.importedFunctions,
    instructions,
    originalBytes: original.length,
    meteredBytes: bytes.length,
    clamped,
    droppedSections: layout.droppedSections,
    constantGcBytes: layout.constantGcBytes,
  };
  return { bytes, report };
}

/**
 * Rewrites `original` to count fuel.
 * @param options ceilings for memories and tables, and limits of the input
 * @returns the metered module, and a report of what was added, seen and clamped
 * @throws {component.refused} with `rule` and `detail`; nothing else, whatever the bytes are
 */
export function meterModule(original: Uint8Array, options: MeterOptions): MeteredModule {
  try {
    return rewrite(original, options);
  } catch (error) {
    if (isAppError(error)) throw error;
    return refuse("malformed", error instanceof Error ? error.message : "unreadable");
  }
}
