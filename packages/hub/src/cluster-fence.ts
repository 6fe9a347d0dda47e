/**
 * May this node serve? What the hubs of a cluster tell each other, and what follows from it; no clock, no network.
 *
 * Invariant: a node serves only while it hears a majority of hubs, itself included, and knows of everything the others know of, each with a delay of
 * at most `fenceTimes`. A clock that most others contradict fences too: by it this node would end what is not over, for all. A beat counts when it answers a beat of ours that was sent a moment ago: what lay in a buffer while somebody stood still
 * proves nothing, and says so by the number it answers. Times are this process's own; of others only the clock's time of day is looked at.
 * See docs/architecture/cluster.md, "The fence".
 */
import { z } from "zod";

export const fenceTimes = {
  beatMs: 100,
  /** A hub that was not heard for so long is not there. */
  silenceMs: 1_500,
  /** How old our beat may be that theirs answers. */
  proofMs: 1_500,
  /** How long others may know more than this node. */
  behindMs: 1_500,
  /** How far two nodes' clocks may be apart, with what a beat takes on its way. */
  clockMs: 5_000,
} as const;

const livesKept = 32;
const whole = z.int().nonnegative();
const nameSchema = z.string().min(1).max(32);
const markSchema = z.object({ boot: z.string().min(1).max(64), sequence: whole });

/** What a hub says of itself ten times a second, and when there is something new. */
export const clusterBeatSchema = markSchema.extend({
  node: nameSchema,
  /** Up to here it knows of everything that was written. */
  revision: whole,
  /** Up to here its messaging server acts on it. */
  inForce: whole,
  /** What its clock says, milliseconds since 1970. */
  clockMs: whole,
  /** The last beat of each other hub that it has read. */
  answers: z.record(nameSchema, markSchema),
});
export type ClusterBeat = z.infer<typeof clusterBeatSchema>;

export interface ClusterView {
  readonly isOpen: boolean;
  /** Why not; empty when open. */
  readonly reason: string;
  readonly size: number;
  /** Hubs heard, this one included. */
  readonly heard: number;
  readonly hasQuorum: boolean;
  /** Do most hubs heard agree with this one's clock? Where not, nothing is to be ended for its age. */
  readonly isClockSure: boolean;
  /** Names of those not heard. */
  readonly missing: readonly string[];
}

export interface PeerView {
  readonly node: string;
  readonly isHeard: boolean;
  readonly revision: number;
  readonly inForce: number;
}

/** What a beat says of its sender beside its name. */
export type OwnState = Pick<ClusterBeat, "revision" | "inForce" | "clockMs">;

export interface ClusterFence {
  /** The next beat of this node. */
  beat(nowMs: number, own: OwnState): ClusterBeat;
  heard(beat: ClusterBeat, nowMs: number): void;
  /** @param clockMs what this node's clock says now */
  look(nowMs: number, revision: number, clockMs: number): ClusterView;
  /** The other nodes. */
  peers(nowMs: number): readonly PeerView[];
  /** For how long another node was not heard, `Infinity` when it never was; `undefined` for who is no other node. */
  silentMs(node: string, nowMs: number): number | undefined;
  /** Was another life of this node heard after this one? Of what was never heard nothing is known. */
  hasSuccessor(node: string, boot: string): boolean;
  /** The highest revision that a hub has told of. */
  highest(): number;
}

export interface ClusterFenceOptions {
  readonly self: string;
  /** All names, own included. */
  readonly nodes: readonly string[];
  readonly majority: number;
  /** Of this process alone. */
  readonly boot: string;
}

interface Peer {
  /** Its last beat, whether or not it counted. */
  read: { readonly boot: string; readonly sequence: number } | undefined;
  /** When a beat last counted. */
  heardMs: number;
  /** Lives that another followed. */
  readonly ended: Set<string>;
  /** What its clock said then. */
  clockMs: number;
  revision: number;
  inForce: number;
}

export function createClusterFence({ self, nodes, majority, boot }: ClusterFenceOptions): ClusterFence {
  const peers = new Map<string, Peer>(
    nodes
      .filter((node) => node !== self)
      .map((node) => [node, { read: undefined, heardMs: -Infinity, ended: new Set(), clockMs: 0, revision: 0, inForce: 0 }]),
  );
  /** When our beats went out, by number; as many as can still be answered in time. */
  const sent = new Map<number, number>();
  let sequence = 0;
  let highest = 0;
  /** What others knew of and this node did not, and since when. */
  let behind: { readonly revision: number; readonly sinceMs: number } | undefined;

  const isHeard = (peer: Peer, nowMs: number) => nowMs - peer.heardMs <= fenceTimes.silenceMs;

  function lookBehind(nowMs: number, revision: number): void {
    if (behind !== undefined && revision < behind.revision) return;
    behind = revision < highest ? { revision: highest, sinceMs: nowMs } : undefined;
  }

  /** By how much this node's clock is ahead of each one that was heard, where it is too much. */
  function clocksApart(nowMs: number, clockMs: number): number[] {
    const heard = [...peers.values()].filter((peer) => isHeard(peer, nowMs));
    return heard.map((peer) => clockMs - (peer.clockMs + nowMs - peer.heardMs)).filter((aheadMs) => Math.abs(aheadMs) > fenceTimes.clockMs);
  }

  return {
    beat(nowMs, own) {
      sequence++;
      sent.set(sequence, nowMs);
      for (const [number, atMs] of sent) {
        if (nowMs - atMs <= fenceTimes.proofMs) break;
        sent.delete(number);
      }
      const answers: Record<string, { boot: string; sequence: number }> = {};
      for (const [node, { read }] of peers) if (read !== undefined) answers[node] = read;
      return { node: self, boot, sequence, ...own, answers };
    },

    heard(beat, nowMs) {
      const peer = peers.get(beat.node);
      if (peer === undefined) return;
      // Of one life only what is newer than the last: a beat that comes again says nothing.
      if (peer.read?.boot === beat.boot && beat.sequence <= peer.read.sequence) return;
      if (peer.ended.has(beat.boot)) return;
      if (peer.read !== undefined && peer.read.boot !== beat.boot) keepLast(peer.ended, peer.read.boot);
      peer.read = { boot: beat.boot, sequence: beat.sequence };
      const answered = beat.answers[self];
      const sentMs = answered?.boot === boot ? sent.get(answered.sequence) : undefined;
      if (sentMs === undefined || nowMs - sentMs > fenceTimes.proofMs) return;
      peer.heardMs = nowMs;
      peer.clockMs = beat.clockMs;
      peer.revision = beat.revision;
      peer.inForce = beat.inForce;
      highest = Math.max(highest, beat.revision);
    },

    look(nowMs, revision, clockMs) {
      lookBehind(nowMs, revision);
      const missing = [...peers].filter(([, peer]) => !isHeard(peer, nowMs)).map(([node]) => node);
      const heard = nodes.length - missing.length;
      const hasQuorum = heard >= majority;
      const isBehind = behind !== undefined && nowMs - behind.sinceMs > fenceTimes.behindMs;
      const apart = clocksApart(nowMs, clockMs);
      // Of two that contradict each other nobody can say who is right: both serve, and neither ends anything.
      const isClockWrong = apart.length * 2 > heard;
      const isClockSure = apart.length * 2 < heard;
      let reason = "";
      if (!hasQuorum)
        reason = `${heard} of ${nodes.length} nodes heard, ${majority} are needed; ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} silent`;
      else if (isBehind) reason = `this node is behind the others: at ${revision}, they are at ${highest}`;
      else if (isClockWrong) reason = `this node's clock is ${clockText(apart)} the others'`;
      return { isOpen: reason === "", reason, size: nodes.length, heard, hasQuorum, isClockSure, missing };
    },

    peers: (nowMs) =>
      [...peers].map(([node, peer]) => ({ node, isHeard: isHeard(peer, nowMs), revision: peer.revision, inForce: peer.inForce })),
    silentMs(node, nowMs) {
      const peer = peers.get(node);
      return peer === undefined ? undefined : nowMs - peer.heardMs;
    },
    hasSuccessor: (node, itsBoot) => peers.get(node)?.ended.has(itsBoot) === true,
    highest: () => highest,
  };
}

/** A node that begins again and again is not remembered for ever. */
function keepLast(ended: Set<string>, boot: string): void {
  ended.add(boot);
  for (const first of ended) {
    if (ended.size <= livesKept) break;
    ended.delete(first);
  }
}

/** Of the smallest difference, in two figures: the same words from look to look. */
function clockText(apart: readonly number[]): string {
  const [least = 0] = apart.toSorted((a, b) => Math.abs(a) - Math.abs(b));
  return `about ${Number((Math.abs(least) / 1_000).toPrecision(2))} s ${least > 0 ? "ahead of" : "behind"}`;
}
