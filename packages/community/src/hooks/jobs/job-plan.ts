/**
 * What this hub knows of all jobs: when each comes next, and which runs of others it watches.
 *
 * Invariant: memory only, made of the packages and the records, and renewed every half minute and after changes on this hub; what stands here too early or too
 * long is found out when the record is read. A run of another hub is lost when its beat stood still for `lostMs` by this process's own clock, so that clocks
 * that jump or differ end nobody's run.
 */
import type { CommunityId, InstallId } from "@althing/contract";
import type { JobHost } from "./job-host.ts";
import { anchored, type JobKey, type JobRecords, type JobRow } from "./job-records.ts";
import { decideSlot } from "./job-slots.ts";

export interface Planned {
  readonly key: JobKey;
  readonly extension: string;
  nextMs: number;
  /** Waits for a place, or has one. */
  isWaiting: boolean;
}

interface Watched {
  readonly key: JobKey;
  readonly running: NonNullable<JobRow["running"]>;
  readonly sinceMs: number;
}

export interface JobPlan {
  /** What a record says now. */
  note(key: JobKey, extension: string, row: JobRow): void;
  forget(key: JobKey): void;
  forgetAll(community: CommunityId, install: InstallId | undefined): void;
  look(community: CommunityId): void;
  /** Looks at what changed, and at everything when it is time; the first time everything is looked at before this resolves. */
  refresh(): Promise<void>;
  /** In order of their time. */
  due(nowMs: number, mayTry: (key: JobKey) => boolean): Planned[];
  size(): number;
  stop(): Promise<void>;
}

export interface JobPlanDeps {
  readonly records: JobRecords;
  readonly host: JobHost;
  readonly communities: () => AsyncIterable<CommunityId>;
  readonly clock: { now(): number };
  readonly monotonicMs: () => number;
  readonly lookMs: number;
  readonly lostMs: number;
  /** Will nobody end it, as far as this hub can know at once? */
  readonly isLost: (key: JobKey, row: JobRow) => boolean;
  readonly declareLost: (key: JobKey, running: NonNullable<JobRow["running"]>) => Promise<void>;
  readonly log: (level: "info" | "warn" | "error", event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
}

const nameOf = ({ community, install, job }: JobKey): string => `${community}/${install}/${job}`;

export function createJobPlan(deps: JobPlanDeps): JobPlan {
  const { records, host, clock, monotonicMs, lostMs } = deps;
  const planned = new Map<string, Planned>();
  const watched = new Map<string, Watched>();
  const changed = new Set<CommunityId>();
  let lookedMs = -Infinity;
  let looking: Promise<void> | undefined;
  let isStopped = false;

  function watch(key: JobKey, { running }: JobRow): void {
    const name = nameOf(key);
    const before = watched.get(name);
    if (running === undefined) watched.delete(name);
    else if (before?.running.number !== running.number || before.running.boot !== running.boot || before.running.beat !== running.beat)
      watched.set(name, { key, running, sinceMs: monotonicMs() });
  }

  function nextMsOf(row: JobRow): number {
    const lastSlotMs = Date.parse(row.lastSlot);
    const postponedUntilMs = row.postponedUntil === undefined ? undefined : Date.parse(row.postponedUntil);
    // Asked as of the last decision: the answer is the first slot after it.
    return decideSlot(host.nextRuns, { schedule: row.schedule, lastSlotMs, postponedUntilMs, nowMs: lastSlotMs, lateMs: 0 }).nextMs;
  }

  function note(key: JobKey, extension: string, row: JobRow): void {
    const name = nameOf(key);
    watch(key, row);
    if (row.isIdle) return void planned.delete(name);
    const nextMs = nextMsOf(row);
    const known = planned.get(name);
    if (known === undefined) planned.set(name, { key, extension, nextMs, isWaiting: false });
    else known.nextMs = nextMs;
  }

  /** Jobs of a community as packages and records are now. */
  async function lookAt(community: CommunityId): Promise<void> {
    const installs = await host.activeIn(community);
    const rows = new Map((await records.list(community)).map(({ key, row }) => [nameOf(key), { key, row }]));
    const seen = new Set<string>();
    for (const install of installs)
      for (const { name: job, schedule } of install.declared) {
        if (!install.granted.includes(job)) continue;
        const key: JobKey = { community, install: install.id, job };
        seen.add(nameOf(key));
        const known = rows.get(nameOf(key))?.row;
        const isAnchored = anchored(known, install.extension, schedule, clock.now()) === undefined;
        const row = isAnchored
          ? known
          : await records.change(key, (now) => {
              const anchor = anchored(now, install.extension, schedule, clock.now());
              return anchor === undefined ? undefined : { row: anchor };
            });
        if (row !== undefined) note(key, install.extension, row);
      }
    for (const [name, { key, row }] of rows) {
      if (row.running !== undefined && deps.isLost(key, row)) await deps.declareLost(key, row.running);
      if (seen.has(name)) continue;
      watch(key, row);
      if (!row.isIdle)
        await records.change(key, (now) => (now === undefined || now.isIdle ? undefined : { row: { ...now, isIdle: true } }));
    }
    for (const [name, { key, isWaiting }] of planned)
      if (key.community === community && !seen.has(name) && !isWaiting) planned.delete(name);
  }

  async function tryToLookAt(community: CommunityId): Promise<void> {
    try {
      await lookAt(community);
    } catch (error) {
      deps.log("warn", "jobs of a community could not be looked at", {
        community,
        detail: error instanceof Error ? error.message : String(error),
      });
    }
  }

  async function lookAtAll(): Promise<void> {
    const seen = new Set<CommunityId>();
    for await (const community of deps.communities()) {
      if (isStopped) return;
      seen.add(community);
      await tryToLookAt(community);
    }
    for (const [name, { key, isWaiting }] of planned) if (!seen.has(key.community) && !isWaiting) planned.delete(name);
  }

  /** Runs whose beat stood still. */
  async function endLost(): Promise<void> {
    for (const [name, { key, running, sinceMs }] of watched) {
      if (monotonicMs() - sinceMs < lostMs) continue;
      const row = (await records.get(key))?.value;
      const now = row?.running;
      if (row === undefined || now === undefined) watched.delete(name);
      else if (now.number === running.number && now.boot === running.boot && now.beat === running.beat) {
        await deps.declareLost(key, now);
        watched.delete(name);
      } else watch(key, row);
    }
  }

  return {
    note,
    forget: (key) => void planned.delete(nameOf(key)),
    forgetAll(community, install) {
      const isMeant = ({ key }: Planned | Watched) => key.community === community && (install === undefined || key.install === install);
      for (const [name, one] of planned) if (isMeant(one)) planned.delete(name);
      for (const [name, one] of watched) if (isMeant(one)) watched.delete(name);
    },
    look: (community) => void changed.add(community),
    async refresh() {
      const isFirst = lookedMs === -Infinity;
      if (looking === undefined && monotonicMs() - lookedMs >= deps.lookMs) {
        const began = monotonicMs();
        looking = lookAtAll().then(
          () => {
            lookedMs = began;
            looking = undefined;
          },
          (error: unknown) => {
            looking = undefined;
            throw error;
          },
        );
        // Whoever waits for it hears of a failure; it is tried again with the next tick.
        looking.catch(() => undefined);
      }
      if (isFirst) await looking;
      for (const community of changed) {
        changed.delete(community);
        await tryToLookAt(community);
      }
      await endLost();
    },
    due(nowMs, mayTry) {
      const due = [...planned.values()].filter(({ key, nextMs, isWaiting }) => nextMs <= nowMs && !isWaiting && mayTry(key));
      return due.toSorted((a, b) => a.nextMs - b.nextMs);
    },
    size: () => planned.size,
    async stop() {
      isStopped = true;
      await looking?.catch(() => undefined);
    },
  };
}
