/**
 * Effects that a batch promised: taking a revoked person out of its rooms, clearing a deleted room.
 *
 * Invariant: the record of a chore is written in the batch that makes it due and deleted after it is done; running one twice does no harm;
 * all that are left are run when the bus opens, and again while they fail (a purge waits for nats-server). So a kill between the act
 * and its effects leaves nothing half-done.
 */
import { isAppError } from "@althing/contract";
import type { Write } from "@althing/store";
import type { Chore, Collections } from "./collections.ts";
import type { BusLog } from "./environment.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import { everyRecord } from "./paging.ts";

export type ChoreRunner = (chore: Chore) => Promise<void>;

export interface Chores {
  /** For the batch that makes it due. */
  toPut(chore: Chore): Write;
  /** Runs it now; a failure is logged and left to the retries. */
  runSoon(chore: Chore): Promise<void>;
  /** Runs whatever is due. */
  runAll(): Promise<void>;
  /** Runs what was due at the last call already: of a hub that died between the act and its effects. */
  runLeft(): Promise<void>;
  /** Who does them; set once by the composition. */
  assign(runner: ChoreRunner): void;
  close(): Promise<void>;
}

const retryMs = 1_000;

function keyOf(chore: Chore): readonly [string, string] {
  return [chore.kind, chore.kind === "clear-room" ? chore.room : chore.endpoint];
}

export function createChores(deps: { readonly collections: Collections; readonly locks: KeyedLock; readonly log: BusLog }): Chores {
  const { collections, locks, log } = deps;
  let runner: ChoreRunner | undefined;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;
  const running = new Set<Promise<void>>();
  let left: ReadonlyMap<string, number> = new Map();

  async function run(chore: Chore): Promise<boolean> {
    const key = keyOf(chore);
    try {
      await locks.run(`chore/${key.join("/")}`, async () => {
        if (closed || !(await collections.chores.get(key))) return;
        await runner?.(chore);
        await collections.chores.delete(key);
      });
      return true;
    } catch (error) {
      log("warn", "chore.failed", { kind: chore.kind, code: isAppError(error) ? error.code : "system.internal" });
      return false;
    }
  }

  function retryLater(): void {
    if (closed) return;
    retry ??= setTimeout(() => {
      retry = undefined;
      void track(runAll());
    }, retryMs).unref();
  }

  async function runAll(): Promise<void> {
    let failed = false;
    for await (const record of everyRecord(collections.chores)) failed = !(await run(record.value)) || failed;
    if (failed) retryLater();
  }

  async function track(work: Promise<void>): Promise<void> {
    const kept = work.catch(retryLater);
    running.add(kept);
    await kept;
    running.delete(kept);
  }

  return {
    toPut: (chore) => collections.chores.toPut(keyOf(chore), chore),
    async runSoon(chore) {
      await track(run(chore).then((done) => (done ? undefined : retryLater())));
    },
    runAll,
    async runLeft() {
      const due = new Map<string, number>();
      let failed = false;
      for await (const { key, value, revision } of everyRecord(collections.chores)) {
        const name = key.join("/");
        if (left.get(name) === revision) failed = !(await run(value)) || failed;
        else due.set(name, revision);
      }
      left = due;
      if (failed) retryLater();
    },
    assign(next) {
      runner = next;
    },
    async close() {
      closed = true;
      clearTimeout(retry);
      await Promise.all(running);
    },
  };
}
