/**
 * Retention of the execution log.
 *
 * Invariant: rows older than the time kept go, and of what is left the oldest of all installs until the bytes kept hold; rows that are still open
 * stay. Counts of usage live as long as the rows' time, so a quota never forgets what a full log let go.
 */
import type { Key, Rec, Write } from "@althing/store";
import { hasCode, type Execution } from "@althing/contract";
import { bytesOfRow, hourMs, hourOf, type ExecutionRows, type UsageRow } from "./execution-rows.ts";
import type { InstallPlace, UsageLedger } from "./usage-ledger.ts";

export interface SweepDeps {
  readonly rows: ExecutionRows;
  readonly ledger: UsageLedger;
  readonly batch: (writes: readonly Write[]) => Promise<number>;
  readonly nowMs: number;
  readonly keptMs: number;
  readonly keptBytes: number;
}

interface Taken {
  readonly count: number;
  readonly bytes: number;
}

/** Rows of an install, oldest first, until `isEnough`. Open ones are left to their end. */
export async function takeRows(
  { rows, batch }: Pick<SweepDeps, "rows" | "batch">,
  { community, install }: InstallPlace,
  isEnough: (row: Execution, taken: Taken) => boolean,
  takesOpen = false,
): Promise<Taken> {
  let taken: Taken = { count: 0, bytes: 0 };
  let after: Key | undefined;
  do {
    const page = await rows.rows.list({ prefix: [community, install], limit: 500, ...(after === undefined ? {} : { after }) });
    const deletes: Write[] = [];
    let isDone = false;
    for (const { key, value } of page.records) {
      isDone = isEnough(value, taken);
      if (isDone) break;
      if (value.status === "started" && !takesOpen) continue;
      deletes.push(rows.rows.toDelete(key));
      taken = { count: taken.count + 1, bytes: taken.bytes + bytesOfRow(value) };
    }
    if (deletes.length > 0) await batch(deletes);
    if (isDone) return taken;
    after = page.next;
  } while (after !== undefined);
  return taken;
}

/** @returns how many rows went */
export async function sweepExecutions(deps: SweepDeps): Promise<number> {
  const { rows, ledger, batch, nowMs, keptMs, keptBytes } = deps;
  const oldest = hourOf(nowMs - keptMs);
  const kept: Rec<UsageRow>[] = [];
  const aged = new Map<string, InstallPlace>();
  const over: Write[] = [];
  for await (const record of ledger.records([])) {
    const [community, install = "", hour = ""] = record.key;
    if (hour >= oldest) kept.push(record);
    else {
      aged.set(`${community}/${install}`, { community, install });
      over.push(rows.usage.toDelete(record.key));
    }
  }
  let removed = 0;
  for (const place of aged.values()) removed += (await takeRows(deps, place, (row) => row.startedAt >= oldest)).count;
  for (let at = 0; at < over.length; at += 500) await batch(over.slice(at, at + 500));

  let excess = kept.reduce((sum, { value }) => sum + value.logBytes, 0) - keptBytes;
  kept.sort((a, b) => ((a.key[2] ?? "") < (b.key[2] ?? "") ? -1 : 1));
  for (const record of kept) {
    if (excess <= 0) break;
    if (record.value.logBytes === 0) continue;
    const [community, install = "", hour = ""] = record.key;
    const end = new Date(Date.parse(hour) + hourMs).toISOString();
    const wanted = Math.min(excess, record.value.logBytes);
    const taken = await takeRows(deps, { community, install }, (row, so) => row.startedAt >= end || so.bytes >= wanted);
    removed += taken.count;
    // What was counted and is not there any more was taken with another node's hour.
    const logBytes = taken.bytes < wanted ? 0 : Math.max(0, record.value.logBytes - taken.bytes);
    excess -= record.value.logBytes - logBytes;
    await lower(deps, record, logBytes);
  }
  return removed;
}

/** A record that grew meanwhile keeps its number: the next sweep finds nothing to take and lowers it. */
async function lower({ rows, ledger }: SweepDeps, { key, value, revision }: Rec<UsageRow>, logBytes: number): Promise<void> {
  try {
    await rows.usage.put(key, { ...value, logBytes }, revision);
    ledger.forget({ community: key[0], install: key[1] ?? "" });
  } catch (error) {
    if (!hasCode(error, "store.conflict")) throw error;
  }
}
