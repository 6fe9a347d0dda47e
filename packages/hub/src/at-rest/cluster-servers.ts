/**
 * What each messaging server of a cluster says of its own copies, and what follows of it for the one that is to be emptied or has come back empty.
 *
 * Invariant: a server is asked for itself, and of a stream only its leader's word counts; whoever does not answer holds nothing. The judgements are pure. They name
 * what is missing, so that a person can see whether to wait.
 */
import { randomBytes } from "node:crypto";
import type { BusConnection } from "@althing/bus";
import { AppError } from "@althing/contract";
import { z } from "zod";

const peerSchema = z.object({
  name: z.string(),
  current: z.boolean(),
  offline: z.boolean().optional(),
  lag: z.int().optional(),
});
const groupSchema = z.object({ leader: z.string().optional(), replicas: z.array(peerSchema).nullish() });
const stateSchema = z.object({
  messages: z.int(),
  bytes: z.int(),
  first_seq: z.int(),
  last_seq: z.int(),
  num_subjects: z.int().optional(),
  num_deleted: z.int().optional(),
});
const streamSchema = z.object({ name: z.string(), state: stateSchema, cluster: groupSchema.optional() });
const reportSchema = z.object({
  server: z.object({ name: z.string() }),
  data: z.object({
    disabled: z.boolean().optional(),
    meta_cluster: groupSchema.optional(),
    account_details: z.array(z.object({ stream_detail: z.array(streamSchema).nullish() })).nullish(),
  }),
});

type Peer = z.infer<typeof peerSchema>;
type Group = z.infer<typeof groupSchema>;
export type StreamState = z.infer<typeof stateSchema>;

/** Of one server. */
export interface ServerReport {
  readonly meta: Group | undefined;
  readonly streams: ReadonlyMap<string, { readonly state: StreamState; readonly group: Group }>;
}
/** By name of the server. */
export type ServerReports = ReadonlyMap<string, ServerReport>;

/**
 * Asks all servers at once and waits until those named have answered, or for `waitMs`.
 * @throws {nats.unavailable} a report cannot be read, or the system account is not ours
 */
export async function askServers(
  { system }: Pick<BusConnection, "system">,
  names: readonly string[],
  waitMs: number,
): Promise<ServerReports> {
  if (system === undefined) throw new AppError("nats.unavailable", { detail: "the servers tell nobody of their copies" });
  const reports = new Map<string, ServerReport>();
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const faults: unknown[] = [];
  const inbox = `_INBOX.hub.${randomBytes(16).toString("hex")}`;
  const answers = system.subscribe(inbox, {
    callback: (error, message) => {
      try {
        if (error !== null) throw error;
        const { server, data } = reportSchema.parse(message.json());
        // A server without JetStream holds nothing.
        if (data.disabled === true) return;
        const streams = (data.account_details ?? []).flatMap(({ stream_detail: found }) => found ?? []);
        const byName = streams.map(({ name, state, cluster }) => [name, { state, group: cluster ?? {} }] as const);
        reports.set(server.name, { meta: data.meta_cluster, streams: new Map(byName) });
      } catch (cause) {
        faults.push(cause);
      }
      if (faults.length > 0 || names.every((name) => reports.has(name))) resolve();
    },
  });
  const timer = setTimeout(resolve, waitMs);
  try {
    system.publish("$SYS.REQ.SERVER.PING.JSZ", JSON.stringify({ accounts: true, streams: true }), { reply: inbox });
    await all;
  } finally {
    clearTimeout(timer);
    answers.unsubscribe();
  }
  const [cause] = faults;
  if (cause !== undefined) throw new AppError("nats.unavailable", { detail: "a server's report on its copies cannot be read" }, { cause });
  return reports;
}

const holdsAll = ({ current, offline, lag }: Peer): boolean => current && offline !== true && (lag ?? 0) === 0;

/** As the server says that leads the stream. */
export function leaderOf(reports: ServerReports, stream: string) {
  for (const [name, { streams }] of reports) {
    const found = streams.get(stream);
    if (found?.group.leader === name) return { name, ...found, replicas: found.group.replicas ?? [] };
  }
  return undefined;
}

/**
 * Has this server itself all that the stream's leader had at the look before? A leader takes a copy for current whose log is, while its messages still come.
 * @param before an earlier look
 */
function hasMessages(reports: ServerReports, before: ServerReports, stream: string, server: string): boolean {
  const due = leaderOf(before, stream)?.state.last_seq ?? Infinity;
  return (reports.get(server)?.streams.get(stream)?.state.last_seq ?? -1) >= due;
}

export function streamNames(reports: ServerReports): string[] {
  return [...new Set([...reports.values()].flatMap(({ streams }) => [...streams.keys()]))].toSorted();
}

export interface TwoLooks {
  readonly before: ServerReports;
  readonly now: ServerReports;
}

/**
 * May node `self`, which is down, lose its copies? Every other node must answer and hold everything that it is to hold, by its stream's leader's word and by its own, and of each
 * stream that must be a majority of its copies.
 * @returns why not
 */
export function lackingWithout({ before, now: reports }: TwoLooks, self: string, nodes: readonly string[]): string | undefined {
  const silent = nodes.filter((name) => name !== self && !reports.has(name));
  if (silent.length > 0) return `${silent.join(", ")} does not answer`;
  const others = new Map([...reports].filter(([name]) => name !== self && nodes.includes(name)));
  const meta = [...others].find(([name, report]) => report.meta?.leader === name)?.[1].meta;
  if (meta === undefined) return "the messaging servers have no leader";
  const late = (meta.replicas ?? []).find((peer) => peer.name !== self && !holdsAll(peer));
  if (late !== undefined) return `${late.name} does not know of all streams yet`;
  const names = streamNames(others);
  if (names.length === 0) return "the other nodes have no streams";
  for (const name of names) {
    const leader = leaderOf(others, name);
    if (leader === undefined) return `stream ${name} has no leader among the other nodes`;
    const isWhole = (peer: Peer) => holdsAll(peer) && hasMessages(reports, before, name, peer.name);
    const behind = leader.replicas.find((peer) => peer.name !== self && !isWhole(peer));
    if (behind !== undefined) return `${behind.name} has not caught up on stream ${name}`;
    const copies = leader.replicas.length + 1;
    const held = copies - leader.replicas.filter((peer) => peer.name === self).length;
    if (held < Math.floor(copies / 2) + 1) return `stream ${name} would be kept by ${held} of ${copies} nodes`;
  }
  return undefined;
}

/**
 * Of each stream how many servers have all that its leader had at the look before; a stream that nobody leads now has no entry that counts.
 * @param before an earlier look; a stream that is not in it has its leader's copy
 */
export function wholeCopies(before: ServerReports, now: ServerReports): ReadonlyMap<string, number> {
  const counts = streamNames(now).map((stream) => {
    const leader = leaderOf(now, stream);
    if (leader === undefined) return [stream, 0] as const;
    const others = leader.replicas.filter(({ name }) => hasMessages(now, before, stream, name));
    return [stream, others.length + 1] as const;
  });
  return new Map(counts);
}

export interface CopyOfNode {
  readonly stream: string;
  /** Of this node. */
  readonly own: StreamState | undefined;
  /** Of the node that leads. */
  readonly leading: StreamState;
  /** The leader takes the copy for complete; it may be the leader's own. */
  readonly isCurrent: boolean;
  readonly isEqual: boolean;
  /** Another node that has all of it; absent while none is up. */
  readonly other: string | undefined;
}

/** The copies that node `self` is to hold. @returns a text while not all is known */
export function copiesOn(reports: ServerReports, self: string, nodes: readonly string[]): string | readonly CopyOfNode[] {
  const silent = nodes.filter((name) => !reports.has(name));
  if (silent.length > 0) return `${silent.join(", ")} does not answer`;
  const copies: CopyOfNode[] = [];
  for (const stream of streamNames(reports)) {
    const leader = leaderOf(reports, stream);
    if (leader === undefined) return `stream ${stream} has no leader`;
    const peer = leader.replicas.find(({ name }) => name === self);
    if (leader.name !== self && peer === undefined) continue;
    const own = reports.get(self)?.streams.get(stream)?.state;
    const other = leader.name === self ? leader.replicas.find(holdsAll)?.name : leader.name;
    const isCurrent = own !== undefined && (peer === undefined || holdsAll(peer));
    copies.push({ stream, own, leading: leader.state, isCurrent, isEqual: own !== undefined && sameState(own, leader.state), other });
  }
  return copies;
}

function sameState(one: StreamState, two: StreamState): boolean {
  const fields = ["messages", "bytes", "first_seq", "last_seq", "num_subjects", "num_deleted"] as const;
  return fields.every((field) => (one[field] ?? 0) === (two[field] ?? 0));
}
