/**
 * Writes the ends of executions, those of one install together.
 *
 * Invariant: a row, the end of its open mark and the install's usage are one batch, so no end is counted twice or not at all; of one install one batch
 * is under way at a time, because each carries the whole usage record. A row that is gone (purged while it ran) is not brought back. An end that
 * could not be written is kept and goes with the next batch of its install; its caller was told.
 */
import { hasCode, type Execution } from "@althing/contract";
import type { Store, Write } from "@althing/store";
import { addUsage, bytesOfRow, rowKey, type ExecutionRows, type UsageRow } from "./execution-rows.ts";
import type { InstallPlace, UsageLedger } from "./usage-ledger.ts";

export interface ExecutionCloser {
  /** @param revision of the row as it was opened. @throws {store.unavailable} */
  close(row: Execution, revision: number): Promise<void>;
}

interface Ending {
  readonly row: Execution;
  readonly revision: number;
  readonly settle: (error?: unknown) => void;
}

interface Queue {
  waiting: Ending[];
  isBusy: boolean;
}

/** Each is two writes; the store takes 1,000 a batch. */
const groupMax = 200;
/** Ends of one install that wait for a store that does not answer. */
const unwrittenMax = 1_000;

function countOf(row: Execution): UsageRow {
  return {
    calls: 1,
    errors: row.status === "ok" ? 0 : 1,
    fuel: row.fuel ?? 0,
    wallTimeMs: row.durationMs ?? 0,
    egressBytes: row.egressBytes ?? 0,
    logBytes: bytesOfRow(row),
  };
}

export function createExecutionCloser(deps: {
  readonly store: Store;
  readonly rows: ExecutionRows;
  readonly ledger: UsageLedger;
  readonly node: string;
}): ExecutionCloser {
  const { store, rows, ledger, node } = deps;
  const queues = new Map<string, Queue>();

  const toEnd = ({ row, revision }: Ending): Write[] => [rows.rows.toPut(rowKey(row), row, revision), rows.open.toDelete([node, row.id])];

  /** @throws {store.conflict} a row of the group is gone */
  async function write(place: InstallPlace, group: readonly Ending[]): Promise<void> {
    const { key, hour, row } = await ledger.current(place);
    const sum = group.reduce((before, ending) => addUsage(before, countOf(ending.row)), row);
    try {
      await store.batch([...group.flatMap(toEnd), rows.usage.toPut(key, sum)]);
    } catch (error) {
      // It may have been written all the same.
      ledger.forget(place);
      throw error;
    }
    ledger.written(place, hour, sum);
  }

  async function writeOne(place: InstallPlace, ending: Ending): Promise<void> {
    try {
      await write(place, [ending]);
    } catch (error) {
      if (!hasCode(error, "store.conflict")) throw error;
      await rows.open.delete([node, ending.row.id]);
    }
  }

  async function settleGroup(place: InstallPlace, queue: Queue, group: readonly Ending[]): Promise<void> {
    try {
      await write(place, group);
      for (const { settle } of group) settle();
      return;
    } catch (error) {
      if (!hasCode(error, "store.conflict")) {
        if (queue.waiting.length + group.length <= unwrittenMax) queue.waiting.push(...group);
        for (const { settle } of group) settle(error);
        throw error;
      }
    }
    for (const ending of group) {
      await writeOne(place, ending).then(
        () => ending.settle(),
        (error: unknown) => ending.settle(error),
      );
    }
  }

  async function drain(place: InstallPlace, id: string, queue: Queue): Promise<void> {
    queue.isBusy = true;
    try {
      while (queue.waiting.length > 0) {
        const group = queue.waiting.slice(0, groupMax);
        queue.waiting = queue.waiting.slice(groupMax);
        await settleGroup(place, queue, group);
      }
      queues.delete(id);
    } catch {
      // Everyone of the group was told; what waits goes with the next end.
    } finally {
      queue.isBusy = false;
    }
  }

  return {
    close(row, revision) {
      const id = `${row.community}/${row.install}`;
      const queue = queues.get(id) ?? { waiting: [], isBusy: false };
      queues.set(id, queue);
      return new Promise<void>((resolve, reject) => {
        queue.waiting.push({ row, revision, settle: (error) => (error === undefined ? resolve() : reject(error)) });
        if (!queue.isBusy) void drain(row, id, queue);
      });
    },
  };
}
