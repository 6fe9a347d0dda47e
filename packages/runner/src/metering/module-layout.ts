/**
 * Reads a core module as far as the pass needs: where its sections are, its types, and the index spaces of functions, tables,
 * memories, tags and globals.
 *
 * Invariant: the engine has validated the module before; this reader refuses what policy does not allow and whatever it does
 * not know. Offsets point into the original bytes. Source: WebAssembly core specification 3.0 §5.5.
 */
import { ByteReader } from "./byte-reader.ts";
import { type ConstantBudget, skipConstantExpression } from "./constant-expression.ts";
import type { MeterLimits } from "./options.ts";
import { refuse } from "./refusal.ts";
import { readTypeSection, skipValueType, type TypeRow } from "./type-section.ts";

export const sectionId = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

/** Sections of a module in the order in which they stand in a binary, custom ones apart. */
export const sectionOrder = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11] as const;

/** Bytes from `start` to `end` of the original. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A table definition: its bytes before and after the limits, and the limits. */
export interface TableRow {
  readonly whole: Span;
  readonly limits: Span;
  readonly minimum: number;
  readonly maximum: number | undefined;
}

export interface MemoryRow {
  readonly minimum: number;
  readonly maximum: number | undefined;
}

export interface ModuleLayout {
  readonly bytes: Uint8Array;
  readonly sections: ReadonlyMap<number, Span>;
  readonly nameSections: readonly Span[];
  readonly droppedSections: readonly string[];
  readonly types: readonly TypeRow[];
  readonly typeEntries: number;
  /** Type index of each function, imported ones first. */
  readonly functions: readonly number[];
  readonly importedFunctions: number;
  readonly globals: number;
  readonly importedGlobals: number;
  readonly tags: readonly number[];
  readonly tables: readonly TableRow[];
  readonly memories: readonly MemoryRow[];
  readonly exportNames: ReadonlySet<string>;
  readonly startFunction: number | undefined;
  readonly constantGcBytes: number;
}

interface Limits {
  readonly minimum: number;
  readonly maximum: number | undefined;
}

function readLimits(reader: ByteReader, what: "memory" | "table"): Limits {
  const flags = reader.u32();
  if ((flags & 4) !== 0) refuse(what === "memory" ? "feature.memory64" : "feature.table64", `a ${what} with 64-bit addresses`);
  if ((flags & 2) !== 0) refuse("feature.shared-memory", `a shared ${what}`);
  if (flags > 1) refuse("malformed", `limits with flags ${flags}`);
  const minimum = reader.u32();
  return { minimum, maximum: flags === 1 ? reader.u32() : undefined };
}

interface Imports {
  readonly functions: number[];
  readonly tags: number[];
  readonly globals: number;
  readonly memories: number;
}

function readImports(reader: ByteReader): Imports {
  const functions: number[] = [];
  const tags: number[] = [];
  let globals = 0;
  let memories = 0;
  for (let count = reader.u32(); count > 0; count--) {
    reader.vector();
    reader.vector();
    const kind = reader.byte();
    if (kind === 0) functions.push(reader.u32());
    else if (kind === 1) {
      skipValueType(reader);
      readLimits(reader, "table");
    } else if (kind === 2) {
      readLimits(reader, "memory");
      memories++;
    } else if (kind === 3) {
      skipValueType(reader);
      reader.byte();
      globals++;
    } else if (kind === 4) {
      reader.byte();
      tags.push(reader.u32());
    } else if (kind === 0x20) refuse("feature.custom-descriptors", "an exact function import");
    else refuse("import.unknown", `an import of kind ${kind}`);
  }
  return { functions, tags, globals, memories };
}

function readTables(reader: ByteReader, types: readonly TypeRow[], budget: ConstantBudget, maxTables: number): TableRow[] {
  const rows: TableRow[] = [];
  const count = reader.u32();
  if (count > maxTables) refuse("limit.tables", `${count} tables, more than ${maxTables}`);
  for (let index = 0; index < count; index++) {
    const start = reader.at;
    const hasInitial = reader.peek() === 0x40;
    if (hasInitial) reader.skip(2);
    skipValueType(reader);
    const limitsStart = reader.at;
    const limits = readLimits(reader, "table");
    const limitsEnd = reader.at;
    if (hasInitial) skipConstantExpression(reader, types, budget);
    rows.push({ whole: { start, end: reader.at }, limits: { start: limitsStart, end: limitsEnd }, ...limits });
  }
  return rows;
}

function readGlobals(reader: ByteReader, types: readonly TypeRow[], budget: ConstantBudget): number {
  const count = reader.u32();
  for (let index = 0; index < count; index++) {
    skipValueType(reader);
    reader.byte();
    skipConstantExpression(reader, types, budget);
  }
  return count;
}

/** Only what element segments allocate is of interest; their bytes stay as they are. */
function readElements(reader: ByteReader, types: readonly TypeRow[], budget: ConstantBudget): void {
  for (let count = reader.u32(); count > 0; count--) {
    const flags = reader.u32();
    if (flags > 7) refuse("malformed", `an element segment with flags ${flags}`);
    const isActive = (flags & 1) === 0;
    if (isActive && (flags & 2) !== 0) reader.u32();
    if (isActive) skipConstantExpression(reader, types, budget);
    const usesExpressions = (flags & 4) !== 0;
    if ((flags & 3) !== 0) {
      if (usesExpressions) skipValueType(reader);
      else reader.byte();
    }
    for (let items = reader.u32(); items > 0; items--) {
      if (usesExpressions) skipConstantExpression(reader, types, budget);
      else reader.skipInteger();
    }
  }
}

function readExportNames(reader: ByteReader, maxExports: number): Set<string> {
  const names = new Set<string>();
  const count = reader.u32();
  if (count > maxExports) refuse("limit.exports", `${count} exports, more than ${maxExports}`);
  const decoder = new TextDecoder();
  for (let index = 0; index < count; index++) {
    names.add(decoder.decode(reader.vector()));
    reader.byte();
    reader.u32();
  }
  return names;
}

interface Sections {
  readonly sections: Map<number, Span>;
  readonly nameSections: Span[];
  readonly droppedSections: string[];
}

function readSections(bytes: Uint8Array): Sections {
  const reader = new ByteReader(bytes, 8);
  const sections = new Map<number, Span>();
  const nameSections: Span[] = [];
  const droppedSections: string[] = [];
  while (reader.at < reader.end) {
    const id = reader.byte();
    const size = reader.u32();
    const span = { start: reader.at, end: reader.at + size };
    reader.skip(size);
    if (id === sectionId.custom) {
      const name = new TextDecoder().decode(new ByteReader(bytes, span.start, span.end).vector());
      if (name === "name") nameSections.push(span);
      else droppedSections.push(name);
    } else {
      if (!(sectionOrder as readonly number[]).includes(id)) refuse("section.unknown", `section ${id} at ${span.start}`);
      if (sections.has(id)) refuse("malformed", `section ${id} twice`);
      sections.set(id, span);
    }
  }
  return { sections, nameSections, droppedSections };
}

/**
 * Reads `bytes`, which the engine has validated.
 * @throws {component.refused}
 */
export function readLayout(bytes: Uint8Array, limits: MeterLimits): ModuleLayout {
  const { sections, nameSections, droppedSections } = readSections(bytes);
  const budget: ConstantBudget = { bytes: 0, maxBytes: limits.maxConstantGcBytes };
  const inSection = <T>(id: number, absent: T, read: (reader: ByteReader) => T): T => {
    const span = sections.get(id);
    if (span === undefined) return absent;
    const reader = new ByteReader(bytes, span.start, span.end);
    const value = read(reader);
    if (reader.at !== span.end) refuse("malformed", `section ${id} ends at ${reader.at}, not at ${span.end}`);
    return value;
  };
  const { types, entries } = inSection(sectionId.type, { types: [], entries: 0 }, (reader) => readTypeSection(reader, limits.maxTypes));
  const imports = inSection<Imports>(sectionId.import, { functions: [], tags: [], globals: 0, memories: 0 }, readImports);
  const functions = [...imports.functions];
  inSection(sectionId.function, undefined, (reader) => {
    const count = reader.u32();
    if (count > limits.maxFunctions) refuse("limit.functions", `${count} functions, more than ${limits.maxFunctions}`);
    for (let index = 0; index < count; index++) functions.push(reader.u32());
  });
  const tables = inSection(sectionId.table, [], (reader) => readTables(reader, types, budget, limits.maxTables));
  const memories = inSection(sectionId.memory, [], (reader) => Array.from({ length: reader.u32() }, () => readLimits(reader, "memory")));
  if (imports.memories + memories.length > 1) refuse("feature.multi-memory", `${imports.memories + memories.length} memories`);
  const tags = [...imports.tags];
  inSection(sectionId.tag, undefined, (reader) => {
    for (let count = reader.u32(); count > 0; count--) {
      reader.byte();
      tags.push(reader.u32());
    }
  });
  const definedGlobals = inSection(sectionId.global, 0, (reader) => readGlobals(reader, types, budget));
  if (definedGlobals > limits.maxGlobals) refuse("limit.globals", `${definedGlobals} globals, more than ${limits.maxGlobals}`);
  const exportNames = inSection(sectionId.export, new Set<string>(), (reader) => readExportNames(reader, limits.maxExports));
  const startFunction = inSection<number | undefined>(sectionId.start, undefined, (reader) => reader.u32());
  inSection(sectionId.element, undefined, (reader) => readElements(reader, types, budget));
  return {
    bytes,
    sections,
    nameSections,
    droppedSections,
    types,
    typeEntries: entries,
    functions,
    importedFunctions: imports.functions.length,
    globals: imports.globals + definedGlobals,
    importedGlobals: imports.globals,
    tags,
    tables,
    memories,
    exportNames,
    startFunction,
    constantGcBytes: budget.bytes,
  };
}
