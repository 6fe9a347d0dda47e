/**
 * How many whole copies each stream of a cluster has, and that it gets as many as this node's settings ask for, also one that an older setting made.
 *
 * Invariant: a copy counts when its own server has had all that the leader had at an earlier look; that a stream is configured to have it says nothing. Of each stream the most
 * that this process has seen count: a node that is down still has what it had. Copies are raised in place and never lowered.
 * See docs/architecture/cluster.md, "Copies".
 */
import { raiseReplicas, type BusConnection } from "@althing/bus";
import { askServers, wholeCopies, type ServerReports } from "./at-rest/cluster-servers.ts";
import type { HubLog } from "./log.ts";

/** Two looks prove a copy; of a cluster that is whole they are over in this time, and no other is waited for. */
const openingMaxMs = 5_000;
const openingLookMs = 100;
/** While there are fewer than asked for. */
const lackingLookMs = 1_000;
const lookMs = 15_000;
const answerWithinMs = 1_000;

export interface StreamCopies {
  /** Of the stream that has the fewest; 0 while nothing is known. */
  fewest(): number;
  close(): void;
}

export interface StreamCopiesOptions {
  readonly connection: Pick<BusConnection, "account" | "system">;
  /** Names of all messaging servers. */
  readonly nodes: readonly string[];
  readonly wanted: number;
  readonly log: HubLog;
}

/** Asks nothing that it waits for longer than five seconds; what fails is tried again later. */
export async function openStreamCopies({ connection, nodes, wanted, log }: StreamCopiesOptions): Promise<StreamCopies> {
  const seen = new Map<string, number>();
  let before: ServerReports = new Map();
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  const fewest = () => (seen.size === 0 ? 0 : Math.min(...seen.values()));

  /** Streams that have fewer by their configuration get what is asked for. */
  async function raise(): Promise<void> {
    for (const { stream, from } of await raiseReplicas(connection.account, wanted)) log.info({ stream, from, to: wanted }, "more copies");
  }

  /** @returns whether all servers answered */
  async function look(): Promise<boolean> {
    const now = await askServers(connection, nodes, answerWithinMs);
    const found = wholeCopies(before, now);
    before = now;
    for (const name of seen.keys()) if (!found.has(name)) seen.delete(name);
    for (const [name, copies] of found) seen.set(name, Math.max(copies, seen.get(name) ?? 0));
    return nodes.every((name) => now.has(name));
  }

  async function work(): Promise<boolean> {
    try {
      const isWhole = await look();
      if (fewest() < wanted) await raise();
      return isWhole;
    } catch (err) {
      log.info({ err }, "the copies of the streams are not known");
      return false;
    }
  }

  const later = (): void => {
    if (closed) return;
    timer = setTimeout(() => void work().finally(later), fewest() < wanted ? lackingLookMs : lookMs).unref();
  };

  const startedMs = performance.now();
  while ((await work()) && fewest() < wanted && performance.now() - startedMs < openingMaxMs)
    await new Promise((resolve) => setTimeout(resolve, openingLookMs));
  later();
  return {
    fewest,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
