/**
 * What jobs need of packages: which are active and were granted jobs, when a schedule fires, whether a job may run at this moment, and the run itself.
 *
 * Invariant: communities know no packages; the hub adapts the extension plane to this face. Everything but `nextRuns` is read afresh at each question.
 */
import type { Caller } from "@althing/bus";
import type { CommunityId, InstallId, JobBlock, JobRun, JobSchedule } from "@althing/contract";

/** A package in a community. */
export interface JobPlace {
  readonly community: CommunityId;
  readonly id: InstallId;
  readonly extension: string;
}

export interface JobInstall extends JobPlace {
  /** As its manifest has them, in that order. */
  readonly declared: readonly { readonly name: string; readonly schedule: JobSchedule }[];
  /** Names. */
  readonly granted: readonly string[];
}

export interface JobCall {
  readonly place: JobPlace;
  readonly job: string;
  /** ISO 8601. */
  readonly slot: string;
  /** Is the claim still ours? Asked after everything else was read, immediately before the package is called. */
  readonly confirm: () => Promise<boolean>;
  /** Aborted: a call that was not made is not made any more. */
  readonly signal: AbortSignal;
}

export type JobResult = Pick<JobRun, "durationMs" | "fuel" | "note" | "code" | "detail" | "execution"> & {
  readonly status: "ok" | "error" | "timeout" | "quota" | "denied";
};

export type JobEnd = JobResult | { readonly status: "blocked"; readonly blocked: JobBlock } | { readonly status: "unconfirmed" };

export interface JobHost {
  /** Installs of a community that are active and were granted jobs. */
  activeIn(community: CommunityId): Promise<readonly JobInstall[]>;
  /** `undefined`: not installed, not active, in quarantine. */
  active(community: CommunityId, extension: string): Promise<JobInstall | undefined>;
  /** By its id or the extension's, whatever its state. @throws {install.not_found} */
  locate(community: CommunityId, install: string): Promise<JobPlace>;
  /** For whoever may read packages: every declared job, and why none of them runs. @throws {community.not_found} {auth.forbidden} {install.not_found} */
  show(
    caller: Caller,
    community: CommunityId,
    install: string,
  ): Promise<{ readonly install: JobInstall; readonly blocked: JobBlock | undefined }>;
  /** Why a job of an active install may not run now: policy, trust, grants; `undefined`: it may. */
  blockOf(install: JobInstall, job: string): Promise<JobBlock | undefined>;
  /** The next fire times strictly after a moment, in order, at most `count`. Pure. */
  nextRuns(schedule: JobSchedule, afterMs: number, count: number): readonly number[];
  /** Reads install, grants and policy once more, asks `confirm`, and calls the package at most once. Resolves however the call ended. */
  invoke(call: JobCall): Promise<JobEnd>;
}
