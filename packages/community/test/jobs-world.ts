/**
 * Hubs that run the jobs of one community over one store, for tests: time, policy and what packages do are in the test's hands.
 *
 * Invariant: schedulers, records and store are the product's own; only the packages are the test's.
 */
import { AppError, type CommunityId, type InstallId, type JobBlock, type JobSchedule } from "@althing/contract";
import { openMemoryStore, type Store } from "@althing/store";
import { ulid } from "ulid";
import {
  createJobs,
  type JobCall,
  type JobHost,
  type JobInstall,
  type Jobs,
  type JobsDeps,
  type JobTimes,
} from "../src/hooks/jobs/index.ts";
import { openCommunityWorld, type CommunityWorld } from "./community-world.ts";

export const minuteMs = 60_000;
const periods: Readonly<Record<string, number>> = { minute: minuteMs, hourly: 60 * minuteMs, daily: 24 * 60 * minuteMs };

export function nextRuns(schedule: JobSchedule, afterMs: number, count: number): number[] {
  const period = periods[typeof schedule === "string" ? schedule : ""] ?? 7 * 24 * 60 * minuteMs;
  return Array.from({ length: count }, (_, i) => (Math.floor(afterMs / period) + 1 + i) * period);
}

/** What one package does when it is called; every hub calls the same. */
export type Guest = (call: JobCall, hub: string) => Promise<string>;

export interface Packages {
  readonly installs: JobInstall[];
  /** Set: the policy does not allow it. */
  blocked: JobBlock | undefined;
  guest: Guest;
  /** Between the claim and the last look at policy. */
  beforeCheck: (call: JobCall) => Promise<void>;
  /** Slots that were begun, in order, with the job before them. */
  readonly begun: string[];
}

export interface TestHub {
  readonly name: string;
  readonly jobs: Jobs;
  readonly clock: { ms: number; monotonicMs: number };
  /** Ticks and waits until nothing runs or waits. */
  round(): Promise<void>;
}

export interface JobsWorld {
  readonly world: CommunityWorld;
  readonly community: CommunityId;
  readonly packages: Packages;
  readonly lines: readonly string[];
  addInstall(extension: string, jobs: Readonly<Record<string, JobSchedule>>, community?: CommunityId): JobInstall;
  remove(install: JobInstall): void;
  addHub(name: string, more?: { readonly store?: Store; readonly times?: Partial<JobTimes>; readonly sharesClockOf?: TestHub }): TestHub;
  /** All clocks. */
  advance(ms: number): void;
}

export const policyOff: JobBlock = { rule: "backgroundJobs", text: "the community allows no jobs", who: "An admin of the community" };

export function hostOf(packages: Packages, hub: string): JobHost {
  const find = (community: CommunityId, install: string) =>
    packages.installs.find((one) => one.community === community && (one.id === install || one.extension === install));
  const blockOf: JobHost["blockOf"] = (install, job) => {
    if (!install.granted.includes(job)) return Promise.resolve({ rule: "grants.jobs", text: "not granted", who: "An admin" });
    return Promise.resolve(packages.blocked);
  };
  const notFound = (install: string) => new AppError("install.not_found", { install });
  return {
    activeIn: (community) => Promise.resolve(packages.installs.filter((one) => one.community === community)),
    active: (community, extension) => Promise.resolve(find(community, extension)),
    async locate(community, install) {
      const found = find(community, install);
      if (found === undefined) throw notFound(install);
      return found;
    },
    async show(_caller, community, install) {
      const found = find(community, install);
      if (found === undefined) throw notFound(install);
      return { install: found, blocked: undefined };
    },
    blockOf,
    nextRuns,
    async invoke(call) {
      await packages.beforeCheck(call);
      const install = find(call.place.community, call.place.extension);
      if (install === undefined) return { status: "blocked", blocked: { rule: "install", text: "gone", who: "An admin" } };
      const blocked = await blockOf(install, call.job);
      if (blocked !== undefined) return { status: "blocked", blocked };
      if (!(await call.confirm())) return { status: "unconfirmed" };
      packages.begun.push(`${call.job} ${call.slot}`);
      return { status: "ok", note: await packages.guest(call, hub), fuel: 1_000, durationMs: 5 };
    },
  };
}

export async function openJobsWorld(store: Store = openMemoryStore()): Promise<JobsWorld> {
  const world = openCommunityWorld({ store });
  const community = await world.found();
  const hubs: TestHub[] = [];
  const lines: string[] = [];
  const packages: Packages = {
    installs: [],
    blocked: undefined,
    guest: () => Promise.resolve("done"),
    beforeCheck: () => Promise.resolve(),
    begun: [],
  };
  const communities = new Set([community]);
  const communitiesNow = async function* () {
    yield* communities;
  };
  return {
    ...{ world, community, packages, lines },
    addInstall(extension, jobs, place = community) {
      communities.add(place);
      const install: JobInstall = {
        ...{ community: place, id: ulid() as InstallId, extension },
        declared: Object.entries(jobs).map(([name, schedule]) => ({ name, schedule })),
        granted: Object.keys(jobs),
      };
      packages.installs.push(install);
      return install;
    },
    remove(install) {
      packages.installs.splice(packages.installs.indexOf(install), 1);
    },
    addHub(name, more = {}) {
      const clock = more.sharesClockOf?.clock ?? { ms: world.clock.ms, monotonicMs: 0 };
      const deps: JobsDeps = {
        ...{ store: more.store ?? store, authority: world.plane.authority, communities: communitiesNow, node: name },
        host: hostOf(packages, name),
        clock: { now: () => clock.ms },
        monotonicMs: () => clock.monotonicMs,
        log: (level, event, fields) => void lines.push(`${name} ${level} ${event} ${JSON.stringify(fields)}`),
        ...(more.times === undefined ? {} : { times: more.times }),
      };
      const jobs = createJobs(deps);
      const hub: TestHub = {
        ...{ name, jobs, clock },
        async round() {
          await jobs.tick();
          await jobs.settled();
        },
      };
      hubs.push(hub);
      return hub;
    },
    advance(ms) {
      for (const clock of new Set(hubs.map((hub) => hub.clock))) {
        clock.ms += ms;
        clock.monotonicMs += ms;
      }
    },
  };
}
