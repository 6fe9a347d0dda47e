/**
 * The extension plane as the scheduler of jobs sees it.
 *
 * Invariant: the policy that allows a run is the very one that the invocation is made under; install, grants, policy and claim are read together for each
 * call, immediately before it. Named schedules count in UTC; expressions are read where they were judged.
 */
import type { JobCall, JobEnd, JobHost, JobInstall } from "@althing/community";
import {
  extensionIdSchema,
  hasCode,
  installIdSchema,
  isAppError,
  jobScheduleSchema,
  memberWith,
  type CommunityId,
  type Execution,
  type Install,
  type JobBlock,
  type JobSchedule,
} from "@althing/contract";
import {
  nextRuns as nextCronRuns,
  type CommunityGate,
  type CommunityPolicy,
  type Executions,
  type Installs,
  type Invoked,
  type Invoker,
  type RunnableInstall,
} from "@althing/extension";
import { effectivePolicy } from "@althing/policy";
import { z } from "zod";
import { createRequestIds } from "./request-id.ts";

/** Asked for at each use: they are made after the community plane. */
export interface JobHostParts {
  readonly installs: Pick<Installs, "all" | "active" | "locate" | "get" | "runnable">;
  readonly gate: Pick<CommunityGate, "policy">;
  readonly invoker: Pick<Invoker, "invoke">;
  readonly executions: Pick<Executions, "list">;
}

const hourMs = 60 * 60_000;
/** Period, and the first Monday after 1970 began: weeks begin on Mondays. */
const named = {
  minute: { periodMs: 60_000, phaseMs: 0 },
  hourly: { periodMs: hourMs, phaseMs: 0 },
  daily: { periodMs: 24 * hourMs, phaseMs: 0 },
  weekly: { periodMs: 7 * 24 * hourMs, phaseMs: 4 * 24 * hourMs },
} as const;

/** The next fire times strictly after a moment, at most `count`. */
export function nextRunsOf(schedule: JobSchedule, afterMs: number, count: number): readonly number[] {
  if (typeof schedule !== "string") return nextCronRuns(schedule.cron, schedule.timeZone, afterMs, count);
  const { periodMs, phaseMs } = named[schedule];
  const first = Math.floor((afterMs - phaseMs) / periodMs) + 1;
  return Array.from({ length: count }, (_, i) => (first + i) * periodMs + phaseMs);
}

const manager = memberWith("plugins.packages.manage");
const noteMaxChars = 1_000;
/** Rows of other calls of the package that began in the same moment. */
const rowsBesideMax = 50;
const declaredSchema = z.object({ jobs: z.array(z.object({ name: z.string(), schedule: jobScheduleSchema })).default([]) });

export function createJobHost(parts: () => JobHostParts, nowMs: () => number): JobHost {
  const requestIds = createRequestIds({ now: nowMs });
  const idsBefore = createRequestIds({ now: () => nowMs() - 1 });

  function judge(
    install: RunnableInstall | undefined,
    id: string,
    job: string,
    { community, instance }: CommunityPolicy,
  ): JobBlock | undefined {
    if (install?.id !== id) return { rule: "install", text: "the package is not active", who: manager };
    if (!install.manifest.jobs.some(({ name }) => name === job))
      return { rule: "install", text: "this version has no such job", who: manager };
    if (!install.granted.jobs.includes(job)) return { rule: "grants.jobs", text: "the job was not granted", who: manager };
    const { values, reasons } = effectivePolicy(instance, community);
    if (values.backgroundJobs) return undefined;
    const { text, who } = reasons["backgroundJobs"] ?? { text: "the product's default", who: memberWith("plugins.policy.manage") };
    return { rule: "backgroundJobs", text, who };
  }

  /** What the log says of a call; nothing when it was refused before it had a row. */
  async function rowOf(community: CommunityId, install: string, requestId: string, since: string): Promise<Execution | undefined> {
    const { executions: rows } = await parts().executions.list({ community, install, since, limit: rowsBesideMax });
    return rows.find((row) => row.requestId === requestId);
  }

  async function run(call: JobCall, install: RunnableInstall, policy: CommunityPolicy): Promise<JobEnd> {
    const { job, slot, signal } = call;
    const since = idsBefore.next();
    const requestId = requestIds.next();
    let invoked: Invoked | undefined;
    let refusal: unknown;
    try {
      const what = {
        install,
        requestId,
        call: { kind: "job" as const, name: job, slot },
        name: job,
        body: new Uint8Array(),
        actor: undefined,
      };
      invoked = await parts().invoker.invoke({ ...what, policy, signal });
    } catch (error) {
      const blocked = blockOfError(error);
      if (blocked !== undefined) return { status: "blocked", blocked };
      refusal = error;
    }
    const row = await rowOf(install.community, install.id, requestId, since).catch(() => undefined);
    const note = invoked?.outcome.kind === "done" ? { note: invoked.outcome.note.slice(0, noteMaxChars) } : {};
    return { ...seenIn(row), ...note, ...endOf(refusal, row) };
  }

  return {
    nextRuns: nextRunsOf,
    async activeIn(community) {
      const { installs } = parts();
      const granted = (await installs.all(community)).filter((one) => one.granted.jobs.length > 0);
      const found = await Promise.all(granted.map(({ extension }) => activeOrNone(installs, community, extension)));
      return found.filter((install) => install !== undefined);
    },
    async active(community, extension) {
      const install = await parts().installs.active(community, extension);
      return install && toJobInstall(install);
    },
    locate: (community, install) => parts().installs.locate(community, install),
    async show(caller, community, ref) {
      const install = await parts().installs.get(caller, { community, install: z.union([installIdSchema, extensionIdSchema]).parse(ref) });
      const { id, extension, granted, manifest } = install;
      return {
        install: { community, id, extension, granted: granted.jobs, declared: declaredSchema.parse(manifest).jobs },
        blocked: heldOf(install),
      };
    },
    async blockOf({ community, id, extension }, job) {
      const { installs, gate } = parts();
      try {
        const [install, policy] = await Promise.all([installs.active(community, extension), gate.policy(community)]);
        const blocked = judge(install, id, job, policy);
        if (blocked === undefined && install !== undefined) await installs.runnable(install, policy);
        return blocked;
      } catch (error) {
        const blocked = blockOfError(error);
        if (blocked === undefined) throw error;
        return blocked;
      }
    },
    async invoke(call) {
      const { community, id, extension } = call.place;
      const { installs, gate } = parts();
      const [install, policy, isOurs] = await Promise.all([installs.active(community, extension), gate.policy(community), call.confirm()]);
      if (!isOurs) return { status: "unconfirmed" };
      const blocked = judge(install, id, call.job, policy);
      if (blocked !== undefined || install === undefined) return { status: "blocked", blocked: blocked ?? unknownBlock };
      return run(call, install, policy);
    },
  };
}

const unknownBlock: JobBlock = { rule: "install", text: "the package is not active", who: manager };

function toJobInstall({ community, id, extension, manifest, granted }: RunnableInstall): JobInstall {
  return { community, id, extension, declared: manifest.jobs, granted: granted.jobs };
}

/** One whose bytes were altered is in quarantine from then on, and has no jobs. */
async function activeOrNone(
  installs: Pick<Installs, "active">,
  community: CommunityId,
  extension: string,
): Promise<JobInstall | undefined> {
  try {
    const install = await installs.active(community, extension);
    return install && toJobInstall(install);
  } catch (error) {
    if (!hasCode(error, "ext.integrity", "manifest.invalid")) throw error;
    return undefined;
  }
}

/** Why an install runs nothing, whatever the job. */
function heldOf({ state, blocked, quarantine }: Install): JobBlock | undefined {
  if (quarantine !== undefined) return { rule: "install", text: `the package is in quarantine: ${quarantine.reason}`, who: manager };
  if (state !== "active") return { rule: "install", text: `the package is ${state}`, who: manager };
  return blocked;
}

function blockOfError(error: unknown): JobBlock | undefined {
  if (hasCode(error, "ext.integrity")) return { rule: "integrity", text: error.message, who: "An admin of the instance" };
  if (!hasCode(error, "install.blocked")) return undefined;
  const { rule, detail, who } = error.params;
  return { rule: String(rule), text: String(detail), who: String(who) };
}

function seenIn(row: Execution | undefined): { durationMs?: number; fuel?: number; execution?: string } {
  if (row === undefined) return {};
  const { id, durationMs, fuel } = row;
  return { execution: id, ...(durationMs === undefined ? {} : { durationMs }), ...(fuel === undefined ? {} : { fuel }) };
}

type Ended = "ok" | "error" | "timeout" | "quota" | "denied";
const statusOfCode: Readonly<Record<string, Ended>> = {
  "ext.timeout": "timeout",
  "ext.quota_exceeded": "quota",
  "ext.capability_denied": "denied",
};

/** The row knows best; a call that was refused before it had one ended with an error. */
function endOf(refusal: unknown, row: Execution | undefined): { status: Ended; code?: string; detail?: string } {
  if (refusal === undefined) return { status: "ok" };
  const code = isAppError(refusal) ? refusal.code : "system.internal";
  const detail = (row?.detail ?? (refusal instanceof Error ? refusal.message : "")).slice(0, noteMaxChars);
  const byCode = statusOfCode[code] ?? "error";
  const told = row?.status;
  const status = told === undefined || told === "started" || told === "lost" || told === "ok" ? byCode : told;
  return { status, code: row?.code ?? code, detail };
}

/** Changes of packages on this node are told at once; those of other nodes are found within half a minute. */
export function tellOfInstalls(installs: Installs, look: (community: CommunityId) => void): Installs {
  const telling =
    <A extends unknown[]>(work: (...args: A) => Promise<Install>) =>
    async (...args: A): Promise<Install> => {
      const install = await work(...args);
      look(install.community);
      return install;
    };
  return {
    ...installs,
    upload: telling(installs.upload),
    installRegistry: telling(installs.installRegistry),
    change: telling(installs.change),
    rollback: telling(installs.rollback),
    retry: telling(installs.retry),
  };
}
