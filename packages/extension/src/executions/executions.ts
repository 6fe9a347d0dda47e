/**
 * The log of executions and the hourly usage.
 *
 * Invariant: a call that reaches a runner has a row from before it does, and exactly one end. A row that a killed hub left open becomes `lost` when
 * that node starts again. Rows hold no bodies, headers or secrets. How ends are written is in execution-closer.ts, what counts against quotas in
 * usage-ledger.ts, what is kept in sweep-executions.ts; docs/architecture/gateway.md.
 */
import { randomFillSync } from "node:crypto";
import { limits, type CommunityId, type Execution, type Handle } from "@althing/contract";
import type { Key, Rec, Store } from "@althing/store";
import { monotonicFactory } from "ulid";
import type { Consumption } from "../quotas/index.ts";
import type { ExtensionClock } from "../extension-deps.ts";
import { eraseActor } from "./erase-actor.ts";
import { createExecutionCloser } from "./execution-closer.ts";
import { excerptOf, openExecutionRows, rowKey, type UsageRow } from "./execution-rows.ts";
import { sweepExecutions, takeRows } from "./sweep-executions.ts";
import { createUsageLedger } from "./usage-ledger.ts";

export type ExecutionStart = Omit<Execution, "id" | "status" | "startedAt">;

export interface ExecutionEnd {
  readonly status: Exclude<Execution["status"], "started" | "lost">;
  readonly code?: string;
  readonly detail?: string;
  readonly httpStatus?: number;
  readonly durationMs: number;
  readonly fuel: number;
  readonly peakMemoryBytes: number;
  readonly hostCalls: number;
  readonly egressBytes: number;
  readonly log: NonNullable<Execution["log"]>;
}

export interface OpenExecution {
  readonly id: string;
  /** A row that was purged meanwhile stays gone. @throws {store.unavailable} */
  finish(end: ExecutionEnd): Promise<void>;
}

export interface ExecutionQuery {
  readonly community: CommunityId;
  readonly install: string;
  /** Older than this one. */
  readonly after?: string | undefined;
  /** Newer than this one, in order: for a live tail. */
  readonly since?: string | undefined;
  readonly status?: Execution["status"] | undefined;
  readonly limit: number;
}

export interface HourUsage extends Omit<UsageRow, "logBytes"> {
  readonly hour: string;
}

export interface Executions {
  /** Writes the row; the call may be made once this resolved. @throws {store.unavailable} */
  start(row: ExecutionStart): Promise<OpenExecution>;
  /** One page; with a status a page may hold fewer rows than asked for, or none, and yet have a `next`. */
  list(query: ExecutionQuery): Promise<{ executions: Execution[]; next?: string }>;
  /** Rows from a time on, newest first. */
  recent(community: CommunityId, install: string, sinceMs: number): AsyncGenerator<Execution>;
  /** What counts against the quotas now. */
  consumed(community: CommunityId, install: string): Promise<Consumption>;
  hours(community: CommunityId, install: string, count: number): Promise<HourUsage[]>;
  /** Rows of this node that an earlier process left open become `lost`. Before the first `start`. @returns how many */
  closeLost(): Promise<number>;
  purge(community: CommunityId, install: string): Promise<void>;
  /** Takes a person's handle out of a community's rows. @throws {store.unavailable} call again */
  erase(community: CommunityId, handle: Handle): Promise<void>;
  /** Removes what is older than kept, and the oldest rows beyond the bytes kept. @returns how many rows */
  sweep(): Promise<number>;
}

export interface ExecutionsDeps {
  readonly store: Store;
  readonly clock: ExtensionClock;
  /** Part of keys. */
  readonly node: string;
  readonly keptMs?: number;
  readonly keptBytes?: number;
}

/** Rows that one page reads at most when a status is asked for. */
const readPerPageMax = 5_000;

/** Fractions for the sixteen random characters of an id, drawn in blocks: a draw of its own for each costs as much as the row's write. */
function createRandom(): () => number {
  const pool = new Uint8Array(4_096);
  let used = pool.length;
  return () => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    return (pool[used++] ?? 0) / 256;
  };
}

/**
 * @example
 * const execution = await executions.start(row);
 * await execution.finish({ status: "ok", ...used });
 */
export function createExecutions(deps: ExecutionsDeps): Executions {
  const { store, clock, node, keptMs = limits.executionsKeptMs, keptBytes = limits.executionsKeptBytes } = deps;
  const collections = openExecutionRows(store);
  const { rows, open } = collections;
  const ledger = createUsageLedger({ usage: collections.usage, clock, node });
  const closer = createExecutionCloser({ store, rows: collections, ledger, node });
  const nextUlid = monotonicFactory(createRandom());

  async function* newestFirst(community: string, install: string): AsyncGenerator<Execution> {
    let after: Key | undefined;
    do {
      const page = await rows.list({ prefix: [community, install], limit: 500, reverse: true, ...(after === undefined ? {} : { after }) });
      for (const { value } of page.records) yield value;
      after = page.next;
    } while (after !== undefined);
  }

  async function closeOne({ key, value }: Rec<{ community: string; install: string }>): Promise<boolean> {
    const row = await rows.get([value.community, value.install, key[1] ?? ""]);
    if (row?.value.status !== "started") {
      await open.delete(key);
      return false;
    }
    await closer.close({ ...row.value, status: "lost", detail: "the hub ended while it ran" }, row.revision);
    return true;
  }

  return {
    async start(row) {
      const nowMs = clock.now();
      const started: Execution = { ...row, id: nextUlid(nowMs), status: "started", startedAt: new Date(nowMs).toISOString() };
      // The batch's revision is its last write's: the row's, which its end asks for.
      const revision = await store.batch([
        open.toPut([node, started.id], { community: row.community, install: row.install }, 0),
        rows.toPut(rowKey(started), started, 0),
      ]);
      let isOpen = true;
      return {
        id: started.id,
        async finish(end) {
          if (!isOpen) throw new TypeError("an execution ends once");
          isOpen = false;
          await closer.close({ ...started, ...end, log: excerptOf(end.log) }, revision);
        },
      };
    },

    async list({ community, install, after, since, status, limit }) {
      const executions: Execution[] = [];
      const edge = since ?? after;
      let cursor: Key | undefined = edge === undefined ? undefined : [community, install, edge];
      let read = 0;
      for (;;) {
        const page = await rows.list({
          prefix: [community, install],
          limit: status === undefined ? limit + 1 : 500,
          reverse: since === undefined,
          ...(cursor === undefined ? {} : { after: cursor }),
        });
        for (const { value } of page.records) {
          if (executions.length === limit) return { executions, next: executions.at(-1)?.id ?? value.id };
          read += 1;
          if (status === undefined || value.status === status) executions.push(value);
        }
        if (page.next === undefined) return { executions };
        if (read >= readPerPageMax) return { executions, next: page.next.at(-1) ?? "" };
        cursor = page.next;
      }
    },

    async *recent(community, install, sinceMs) {
      const from = new Date(sinceMs).toISOString();
      for await (const row of newestFirst(community, install)) {
        if (row.startedAt < from) return;
        yield row;
      }
    },

    consumed: (community, install) => ledger.consumed({ community, install }),

    async hours(community, install, count) {
      const found = await ledger.hours({ community, install }, count);
      return found.map(({ hour, sum: { logBytes: _kept, ...rest } }) => ({ hour, ...rest }));
    },

    async closeLost() {
      let closed = 0;
      for (;;) {
        const page = await open.list({ prefix: [node], limit: 200 });
        if (page.records.length === 0) return closed;
        const outcomes = await Promise.all(page.records.map(closeOne));
        closed += outcomes.filter(Boolean).length;
      }
    },

    async purge(community, install) {
      const place = { community, install };
      const batch = (writes: Parameters<Store["batch"]>[0]) => store.batch(writes);
      await takeRows({ rows: collections, batch }, place, () => false, true);
      for await (const { key } of ledger.records([community, install])) await collections.usage.delete(key);
      ledger.forget(place);
    },

    erase: (community, handle) => eraseActor(collections, community, handle),

    sweep: () =>
      sweepExecutions({
        ...{ rows: collections, ledger, keptMs, keptBytes },
        nowMs: clock.now(),
        batch: (writes) => store.batch(writes),
      }),
  };
}
