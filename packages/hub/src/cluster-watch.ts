/**
 * The hubs of a cluster hearing each other: beats on the messaging plane, and what `cluster-fence.ts` makes of them, looked at twenty times a second.
 *
 * Invariant: beats are core messages of the hubs' own account, so they reach exactly as far as the servers' routes do, and nobody else can send one. The
 * listener is told of each change of the answer, in order. What cannot be read is no beat.
 * See docs/architecture/cluster.md, "What nodes tell each other".
 */
import { randomBytes } from "node:crypto";
import type { BusConnection, BusPeers } from "@althing/bus";
import { AppError, subjects, type Cluster } from "@althing/contract";
import { clusterBeatSchema, createClusterFence, fenceTimes, type ClusterBeat, type ClusterView, type PeerView } from "./cluster-fence.ts";

const lookMs = 50;
/** Between two beats, however much there is to tell. */
const beatGapMs = 40;
/** How long a change may be in coming to all nodes. */
const inForceMaxMs = 5_000;
/** After this long a node that is not heard has fenced itself, or knows what the others know. */
const sureMs = 2 * fenceTimes.silenceMs + fenceTimes.behindMs / 2;
const pollMs = 20;
/** After five beats that did not come an answer waits no longer for that node: it says that it is not current there. */
const stillMs = 5 * fenceTimes.beatMs;

export interface ClusterSources {
  readonly position: () => number;
  readonly inForce: () => number;
  /** Others know of more. */
  readonly heardOf: (revision: number) => void;
}

/**
 * Of a life of another node: it is `over` when a later one was heard, or nothing for so long that it serves nobody any more; it is `silent` when five beats did
 * not come: it has probably died, and may as well be slow.
 */
export type PeerLife = "here" | "silent" | "over";

export interface ClusterWatch {
  view(): ClusterView;
  /** Given when the state is open; before that this node knows of nothing. */
  setSources(sources: ClusterSources): void;
  /** Told of each change of `isOpen` and of the reason. */
  onChange(listener: (view: ClusterView) => void): void;
  readonly peers: BusPeers;
  /** This life of this node, as its beats name it. */
  readonly boot: string;
  /** What is known of a life of another node; only the side that has a majority knows anything. */
  lifeOf(node: string, boot: string | undefined): PeerLife;
  close(): void;
}

export interface ClusterWatchOptions {
  readonly cluster: Cluster;
  readonly account: BusConnection["account"];
  /** Milliseconds from any start; never set back. */
  readonly monotonicMs: () => number;
  /** The clock, milliseconds since 1970. */
  readonly nowMs: () => number;
}

const nothing: ClusterSources = { position: () => 0, inForce: () => 0, heardOf: () => undefined };

export function openClusterWatch({ cluster, account, monotonicMs, nowMs }: ClusterWatchOptions): ClusterWatch {
  const boot = randomBytes(12).toString("base64url");
  const fence = createClusterFence({
    self: cluster.self.name,
    nodes: cluster.nodes.map(({ name }) => name),
    majority: cluster.majority,
    boot,
  });
  let sources = nothing;
  let listener: (view: ClusterView) => void = () => undefined;
  let last = fence.look(monotonicMs(), 0, nowMs());
  let beatMs = -Infinity;
  let soon: NodeJS.Timeout | undefined;
  let closed = false;
  const openedMs = monotonicMs();

  function beat(): void {
    clearTimeout(soon);
    soon = undefined;
    if (closed || account.isClosed()) return;
    beatMs = monotonicMs();
    const own = fence.beat(beatMs, { revision: sources.position(), inForce: sources.inForce(), clockMs: nowMs() });
    account.publish(subjects.hubBeat, JSON.stringify(own));
  }

  function beatSoon(): void {
    if (soon !== undefined || closed) return;
    const waitMs = Math.max(0, beatMs + beatGapMs - monotonicMs());
    soon = setTimeout(beat, waitMs).unref();
  }

  function look(): void {
    const view = fence.look(monotonicMs(), sources.position(), nowMs());
    if (fence.highest() > sources.position()) sources.heardOf(fence.highest());
    const isNew = view.isOpen !== last.isOpen || view.reason !== last.reason;
    last = view;
    if (isNew) listener(view);
  }

  const subscription = account.subscribe(subjects.hubBeat, {
    callback: (error, message) => {
      const read = error === null ? readBeat(message.string()) : undefined;
      if (read === undefined || closed) return;
      fence.heard(read, monotonicMs());
      look();
    },
  });
  const timers = [setInterval(beat, fenceTimes.beatMs).unref(), setInterval(look, lookMs).unref()];
  beat();

  const lacking = (revision: number) => fence.peers(monotonicMs()).filter((peer) => !peer.isHeard || peer.inForce < revision);

  async function until(isDone: () => boolean, waitMs: number): Promise<boolean> {
    const startedMs = monotonicMs();
    while (!isDone()) {
      if (closed || monotonicMs() - startedMs > waitMs) return false;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    return true;
  }

  return {
    view: () => last,
    setSources(given) {
      sources = given;
      beatSoon();
    },
    onChange(given) {
      listener = given;
    },
    peers: {
      async current(revision, waitMs) {
        // Neither who is silent is waited for, nor who has just begun and will read everything before it admits anybody.
        const isAway = ({ node, inForce }: PeerView) => inForce === 0 || (fence.silentMs(node, monotonicMs()) ?? Infinity) > stillMs;
        await until(() => lacking(revision).every(isAway), waitMs);
        const of = cluster.size - 1;
        return { current: of - lacking(revision).length, of };
      },
      async haveInForce(revision) {
        const startedMs = monotonicMs();
        const isSure = () => monotonicMs() - startedMs > sureMs;
        const isDone = await until(() => lacking(revision).every((peer) => !peer.isHeard && isSure()), inForceMaxMs);
        if (!isDone) throw new AppError("nats.unavailable", { detail: "another node does not have it in force yet" });
      },
      onProgress: beatSoon,
      isClockSure() {
        look();
        return last.isClockSure;
      },
    },
    boot,
    lifeOf(node, itsBoot) {
      const nowMs = monotonicMs();
      const silentMs = fence.silentMs(node, nowMs);
      if (!last.hasQuorum || silentMs === undefined) return "here";
      if (itsBoot !== undefined && fence.hasSuccessor(node, itsBoot)) return "over";
      // Who was never heard is silent for as long as somebody listened.
      const knownMs = Math.min(silentMs, nowMs - openedMs);
      return knownMs > sureMs ? "over" : knownMs > stillMs ? "silent" : "here";
    },
    close() {
      closed = true;
      for (const timer of timers) clearInterval(timer);
      clearTimeout(soon);
      subscription.unsubscribe();
    },
  };
}

function readBeat(text: string): ClusterBeat | undefined {
  try {
    return clusterBeatSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
