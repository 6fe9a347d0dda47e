/**
 * How long people wait after a harm until they are served again, each by itself, and what that is over many rounds.
 *
 * Invariant: pure functions. A wait is the longest time without a confirmation from the harm on: who is served once by chance and then not for
 * seconds has waited for seconds. What was begun before the harm counts as served when its confirmation comes.
 */
import type { Confirmation, Harm, History, Service } from "./history.ts";

/** Streams that a send, a delivery or a change has to wait for: rooms, state, claims, events. */
const waitedFor: ReadonlySet<string> = new Set(["R0", "S0", "C0", "E0"]);

/** Was the node that was harmed the leader of something that people wait for? Then an election comes before them. */
export const isLeaderHarm = ({ led }: Pick<Harm, "led">): boolean => led.some((stream) => waitedFor.has(stream));

export interface BackTime {
  readonly who: string;
  readonly service: Service;
  readonly isLeader: boolean;
  readonly waitMs: number;
}

/** @returns one for each person and service; `waitMs` is Infinity for whoever was never served again */
export function findBackTimes({ confirmations, harms }: Pick<History, "confirmations" | "harms">): BackTime[] {
  const [harm] = harms;
  if (harm === undefined) return [];
  const own = Map.groupBy(confirmations, ({ who, service }) => `${who} ${service}`);
  return [...own.values()].flatMap((list) => {
    const [first] = list;
    if (first === undefined) return [];
    return [{ who: first.who, service: first.service, isLeader: isLeaderHarm(harm), waitMs: longestWait(list, harm.atMs) }];
  });
}

function longestWait(confirmations: readonly Confirmation[], fromMs: number): number {
  let [lastMs, longestMs] = [fromMs, Number.POSITIVE_INFINITY];
  for (const { atMs } of confirmations.toSorted((a, b) => a.atMs - b.atMs)) {
    if (atMs <= fromMs) continue;
    longestMs = Math.max(longestMs === Number.POSITIVE_INFINITY ? 0 : longestMs, atMs - lastMs);
    lastMs = atMs;
  }
  return longestMs;
}

/** @param of between 0 and 1 @returns 0 of nothing */
export function quantile(values: readonly number[], of: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(of * sorted.length) - 1))] ?? 0;
}
