/**
 * The load of a chaos round: two people write to a persisted room, two read it, an admin changes state, one person is revoked and goes on knocking.
 *
 * Invariant: it writes down what happened and judges nothing. Nothing is retried here beyond what the client library does by itself, but for
 * a message whose send was not confirmed, which is not sent again: it may be there or not.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { identityFromPhrase, newRecoveryPhrase, type AlthingClient, type RoomHandle } from "@althing/client";
import { hasCode, isAppError } from "@althing/contract";
import type { TestNode } from "@althing/testkit";
import { z } from "zod";
import { askAlone } from "./ask-alone.ts";
import { askNodes } from "./ask-nodes.ts";
import { clientOf, clientOfNode, insist, newPerson, type Crowd, type Person } from "./crowd.ts";
import { holdConnection, type HeldConnection } from "./held-connection.ts";
import { findLeaders } from "./find-leaders.ts";
import { refOf, textOf, type ActOutcome, type Duty, type History, type Sent, type Service } from "./history.ts";

export interface Load {
  /** These nodes are about to be harmed: who is connected there may be dropped, and all wait from now on. */
  harm(nodes: readonly TestNode[]): Promise<void>;
  /** Without a majority from now on, until the answer is called; that node alone is asked for everything meanwhile. */
  minority(node: TestNode): () => Promise<void>;
  /** Its messaging server stands still from now on, until the answer is called. */
  frozen(node: string): () => void;
  /** What an extension was called for in this community. */
  duties(duties: readonly Duty[]): void;
  /** In which announcements are posted. */
  readonly community: string;
  /** Revokes the person who is there for that; resolves when it was acknowledged. */
  revoke(): Promise<void>;
  /** Writes down that it was done. */
  pretendRevoked(): void;
  /** Messages confirmed so far. */
  readonly confirmed: number;
  /** The longest time between two confirmations so far, of any one writer. */
  readonly longestPauseMs: number;
  /** Readers that were told nothing any more from some moment on, and why. */
  readonly broken: readonly string[];
  /** Ends the load, waits for what is under way, and asks every node. Nodes must be up again. */
  finish(): Promise<History>;
  close(): Promise<void>;
}

export interface LoadOptions {
  readonly sendEveryMs?: number;
  readonly actEveryMs?: number;
  /** How long the end waits for sends under way, deliveries and nodes that catch up. */
  readonly settleMs?: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K] };

/** What is written down while it happens; the rest is asked for at the end. */
interface Notes extends Mutable<Omit<History, "sent" | "readers" | "views" | "states" | "chains">> {
  readonly sent: Map<string, Sent>;
  /** Why subscriptions of readers ended by themselves. */
  readonly broken: string[];
}

const emptyNotes = (): Notes => ({
  ...{ sent: new Map(), heard: [], acts: [], minorities: [], frozen: [], revocations: [], served: [], broken: [] },
  ...{ wanted: [], confirmations: [], harms: [], drops: [], duties: [] },
});

const healthWords = z.object({ status: z.string().optional(), reason: z.string().optional() });

/** A community pins two hundred at most. */
const announcementsMax = 300;

const until = async (isDone: () => boolean, deadlineMs: number): Promise<void> => {
  while (!isDone() && performance.now() < deadlineMs) await sleep(20);
};

/** Everybody connected, the room founded, the load running. */
export async function startLoad(crowd: Crowd, options: LoadOptions = {}): Promise<Load> {
  const clients: AlthingClient[] = [];
  try {
    return await startWith(crowd, options, clients);
  } catch (error) {
    await Promise.all(clients.map((client) => client.close().catch(() => undefined)));
    throw error;
  }
}

async function startWith(crowd: Crowd, options: LoadOptions, clients: AlthingClient[]): Promise<Load> {
  const { cluster } = crowd;
  const round = randomUUID().slice(0, 8);
  const notes = emptyNotes();
  const confirmed = (who: string, service: Service): void => void notes.confirmations.push({ who, service, atMs: performance.now() });
  const opened = (client: AlthingClient): AlthingClient => {
    clients.push(client);
    return client;
  };
  const admin = opened(clientOf(cluster, crowd.admin, 1));
  const victim = await newPerson(cluster, admin, `mallory-${round}`);
  const founded = await insist("the community", () =>
    admin.call("communities.create", { body: { name: `c-${randomUUID().slice(0, 12)}` } }),
  );
  const rooms = await openRooms(crowd, [...crowd.writers, ...crowd.readers, victim], `room-${round}`, opened);
  const writing = crowd.writers.flatMap(({ handle }) => rooms.get(handle) ?? []);
  for (const { handle } of crowd.readers) await listen(rooms.get(handle), handle, round, notes);
  const knocking = cluster.nodes.map((node) => ({ node: node.name, client: opened(clientOfNode(node, victim.identity)) }));
  const hold = async (clientFor: (node: TestNode) => AlthingClient): Promise<ReadonlyMap<string, HeldConnection>> => {
    const held = new Map<string, HeldConnection>();
    for (const node of cluster.nodes) {
      const client = clientFor(node);
      held.set(node.name, await insist(`a connection to ${node.name}`, () => holdConnection(node, client)));
    }
    return held;
  };
  const unwelcome = await hold(
    (node) => knocking.find((one) => one.node === node.name)?.client ?? opened(clientOfNode(node, victim.identity)),
  );
  // Somebody who may be there: whoever loses this connection was dropped, though nobody revoked anything.
  const welcome = await hold((node) => opened(clientOfNode(node, crowd.admin)));

  let isOver = false;
  let acts = 0;
  let longestPauseMs = 0;
  const pending = new Set<Promise<unknown>>();
  const track = (task: Promise<unknown>): void => {
    pending.add(task);
    void task.finally(() => pending.delete(task));
  };

  async function write(room: RoomHandle, sender: string): Promise<void> {
    let lastMs = performance.now();
    for (let n = 0; !isOver; n += 1) {
      const ref = { sender, n };
      notes.sent.set(`${sender}#${n}`, { ...ref, isAcknowledged: false });
      const send = room.send(textOf(ref, round)).then(
        () => {
          notes.sent.set(`${sender}#${n}`, { ...ref, isAcknowledged: true });
          longestPauseMs = Math.max(longestPauseMs, performance.now() - lastMs);
          lastMs = performance.now();
          confirmed(sender, "sends");
        },
        () => undefined,
      );
      track(send);
      await sleep(options.sendEveryMs ?? 25);
    }
  }

  async function noted(id: string, node: string | undefined, call: () => Promise<unknown>): Promise<ActOutcome> {
    const beganMs = performance.now();
    const outcome = await call().then(
      (): ActOutcome => "acknowledged",
      (error: unknown): ActOutcome => (isAppError(error) && error.status >= 400 && error.status < 500 ? outcomeOf(error) : "unknown"),
    );
    notes.acts.push({ id, node, beganMs, endedMs: performance.now(), outcome });
    return outcome;
  }

  async function addUser(client: AlthingClient, node?: string): Promise<ActOutcome> {
    const id = `u-${round}-${(acts += 1)}`;
    const { signPub } = await identityFromPhrase(newRecoveryPhrase());
    return noted(id, node, () => client.call("users.add", { body: { signPub, handle: id } }));
  }

  async function announce(): Promise<ActOutcome> {
    const id = `a-${round}-${(acts += 1)}`;
    return noted(id, undefined, () => admin.call("announcements.post", { params: { community: founded.id }, body: { text: id } }));
  }

  async function change(): Promise<void> {
    for (let n = 0; !isOver; n += 1) {
      const outcome = await (n % 2 === 0 || n > announcementsMax ? addUser(admin) : announce());
      if (outcome === "acknowledged") confirmed("admin", "changes");
      await sleep(options.actEveryMs ?? 150);
    }
  }

  async function knock({ node, client }: (typeof knocking)[number]): Promise<void> {
    while (!isOver) {
      const beganMs = performance.now();
      await client.me().then(
        () => notes.served.push({ who: victim.handle, node, what: "request", beganMs }),
        () => undefined,
      );
      await sleep(100);
    }
  }

  for (const [index, room] of writing.entries()) track(write(room, crowd.writers[index]?.handle ?? ""));
  track(change());
  for (const one of knocking) track(knock(one));
  for (const [node, one] of unwelcome)
    void one.ask((beganMs) => notes.served.push({ who: victim.handle, node, what: "connection", beganMs }));
  async function noteDrop(node: TestNode, held: HeldConnection): Promise<void> {
    await held.ended;
    if (isOver) return;
    const atMs = performance.now();
    // A fence, or a right that is gone: the node says the first, and admits the session again where it is not the second.
    const health = await fetch(`${node.url}/healthz`, { signal: AbortSignal.timeout(2_000) }).then((answer) => answer.json(), String);
    const { status, reason } = healthWords.catch({}).parse(health);
    const again = (await held.connectAgain()) ? "admitted again" : "not admitted again";
    notes.drops.push({ node: node.name, atMs, said: `${status ?? "no answer"} ${reason ?? ""}, ${again}` });
  }
  for (const node of cluster.nodes) {
    const one = welcome.get(node.name);
    if (one !== undefined) void noteDrop(node, one);
  }

  return {
    async harm(nodes) {
      const leaders = [...(await findLeaders(cluster.nodes))];
      const names = nodes.map(({ name }) => name);
      const led = leaders.flatMap(([stream, leader]) => (names.includes(leader) ? [stream] : []));
      notes.harms.push({ atMs: performance.now(), nodes: names, led });
    },
    minority(node) {
      const fromMs = performance.now();
      const held = welcome.get(node.name);
      if (held === undefined) throw new TypeError(`no node ${node.name}`);
      const write = (client: AlthingClient): Promise<ActOutcome> => addUser(client, node.name);
      const client = opened(clientOfNode(node, crowd.admin));
      const end = askAlone({ node, client, write, held, note: (wanted) => void notes.wanted.push(wanted) });
      return async () => {
        notes.minorities.push({ node: node.name, fromMs, untilMs: performance.now() });
        await end();
      };
    },
    frozen(node) {
      const fromMs = performance.now();
      return () => void notes.frozen.push({ node, fromMs, untilMs: performance.now() });
    },
    duties: (duties) => void notes.duties.push(...duties),
    community: founded.id,
    async revoke() {
      // One act, however often it is asked for: one that was done and not answered must not look refused.
      const idempotencyKey = randomUUID();
      await insist("the revocation", () =>
        admin.call("users.revoke", { params: { signPub: victim.identity.signPub } }, { idempotencyKey }),
      );
      notes.revocations.push({ who: victim.handle, acknowledgedMs: performance.now() });
    },
    pretendRevoked: () => void notes.revocations.push({ who: victim.handle, acknowledgedMs: performance.now() }),
    get confirmed() {
      return [...notes.sent.values()].filter(({ isAcknowledged }) => isAcknowledged).length;
    },
    get longestPauseMs() {
      return longestPauseMs;
    },
    broken: notes.broken,
    async finish() {
      isOver = true;
      const deadlineMs = performance.now() + (options.settleMs ?? 45_000);
      await until(() => pending.size === 0, deadlineMs);
      const readers = crowd.readers.map(({ handle }) => handle);
      const sent = [...notes.sent.values()];
      const isHeard = () => {
        const heard = new Set(notes.heard.map(({ reader, sender, n }) => `${reader} ${sender}#${n}`));
        return sent.every(
          ({ sender, n, isAcknowledged }) => !isAcknowledged || readers.every((reader) => heard.has(`${reader} ${sender}#${n}`)),
        );
      };
      await until(isHeard, deadlineMs);
      const asked = await askNodes(crowd, `room-${round}`, founded.id, round);
      return { ...asked, ...notes, sent, readers };
    },
    async close() {
      isOver = true;
      await Promise.all([...unwelcome.values(), ...welcome.values()].map((one) => one.close().catch(() => undefined)));
      await Promise.all(clients.map((client) => client.close().catch(() => undefined)));
    },
  };
}

/** A change that is refused because it is there already was done, by an attempt whose answer was lost. */
const outcomeOf = (error: unknown): ActOutcome =>
  hasCode(error, "user.exists", "user.handle_taken", "request.in_progress", "request.answer_lost") ? "unknown" : "refused";

/** The first of them founds the room and invites the others; each begins at another node. */
async function openRooms(
  { cluster }: Crowd,
  people: readonly Person[],
  name: string,
  opened: (client: AlthingClient) => AlthingClient,
): Promise<Map<string, RoomHandle>> {
  const rooms = new Map<string, RoomHandle>();
  let founder: RoomHandle | undefined;
  for (const [index, { handle, identity }] of people.entries()) {
    const client = opened(clientOf(cluster, identity, index % cluster.nodes.length));
    if (founder === undefined) {
      founder = await insist("the room", () => client.rooms.create({ name }));
      rooms.set(handle, founder);
      continue;
    }
    const owner = founder;
    await insist(`${handle} is invited`, async () => {
      await owner.invite(handle).catch((error: unknown) => {
        if (!hasCode(error, "room.already_member")) throw error;
      });
    });
    const room = await insist(`${handle} comes in`, async () => (await client.rooms.join(name)).room ?? client.rooms.open(name));
    rooms.set(handle, room);
  }
  return rooms;
}

async function listen(room: RoomHandle | undefined, reader: string, round: string, notes: Notes): Promise<void> {
  const subscription = await room?.subscribe((event) => {
    const ref = event.kind === "message" ? refOf(event.text, round) : undefined;
    if (ref === undefined) return;
    notes.heard.push({ reader, ...ref });
    notes.confirmations.push({ who: reader, service: "hears", atMs: performance.now() });
  });
  subscription?.done.catch((error: unknown) => notes.broken.push(`${reader}: ${String(error)}`));
}
