/**
 * The records of the execution log.
 *
 * Invariant: a row holds no bodies, headers or secrets, and its size is bounded whatever a guest logs; how much it counts for is one function, so
 * that what retention adds up is what it takes away.
 */
import { executionSchema, limits, type Execution } from "@althing/contract";
import type { Collection, Key, Store } from "@althing/store";
import { z } from "zod";

const usageRowSchema = z.object({
  calls: z.int(),
  errors: z.int(),
  fuel: z.int(),
  wallTimeMs: z.number(),
  egressBytes: z.int(),
  /** Of the rows that ended in this hour and are still kept. */
  logBytes: z.int(),
});
export type UsageRow = z.infer<typeof usageRowSchema>;
export const noUsage: UsageRow = { calls: 0, errors: 0, fuel: 0, wallTimeMs: 0, egressBytes: 0, logBytes: 0 };

const openRowSchema = z.object({ community: z.string(), install: z.string() });

export interface ExecutionRows {
  /** `executions/<community>/<install>/<id>` */
  readonly rows: Collection<Execution>;
  /** `open-executions/<node>/<id>`: which rows a node has to close. */
  readonly open: Collection<z.infer<typeof openRowSchema>>;
  /** `ext-usage/<community>/<install>/<hour>/<node>` */
  readonly usage: Collection<UsageRow>;
}

export function openExecutionRows(store: Store): ExecutionRows {
  return {
    rows: store.collection({ name: "executions", schema: executionSchema }),
    open: store.collection({ name: "open-executions", schema: openRowSchema }),
    usage: store.collection({ name: "ext-usage", schema: usageRowSchema }),
  };
}

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

let lastHour = { startMs: Number.NaN, name: "" };
/** Asked for several times a call, and the same for an hour. */
export function hourOf(ms: number): string {
  const startMs = Math.floor(ms / hourMs) * hourMs;
  if (lastHour.startMs !== startMs) lastHour = { startMs, name: new Date(startMs).toISOString() };
  return lastHour.name;
}

export const rowKey = ({ community, install, id }: Pick<Execution, "community" | "install" | "id">): Key => [community, install, id];

export function addUsage(a: UsageRow, b: UsageRow): UsageRow {
  return {
    calls: a.calls + b.calls,
    errors: a.errors + b.errors,
    fuel: a.fuel + b.fuel,
    wallTimeMs: a.wallTimeMs + b.wallTimeMs,
    egressBytes: a.egressBytes + b.egressBytes,
    logBytes: a.logBytes + b.logBytes,
  };
}

/** What is the same in every row, roughly. */
const fixedBytes = 520;

/** What a row counts for against the bytes kept. */
export function bytesOfRow({ name, detail = "", log = [] }: Execution): number {
  return log.reduce((sum, { message }) => sum + message.length + 48, fixedBytes + name.length + detail.length);
}

const lineBytes = 16;

/** The first lines that fit; the one in which the excerpt ends is cut. */
export function excerptOf(log: NonNullable<Execution["log"]>): NonNullable<Execution["log"]> {
  let left = limits.extensionLogExcerptMaxBytes;
  const kept: NonNullable<Execution["log"]> = [];
  for (const line of log) {
    left -= lineBytes;
    if (Buffer.byteLength(line.message) > left) {
      // Cut by bytes; a character that the cut splits is left out.
      const message = Buffer.from(line.message).subarray(0, Math.max(0, left)).toString("utf8").replace(/�+$/, "");
      kept.push({ ...line, message: `${message}… cut; ${log.length - kept.length - 1} more lines` });
      return kept;
    }
    left -= Buffer.byteLength(line.message);
    kept.push(line);
  }
  return kept;
}
