/**
 * Claims of this process: a slot is claimed, its run begun, renewed while it lasts, and ended in the record.
 *
 * Invariant: a claim is known here before it is written, and forgotten when the writing failed, so a run of this process in a record that is not known here
 * has nobody to end it. A run is dispatched once, after its claim was confirmed; an end is written only over the run that is still in the record.
 */
import { AppError, isAppError, type JobRun } from "@althing/contract";
import { ulid } from "ulid";
import type { JobEnd, JobHost, JobPlace } from "./job-host.ts";
import {
  anchored,
  begin,
  begunRow,
  ended,
  isRun,
  toTime,
  type JobChange,
  type JobKey,
  type JobRecords,
  type JobRow,
  type Running,
} from "./job-records.ts";
import { decideSlot } from "./job-slots.ts";

/** A run of this process that has not ended in its record. */
export interface Claim {
  readonly key: JobKey;
  readonly run: JobRun;
  /** When its hub last said in the record that it lives. */
  beatMs: number;
  /** It ended, and could not be written down yet. */
  end?: Exclude<JobEnd, { status: "unconfirmed" }>;
}

interface Written {
  /** As it is then. */
  readonly row?: JobRow;
  /** A run was begun. */
  readonly claim?: Claim;
}

export interface JobClaims {
  /** Claims what is due, if anything is. */
  scheduled(key: JobKey, extension: string, schedule: JobRow["schedule"]): Promise<Written>;
  /** @throws {job.running} */
  manual(key: JobKey, extension: string, schedule: JobRow["schedule"]): Promise<Claim>;
  /** Calls the package and writes down how it ended. Never throws. */
  carryOut(claim: Claim, place: JobPlace): Promise<void>;
  /** Renews what runs and writes down what could not be written before. Never throws. */
  renew(): Promise<void>;
  /** Will nobody end it? Of an earlier life of this hub, or of a claim whose answer never came. */
  isLost(key: JobKey, row: JobRow): boolean;
  declareLost(key: JobKey, running: Running): Promise<void>;
  running(): number;
}

export interface JobClaimsDeps {
  readonly records: JobRecords;
  readonly host: JobHost;
  readonly clock: { now(): number };
  readonly monotonicMs: () => number;
  readonly node: string;
  readonly times: { readonly lateMs: number; readonly beatMs: number; readonly lostMs: number };
  readonly onEnded: (key: JobKey, row: JobRow) => void;
  readonly log: (level: "info" | "warn" | "error", event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
}

const nameOf = ({ community, install, job }: JobKey): string => `${community}/${install}/${job}`;
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 500);

export function createJobClaims(deps: JobClaimsDeps): JobClaims {
  const { records, host, clock, monotonicMs, node, times, log } = deps;
  const boot = ulid();
  const live = new Map<string, Claim>();

  const forget = (claim: Claim | undefined): void => {
    if (claim !== undefined && live.get(nameOf(claim.key)) === claim) live.delete(nameOf(claim.key));
  };

  type Decided = { readonly row: JobRow; readonly begin?: { readonly slotMs: number; readonly kind: Running["kind"] } } | undefined;

  /** Writes what was decided, a run begun with it or not. */
  async function decideAndWrite(key: JobKey, decide: (row: JobRow | undefined, nowMs: number) => Decided): Promise<Written> {
    const made: { claim?: Claim } = {};
    try {
      const row = await records.change(key, (found): JobChange | undefined => {
        forget(made.claim);
        delete made.claim;
        const nowMs = clock.now();
        const decided = decide(found, nowMs);
        if (decided?.begin === undefined) return decided;
        const begun = begin(decided.row, { ...decided.begin, nowMs, node, boot });
        // Before it is written: whoever reads the record in this process must know that the claim has an owner.
        made.claim = { key, run: begun.run, beatMs: monotonicMs() };
        live.set(nameOf(key), made.claim);
        return begun;
      });
      return { ...(row === undefined ? {} : { row }), ...made };
    } catch (error) {
      forget(made.claim);
      throw error;
    }
  }

  function dueSlot(row: JobRow, nowMs: number): Decided {
    const answer = decideSlot(host.nextRuns, {
      ...{ schedule: row.schedule, nowMs, lateMs: times.lateMs, lastSlotMs: Date.parse(row.lastSlot) },
      postponedUntilMs: row.postponedUntil === undefined ? undefined : Date.parse(row.postponedUntil),
    });
    // It waits until the run before has ended, or until it is too late for it.
    if (answer.take !== undefined && row.running !== undefined) return undefined;
    if (answer.take === undefined && answer.missed === 0) return undefined;
    const passed = { ...row, lastSlot: toTime(answer.upToMs), missed: row.missed + answer.missed };
    return answer.take === undefined ? { row: passed } : { row: passed, begin: { slotMs: answer.take, kind: "scheduled" } };
  }

  async function declareLost(key: JobKey, seen: Running): Promise<void> {
    let isMine = false;
    await records.change(key, (row) => {
      const now = row?.running;
      isMine = row !== undefined && isRun(now, seen.number, seen.boot) && now.beat === seen.beat;
      if (row === undefined || !isMine) return undefined;
      return ended(row, { status: "lost", detail: "its hub ended or stood still while it ran" }, clock.now());
    });
    if (isMine) log("warn", "a job was lost", { job: nameOf(key), run: seen.number, node: seen.node });
  }

  /** What was declared lost meanwhile stays lost. A store that is away is tried again with the next ticks. */
  async function finish(claim: Claim, end: NonNullable<Claim["end"]>): Promise<void> {
    const { key, run } = claim;
    claim.end = end;
    try {
      const row = await records.change(key, (now) =>
        now !== undefined && isRun(now.running, run.number, boot) ? ended(now, end, clock.now()) : undefined,
      );
      forget(claim);
      if (row !== undefined) deps.onEnded(key, row);
    } catch (error) {
      log("warn", "the end of a job could not be written down", { job: nameOf(key), detail: textOf(error) });
    }
  }

  async function beat(claim: Claim): Promise<void> {
    const now = monotonicMs();
    try {
      await records.change(claim.key, (row) => {
        if (row === undefined || !isRun(row.running, claim.run.number, boot)) return undefined;
        return { row: { ...row, running: { ...row.running, beat: row.running.beat + 1 } } };
      });
      claim.beatMs = now;
    } catch (error) {
      log("warn", "a running job could not be renewed", { job: nameOf(claim.key), detail: textOf(error) });
    }
  }

  const isLost = (key: JobKey, { running }: JobRow): boolean =>
    running?.node === node && (running.boot !== boot || live.get(nameOf(key))?.run.number !== running.number);

  return {
    isLost,
    declareLost,
    running: () => live.size,
    scheduled: (key, extension, schedule) =>
      decideAndWrite(key, (found, nowMs) => {
        const anchor = anchored(found, extension, schedule, nowMs);
        if (anchor !== undefined) return { row: anchor };
        return found === undefined ? undefined : dueSlot(found, nowMs);
      }),
    async manual(key, extension, schedule) {
      const before = (await records.get(key))?.value;
      if (before?.running !== undefined && isLost(key, before)) await declareLost(key, before.running);
      const { claim } = await decideAndWrite(key, (found, nowMs) => {
        const row = anchored(found, extension, schedule, nowMs) ?? found ?? begunRow(extension, schedule, nowMs);
        if (row.running !== undefined) throw new AppError("job.running", { job: key.job, since: row.running.since });
        return { row, begin: { slotMs: nowMs, kind: "manual" } };
      });
      if (claim === undefined) throw new TypeError("a claim that was written has a run");
      return claim;
    },
    async carryOut(claim, place) {
      const { key, run } = claim;
      const confirm = async () => {
        const row = (await records.get(key))?.value;
        // A process that stood still reads late what it asked for early; its own clock says so.
        return isRun(row?.running, run.number, boot) && monotonicMs() - claim.beatMs < times.lostMs;
      };
      const signal = AbortSignal.timeout(times.lostMs);
      const end = await host.invoke({ place, job: key.job, slot: run.slot, confirm, signal }).catch((error: unknown): JobEnd => {
        return { status: "error", code: isAppError(error) ? error.code : "system.internal", detail: textOf(error) };
      });
      if (end.status === "unconfirmed") forget(claim);
      else await finish(claim, end);
    },
    async renew() {
      for (const claim of live.values()) {
        if (claim.end !== undefined) await finish(claim, claim.end);
        else if (monotonicMs() - claim.beatMs >= times.beatMs) await beat(claim);
      }
    },
  };
}
