/**
 * How busy runners on other machines are, and which of them are gone.
 *
 * Invariant: what is known is at most half a second old, and one that does not answer is down within a second of its end, so that calls go elsewhere before
 * one has to fail. What a runner said counts with what this hub began and ended since. It decides only where a call goes first: a runner that is wrongly
 * taken to be down is still asked when no other is left.
 */
import type { RunnerHealth } from "./runner-client.ts";

export interface RunnerWatch {
  /** It did not answer when it was asked last, or it is stopping. */
  isDown(url: string): boolean;
  /** The less the better: minus its free slots, or what this hub runs there while nothing is known. */
  load(url: string): number | undefined;
  isolation(): RunnerHealth["isolation"] | undefined;
  close(): void;
}

export interface RunnerWatchOptions {
  readonly baseUrls: () => readonly string[];
  readonly ask: (url: string, signal: AbortSignal) => Promise<RunnerHealth | undefined>;
  /** Calls of this hub that run there now. */
  readonly running: (url: string) => number;
}

const intervalMs = 500;
const answerTimeoutMs = 450;
const isolations: readonly RunnerHealth["isolation"][] = ["permission-model", "permission-model+uid", "permission-model+pidns"];

interface Seen {
  readonly health: RunnerHealth | undefined;
  /** Of the calls that it reported, those of this hub. */
  readonly own: number;
}

export function watchRunners({ baseUrls, ask, running }: RunnerWatchOptions): RunnerWatch {
  const seen = new Map<string, Seen>();
  const asking = new Set<string>();
  const closed = new AbortController();

  async function look(url: string): Promise<void> {
    if (asking.has(url)) return;
    asking.add(url);
    const own = running(url);
    const health = await ask(url, AbortSignal.any([closed.signal, AbortSignal.timeout(answerTimeoutMs)]));
    asking.delete(url);
    seen.set(url, { health, own });
  }

  const lookAtAll = (): void => void Promise.all([...new Set(baseUrls())].map(look));
  const timer = setInterval(lookAtAll, intervalMs);
  timer.unref();
  lookAtAll();

  return {
    isDown(url) {
      const known = seen.get(url);
      return known !== undefined && known.health?.status !== "ready";
    },
    load(url) {
      const { health, own } = seen.get(url) ?? {};
      if (health === undefined || own === undefined) return undefined;
      const { running: theirs, queued, max } = health.slots;
      return Math.max(0, theirs + queued - own) + running(url) - max;
    },
    isolation() {
      const found = [...seen.values()].flatMap(({ health }) => (health === undefined ? [] : [isolations.indexOf(health.isolation)]));
      return found.length === 0 ? undefined : isolations[Math.min(...found)];
    },
    close() {
      clearInterval(timer);
      closed.abort();
    },
  };
}
