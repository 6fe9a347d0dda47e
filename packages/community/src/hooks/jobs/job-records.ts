/**
 * The records of jobs: one of each job that says what was decided last and what runs, and one of each run that is kept.
 *
 * Invariant: `lastSlot` only grows and every change of a job's record is compare-and-set, so a slot is claimed once whatever hubs, clocks and kills do. Who
 * ends a run must find it in the record; a run that was declared lost is not there any more. Runs are a ring: the n-th lies where the one 50 before lay.
 * Data formats: a change here is a migration.
 */
import {
  communityIdSchema,
  installIdSchema,
  jobRunSchema,
  jobScheduleSchema,
  limits,
  timeSchema,
  type CommunityId,
  type InstallId,
  type JobRun,
  type JobSchedule,
} from "@althing/contract";
import { retryConflicts, type Key, type Rec, type Store, type Write } from "@althing/store";
import { z } from "zod";

const count = z.int().nonnegative();

const runningSchema = z.strictObject({
  number: z.int().positive(),
  kind: z.enum(["scheduled", "manual"]),
  slot: timeSchema,
  since: timeSchema,
  /** Which hub, and which life of it. */
  node: z.string(),
  boot: z.string(),
  /** Grows while its hub lives. */
  beat: count,
});
export type Running = z.infer<typeof runningSchema>;

const jobRowSchema = z.strictObject({
  extension: z.string(),
  /** As it was when `lastSlot` was decided. */
  schedule: jobScheduleSchema,
  /** Everything up to here is decided. */
  lastSlot: timeSchema,
  /** Not active, not declared or not granted when last seen: what passes meanwhile is not missed. */
  isIdle: z.boolean(),
  postponedUntil: timeSchema.optional(),
  running: runningSchema.optional(),
  runs: count,
  missed: count,
  blocked: count,
});
export type JobRow = z.infer<typeof jobRowSchema>;

export interface JobKey {
  readonly community: CommunityId;
  readonly install: InstallId;
  readonly job: string;
}

export const jobKeyOf = ({ community, install, job }: JobKey): Key => [community, install, job];
const keySchema = z.tuple([communityIdSchema, installIdSchema, z.string()]);
const pageMax = 500;

/** A clock that was this far ahead was wrong: what it decided does not bind a job that is started anew. */
const clockErrorMs = 24 * 60 * 60_000;

export const toTime = (ms: number): string => new Date(ms).toISOString();

export interface JobRecords {
  get(key: JobKey): Promise<Rec<JobRow> | undefined>;
  /** All of a community, or of one install. */
  list(community: CommunityId, install?: InstallId): Promise<{ readonly key: JobKey; readonly row: JobRow }[]>;
  /** Newest first. */
  runs(key: JobKey): Promise<JobRun[]>;
  /**
   * Decides on the record and writes what was decided, again when others were faster.
   * @returns the record as it is then
   */
  change(key: JobKey, decide: (row: JobRow | undefined) => JobChange | undefined): Promise<JobRow | undefined>;
  /** Of one install, or of all of a community. */
  purge(community: CommunityId, install?: InstallId): Promise<void>;
}

export interface JobChange {
  readonly row: JobRow;
  readonly run?: JobRun;
}

export function openJobRecords(store: Store): JobRecords {
  /** `jobs/<community>/<install>/<job>`, `job-runs/<community>/<install>/<job>/<number mod 50>` */
  const jobs = store.collection({ name: "jobs", schema: jobRowSchema });
  const runs = store.collection({ name: "job-runs", schema: jobRunSchema });
  const placeOf = (key: JobKey, { number }: JobRun): Key => [...jobKeyOf(key), String(number % limits.jobRunsKept).padStart(2, "0")];

  async function* keysOf(collection: { list: typeof jobs.list | typeof runs.list }, prefix: readonly string[]): AsyncGenerator<Key> {
    let after: Key | undefined;
    do {
      const page = await collection.list({ prefix, limit: pageMax, ...(after === undefined ? {} : { after }) });
      for (const { key } of page.records) yield key;
      after = page.next;
    } while (after !== undefined);
  }

  return {
    get: (key) => jobs.get(jobKeyOf(key)),
    async list(community, install) {
      const found: { key: JobKey; row: JobRow }[] = [];
      const prefix = install === undefined ? [community] : [community, install];
      let after: Key | undefined;
      do {
        const page = await jobs.list({ prefix, limit: pageMax, ...(after === undefined ? {} : { after }) });
        for (const { key, value } of page.records) {
          const [, id, job] = keySchema.parse(key);
          found.push({ key: { community, install: id, job }, row: value });
        }
        after = page.next;
      } while (after !== undefined);
      return found;
    },
    async runs(key) {
      const { records } = await runs.list({ prefix: jobKeyOf(key), limit: limits.jobRunsKept });
      return records.map(({ value }) => value).toSorted((a, b) => b.number - a.number);
    },
    change: (key, decide) =>
      retryConflicts("the job", async () => {
        const found = await jobs.get(jobKeyOf(key));
        const change = decide(found?.value);
        if (change === undefined) return found?.value;
        const { row, run } = change;
        const writes: Write[] = [
          jobs.toPut(jobKeyOf(key), row, found?.revision ?? 0),
          ...(run === undefined ? [] : [runs.toPut(placeOf(key, run), run)]),
        ];
        await store.batch(writes);
        return row;
      }),
    async purge(community, install) {
      for (const collection of [jobs, runs]) {
        const keys: Key[] = [];
        for await (const key of keysOf(collection, install === undefined ? [community] : [community, install])) keys.push(key);
        for (let at = 0; at < keys.length; at += pageMax)
          await store.batch(keys.slice(at, at + pageMax).map((key) => collection.toDelete(key)));
      }
    },
  };
}

/** A job as it begins: nothing that lies before this moment is its business. */
export function begunRow(extension: string, schedule: JobSchedule, nowMs: number): JobRow {
  return { extension, schedule, lastSlot: toTime(nowMs), isIdle: false, runs: 0, missed: 0, blocked: 0 };
}

const isSame = (a: JobSchedule, b: JobSchedule): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * The record of a job that is active with this schedule; `undefined`: it is as it should be.
 * What passed while the job was idle or had another schedule is neither run nor missed.
 */
export function anchored(row: JobRow | undefined, extension: string, schedule: JobSchedule, nowMs: number): JobRow | undefined {
  if (row === undefined) return begunRow(extension, schedule, nowMs);
  if (!row.isIdle && isSame(row.schedule, schedule)) return undefined;
  const lastMs = Date.parse(row.lastSlot);
  const isWrong = row.isIdle && lastMs - nowMs > clockErrorMs;
  return { ...row, schedule, isIdle: false, lastSlot: toTime(isWrong ? nowMs : Math.max(lastMs, nowMs)) };
}

export interface Begun {
  readonly slotMs: number;
  readonly kind: Running["kind"];
  readonly nowMs: number;
  readonly node: string;
  readonly boot: string;
}

/** The claim of a slot. */
export function begin(row: JobRow, { slotMs, kind, nowMs, node, boot }: Begun): { readonly row: JobRow; readonly run: JobRun } {
  const number = row.runs + 1;
  const slot = toTime(slotMs);
  const since = toTime(nowMs);
  const running: Running = { number, kind, slot, since, node, boot, beat: 0 };
  return { row: { ...row, runs: number, running }, run: runOf(running) };
}

export function runOf({ number, kind, slot, since }: Running): JobRun {
  return { number, kind, slot, status: "running", startedAt: since };
}

export const isRun = (running: Running | undefined, number: number, boot: string): running is Running =>
  running?.number === number && running.boot === boot;

/** The end of what runs. */
export function ended(row: JobRow, end: Omit<JobRun, "number" | "kind" | "slot" | "startedAt" | "endedAt">, nowMs: number): JobChange {
  const { running, ...rest } = row;
  if (running === undefined) return { row };
  const blocked = rest.blocked + (end.status === "blocked" ? 1 : 0);
  return { row: { ...rest, blocked }, run: { ...runOf(running), ...end, endedAt: toTime(nowMs) } };
}
