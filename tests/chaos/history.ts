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

export const textOf = ({ sender, n }: MessageRef, round: string): string => `${round} ${sender} ${n}`;

/** @returns undefined for a text of another round, or of nobody */
export function refOf(text: string | undefined, round: string): MessageRef | undefined {
  const [word, sender, n] = (text ?? "").split(" ");
  return word === round && sender !== undefined ? { sender, n: Number(n) } : undefined;
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

/** What somebody may want of a node: its public interface, its messaging server, and its word on itself. */
export const wishes = ["read", "write", "connect", "publish", "health"] as const;
export type Wish = (typeof wishes)[number];

/** Something that was wanted of a node while it could not reach a majority. */
export interface Wanted {
  readonly node: string;
  readonly what: Wish;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly isServed: boolean;
  /** What the node said of itself, of `health`. */
  readonly said?: string | undefined;
}

export type Service = "sends" | "hears" | "changes";

/** Somebody got what the cluster is there for: a send or a change was confirmed, a message was delivered. */
export interface Confirmation {
  readonly who: string;
  readonly service: Service;
  readonly atMs: number;
}

/** The moment in which nodes were harmed, and what their messaging servers led then. */
export interface Harm {
  readonly atMs: number;
  readonly nodes: readonly string[];
  readonly led: readonly string[];
}

/** What an extension ought to have been called for, and how often it was. */
export interface Duty {
  readonly kind: "event" | "slot";
  readonly id: string;
  readonly done: number;
  /** The instance itself says that it did not do it, or does not know whether it did. */
  readonly isAccountedFor: boolean;
}

/** A node's messaging server ended the connection of somebody who may be there. */
export interface Drop {
  readonly node: string;
  readonly atMs: number;
  /** What the node said of itself right afterwards. */
  readonly said?: string | undefined;
}

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
  readonly wanted: readonly Wanted[];
  readonly confirmations: readonly Confirmation[];
  readonly harms: readonly Harm[];
  readonly drops: readonly Drop[];
  readonly duties: readonly Duty[];
}

export const emptyHistory: History = {
  ...{ sent: [], heard: [], readers: [], views: [], acts: [], states: [] },
  ...{ minorities: [], frozen: [], revocations: [], served: [], chains: [] },
  ...{ wanted: [], confirmations: [], harms: [], drops: [], duties: [] },
};
