/**
 * What a chaos round knows: what was sent, heard and done, and what each node says afterwards.
 *
 * Invariant: only facts. Whoever writes them down judges nothing, and whoever judges (check-history.ts) sees nothing else; so the judge can be
 * tried on histories that are wrong on purpose. Times are milliseconds of one clock, `performance.now()` of the process that writes.
 */

/** A message of a workload: the n-th of its sender in its room, from 0. */
export interface MessageRef {
  readonly sender: string;
  readonly n: number;
}

export interface Sent extends MessageRef {
  /** Its send was confirmed. */
  readonly isAcknowledged: boolean;
}

/** One delivery to an application, in the order in which they came. */
export interface Heard extends MessageRef {
  readonly reader: string;
}

/** The room's history as one node gives it. */
export interface NodeView {
  readonly node: string;
  readonly messages: readonly MessageRef[];
}

export type ActOutcome = "acknowledged" | "refused" | "unknown";

/** A change of state under a name of its own. */
export interface Act {
  readonly id: string;
  /** Where it was asked for, when it was one node alone. */
  readonly node?: string | undefined;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly outcome: ActOutcome;
}

/** The changes that one node shows, each as often as it shows it. */
export interface StateView {
  readonly node: string;
  readonly acts: readonly string[];
}

export interface Span {
  readonly node: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A time during which a node could not reach a majority. */
export type Minority = Span;

export interface Revocation {
  readonly who: string;
  readonly acknowledgedMs: number;
}

/** Something that was done for somebody. */
export interface Served {
  readonly who: string;
  readonly node: string;
  /** A request is decided when it comes; a connection may take its time to be closed. */
  readonly what: "request" | "connection";
  readonly beganMs: number;
}

/** A community's public log as one node exports it. */
export interface ChainView {
  readonly node: string;
  readonly events: number;
  readonly head: string;
  readonly fault?: string | undefined;
}

export interface History {
  readonly sent: readonly Sent[];
  readonly heard: readonly Heard[];
  /** Who listened from the beginning to the end. */
  readonly readers: readonly string[];
  readonly views: readonly NodeView[];
  readonly acts: readonly Act[];
  readonly states: readonly StateView[];
  readonly minorities: readonly Minority[];
  /** Times during which a node's messaging server stood still: when it wakes it answers what had come, before anything could tell it better. */
  readonly frozen: readonly Span[];
  readonly revocations: readonly Revocation[];
  readonly served: readonly Served[];
  readonly chains: readonly ChainView[];
}

export const emptyHistory: History = {
  ...{ sent: [], heard: [], readers: [], views: [], acts: [], states: [] },
  ...{ minorities: [], frozen: [], revocations: [], served: [], chains: [] },
};
