/**
 * Jobs of packages: which are due on this hub, claimed, dispatched, ended; and what members see and ask for.
 *
 * Invariant: what this hub keeps in memory (the plan) only says when to look; the record of the job decides (job-records.ts). A slot is claimed only when
 * there is a place to run it, so a hub that dies loses what it runs and nothing that waits. After the claim, immediately before the call, install, grants
 * and policy are read and the claim is looked at once more. Nothing here repeats a run. docs/architecture/jobs.md.
 */
import type { Caller } from "@althing/bus";
import { AppError, limits, memberWith, type CommunityId, type Job, type JobBlock, type JobRun } from "@althing/contract";
import type { Store } from "@althing/store";
import type { Authority } from "../../authority.ts";
import { createBackOff } from "../../back-off.ts";
import { createJobClaims } from "./job-claims.ts";
import type { JobHost, JobInstall, JobPlace } from "./job-host.ts";
import { createJobPlan, type Planned } from "./job-plan.ts";
import { anchored, begunRow, openJobRecords, runOf, toTime, type JobKey, type JobRow } from "./job-records.ts";
import { createPlaces } from "./places.ts";

interface InInstall {
  readonly community: string;
  readonly install: string;
}

export interface Jobs {
  /** @throws {community.not_found} {auth.forbidden} {install.not_found} */
  list(caller: Caller, input: InInstall): Promise<{ jobs: Job[] }>;
  /** Begins a run beside the schedule. @throws {community.not_found} {auth.forbidden} {install.not_found} {job.not_found} {job.running} {job.blocked} */
  run(caller: Caller, input: InInstall & { readonly name: string }): Promise<JobRun>;
  /** For a package that shifts a job of its own. @param until RFC 3339 @throws {capability.denied} {capability.bad_argument} */
  postpone(place: { readonly community: CommunityId; readonly extension: string }, job: string, until: string): Promise<void>;
  /** Removes schedules and histories for good: of one install, or of a community that is no more. */
  purge(community: CommunityId, install?: JobPlace["id"]): Promise<void>;
  /** Packages of a community changed: the next tick looks at them. */
  look(community: CommunityId): void;
  /** Begins what is due; does not wait for runs. Never throws. */
  tick(): Promise<void>;
  /** Nothing new begins; resolves when nothing runs any more. */
  stop(): Promise<void>;
  /** Resolves when nothing runs and nothing waits for a place. */
  settled(): Promise<void>;
  readonly counts: () => { readonly running: number; readonly waiting: number; readonly planned: number };
}

export interface JobTimes {
  /** See `limits`. */
  readonly lateMs: number;
  readonly beatMs: number;
  readonly lostMs: number;
  /** How often all packages are looked at. */
  readonly lookMs: number;
  readonly placesMax: number;
  readonly placesPerCommunityMax: number;
}

const usual: JobTimes = {
  lateMs: limits.jobSlotLateMs,
  beatMs: limits.jobBeatMs,
  lostMs: limits.jobLostMs,
  lookMs: 30_000,
  placesMax: limits.jobsRunningMax,
  placesPerCommunityMax: limits.jobsRunningPerCommunityMax,
};

export interface JobsDeps {
  readonly store: Store;
  readonly authority: Authority;
  /** Every community there is, page by page. */
  readonly communities: () => AsyncIterable<CommunityId>;
  readonly host: JobHost;
  readonly clock: { now(): number };
  /** Milliseconds from any start; never set back. It stands still for nobody: a stopped process finds it advanced. */
  readonly monotonicMs?: () => number;
  /** This hub's name, the same in each of its lives. */
  readonly node: string;
  readonly times?: Partial<JobTimes>;
  readonly log: (level: "info" | "warn" | "error", event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
}

const nameOf = ({ community, install, job }: JobKey): string => `${community}/${install}/${job}`;
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const idle: JobBlock = { rule: "install", text: "the package is not active", who: memberWith("plugins.packages.manage") };

export function createJobs(deps: JobsDeps): Jobs {
  const { authority, host, clock, log } = deps;
  const times: JobTimes = { ...usual, ...deps.times };
  const monotonicMs = deps.monotonicMs ?? (() => performance.now());
  const records = openJobRecords(deps.store);
  const backOff = createBackOff({ monotonicMs, firstMs: 1_000, maxMs: 60_000 });
  const claims = createJobClaims({ ...deps, records, monotonicMs, times, onEnded: (key, row) => plan.note(key, row.extension, row) });
  const { isLost, declareLost } = claims;
  const plan = createJobPlan({ ...deps, records, monotonicMs, lookMs: times.lookMs, lostMs: times.lostMs, isLost, declareLost });
  const places = createPlaces<Planned>({
    ...{ max: times.placesMax, perCommunityMax: times.placesPerCommunityMax, communityOf: ({ key }) => key.community },
    work: (planned) => takeOne(planned).finally(() => (planned.isWaiting = false)),
  });
  let isStopped = false;

  /** Claims what is due of a job, and runs it. */
  async function take({ key, extension }: Planned): Promise<void> {
    const install = await host.active(key.community, extension);
    const declared = install?.declared.find(({ name }) => name === key.job);
    if (install?.id !== key.install || declared === undefined) return plan.forget(key);
    const { claim, row } = await claims.scheduled(key, extension, declared.schedule);
    if (row !== undefined) plan.note(key, extension, row);
    if (claim !== undefined) await claims.carryOut(claim, { community: key.community, id: key.install, extension });
  }

  async function takeOne(planned: Planned): Promise<void> {
    if (isStopped) return;
    const name = nameOf(planned.key);
    try {
      await take(planned);
      backOff.succeeded(name);
    } catch (error) {
      backOff.failed(name);
      log("warn", "a job could not be dispatched", { job: name, detail: textOf(error) });
    }
  }

  // --- what members see and ask for ---

  function nextOf(row: JobRow | undefined, { schedule }: JobInstall["declared"][number]): { next?: string } {
    const nowMs = clock.now();
    const lastMs = row === undefined ? nowMs : Math.max(nowMs, Date.parse(row.lastSlot));
    const postponedMs = row?.postponedUntil === undefined ? 0 : Date.parse(row.postponedUntil) - 1;
    const next = host.nextRuns(schedule, Math.max(lastMs, postponedMs), 1)[0];
    return next === undefined ? {} : { next: toTime(next) };
  }

  async function view(install: JobInstall, declared: JobInstall["declared"][number], held: JobBlock | undefined): Promise<Job> {
    const { name, schedule } = declared;
    const key: JobKey = { community: install.community, install: install.id, job: name };
    const [found, history] = await Promise.all([records.get(key), records.runs(key)]);
    const row = found?.value;
    const blocked = held ?? (await host.blockOf(install, name));
    const isPostponed = row?.postponedUntil !== undefined && Date.parse(row.postponedUntil) > clock.now();
    return {
      ...{ name, schedule, granted: install.granted.includes(name) },
      ...(blocked === undefined ? nextOf(row, declared) : { blocked }),
      ...(isPostponed ? { postponedUntil: row.postponedUntil } : {}),
      ...(row?.running === undefined ? {} : { running: runOf(row.running) }),
      ...{ missed: row?.missed ?? 0, blockedSlots: row?.blocked ?? 0, history },
    };
  }

  /** @throws {job.not_found} {job.blocked} */
  async function runnable(place: JobPlace, job: string): Promise<JobInstall["declared"][number]> {
    const refuse = ({ rule, text, who }: JobBlock) => new AppError("job.blocked", { job, rule, detail: text, who });
    const install = await host.active(place.community, place.extension);
    if (install?.id !== place.id) throw refuse(idle);
    const declared = install.declared.find(({ name }) => name === job);
    if (declared === undefined) throw new AppError("job.not_found", { extension: place.extension, job });
    const blocked = await host.blockOf(install, job);
    if (blocked !== undefined) throw refuse(blocked);
    return declared;
  }

  return {
    async list(caller, { community: ref, install: name }) {
      const { id } = (await authority.require(caller, ref, "plugins.read")).community.value;
      const { install, blocked } = await host.show(caller, id, name);
      return { jobs: await Promise.all(install.declared.map((declared) => view(install, declared, blocked))) };
    },

    async run(caller, { community: ref, install, name }) {
      const { id } = (await authority.require(caller, ref, "plugins.packages.manage")).community.value;
      const place = await host.locate(id, install);
      const declared = await runnable(place, name);
      await authority.require(caller, id, "plugins.packages.manage");
      if (isStopped) throw new AppError("system.stopping");
      const key: JobKey = { community: id, install: place.id, job: name };
      const claim = await claims.manual(key, place.extension, declared.schedule);
      const { run } = claim;
      log("info", "a job was started by hand", { community: id, install: place.id, job: name, run: run.number, by: caller.endpoint });
      // It needs no place: the community's own quotas bound it.
      places.track(claims.carryOut(claim, place));
      return run;
    },

    async postpone({ community, extension }, job, until) {
      const refuse = (detail: string) => new AppError("capability.bad_argument", { call: "schedule.postpone", detail });
      const untilMs = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(until) ? Date.parse(until) : Number.NaN;
      if (Number.isNaN(untilMs)) throw refuse("until must be a time of RFC 3339");
      if (untilMs - clock.now() > limits.jobPostponeMaxMs) throw refuse("until must lie within a year");
      const install = await host.active(community, extension);
      const declared = install?.declared.find(({ name }) => name === job);
      if (install === undefined || declared === undefined) throw refuse("the package declares no such job");
      const blocked = await host.blockOf(install, job);
      if (blocked !== undefined) throw new AppError("capability.denied", { capability: "schedule.manage", detail: blocked.text });
      const key: JobKey = { community, install: install.id, job };
      const row = await records.change(key, (now) => {
        const { postponedUntil: _before, ...rest } =
          anchored(now, extension, declared.schedule, clock.now()) ?? now ?? begunRow(extension, declared.schedule, clock.now());
        return { row: untilMs <= clock.now() ? rest : { ...rest, postponedUntil: toTime(untilMs) } };
      });
      if (row !== undefined) plan.note(key, extension, row);
    },

    async purge(community, install) {
      plan.forgetAll(community, install);
      await records.purge(community, install);
    },

    look: (community) => plan.look(community),

    async tick() {
      if (isStopped) return;
      try {
        await claims.renew();
        await plan.refresh();
        for (const planned of plan.due(clock.now(), (key) => backOff.isDue(nameOf(key)))) {
          planned.isWaiting = true;
          places.ask(planned);
        }
      } catch (error) {
        if (backOff.isDue("tick")) log("warn", "jobs stand still", { detail: textOf(error) });
        backOff.failed("tick");
      }
    },

    async stop() {
      isStopped = true;
      places.clear();
      await plan.stop();
      await places.settled();
    },
    settled: () => places.settled(),
    counts: () => ({ running: claims.running(), waiting: places.waiting(), planned: plan.size() }),
  };
}
