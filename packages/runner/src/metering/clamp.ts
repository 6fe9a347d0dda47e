/**
 * Ceilings for memories and tables: the declared maxima of a module are lowered to what the instance allows.
 *
 * Invariant: after it the maxima of all defined tables together are within the ceiling, and the one memory is within its own;
 * minima above the ceiling are refused. Imported memories and tables keep their declared type: their definition was clamped
 * where it stands, and lowering the import would unlink modules that fit.
 */
import type { ByteWriter } from "./byte-writer.ts";
import type { MemoryRow, TableRow } from "./module-layout.ts";
import { refuse } from "./refusal.ts";

export interface Clamp {
  readonly kind: "memory" | "table";
  /** Among the defined ones of its kind. */
  readonly index: number;
  readonly declared: number | undefined;
  readonly clamped: number;
}

function writeMaximum(out: ByteWriter, minimum: number, maximum: number): void {
  out.room(16);
  out.byte(1);
  out.u32(minimum);
  out.u32(maximum);
}

/** Writes the memory section. */
export function writeLimits(out: ByteWriter, memories: readonly MemoryRow[], maxPages: number): Clamp[] {
  const clamped: Clamp[] = [];
  out.room(16);
  out.byte(5);
  out.sized(16, () => {
    out.room(8);
    out.u32(memories.length);
    memories.forEach((memory, index) => {
      if (memory.minimum > maxPages) refuse("memory.minimum", `a memory begins with ${memory.minimum} pages, more than ${maxPages}`);
      const maximum = Math.min(memory.maximum ?? 65_536, maxPages);
      if (memory.maximum !== maximum) clamped.push({ kind: "memory", index, declared: memory.maximum, clamped: maximum });
      writeMaximum(out, memory.minimum, maximum);
    });
  });
  return clamped;
}

/** The engine's own limit for one table. */
const engineTableElements = 10_000_000;

export interface ClampedTables {
  readonly clamped: readonly Clamp[];
  /** Writes the table section. */
  write(out: ByteWriter, original: Uint8Array): void;
}

/** What is left of the ceiling above the minima is divided evenly among the tables that may grow. */
export function clampTables(tables: readonly TableRow[], maxElements: number): ClampedTables {
  const minima = tables.reduce((sum, table) => sum + table.minimum, 0);
  if (minima > maxElements) refuse("table.minimum", `the tables begin with ${minima} elements, more than ${maxElements}`);
  const growable = tables.filter((table) => table.maximum === undefined || table.maximum > table.minimum).length;
  const share = growable === 0 ? 0 : Math.floor((maxElements - minima) / growable);
  const clamped: Clamp[] = [];
  const maxima = tables.map((table, index) => {
    const maximum = Math.min(table.maximum ?? engineTableElements, table.minimum + share, Math.max(engineTableElements, table.minimum));
    if (table.maximum !== maximum) clamped.push({ kind: "table", index, declared: table.maximum, clamped: maximum });
    return maximum;
  });
  return {
    clamped,
    write(out, original) {
      out.room(16);
      out.byte(4);
      out.sized(64, () => {
        out.room(8);
        out.u32(tables.length);
        tables.forEach((table, index) => {
          out.copy(original, table.whole.start, table.limits.start);
          writeMaximum(out, table.minimum, maxima[index] as number);
          out.copy(original, table.limits.end, table.whole.end);
        });
      });
    },
  };
}
