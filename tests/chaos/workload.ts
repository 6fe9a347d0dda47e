/**
 * The load of a chaos round: two people write to a persisted room, two read it, an admin changes state, one person is revoked and goes on knocking.
 *
 * Invariant: it writes down what happened and judges nothing. Nothing is retried here beyond what the client library does by itself, but for
 * a message whose send was not confirmed, which is not sent again: it may be there or not.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { exportEvents, identityFromPhrase, newRecoveryPhrase, verifyChain, type AlthingClient, type RoomHandle } from "@althing/client";
import { hasCode, isAppError, type RouteResponse, type SignPub } from "@althing/contract";
import { clientOf, clientOfNode, insist, newPerson, type Crowd, type Person } from "./crowd.ts";
import { holdConnection, type HeldConnection } from "./held-connection.ts";
import type {
  Act,
  ActOutcome,
  ChainView,
  Heard,
  History,
  MessageRef,
  Minority,
  NodeView,
  Revocation,
  Sent,
  Served,
  Span,
  StateView,
} from "./history.ts";

export interface Load {
  /** Without a majority from now on, until the answer is called. */
  minority(node: string): () => void;
  /** Its messaging server stands still from now on, until the answer is called. */
  frozen(node: string): () => void;
  /** Asks this node alone for a change of state, once. */
  actAt(node: string): Promise<ActOutcome>;
  /** Revokes the person who is there for that; resolves when it was acknowledged. */
  revoke(): Promise<void>;
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

interface Notes {
  readonly sent: Map<string, Sent>;
  readonly heard: Heard[];
  readonly acts: Act[];
  readonly minorities: Minority[];
  readonly frozen: Span[];
  readonly revocations: Revocation[];
  readonly served: Served[];
  /** Why subscriptions of readers ended by themselves. */
  readonly broken: string[];
}

/** A community pins two hundred at most. */
const announcementsMax = 300;

const textOf = ({ sender, n }: MessageRef, round: string): string => `${round} ${sender} ${n}`;
function refOf(text: string | undefined, round: string): MessageRef | undefined {
  const [word, sender, n] = (text ?? "").split(" ");
  return word === round && sender !== undefined ? { sender, n: Number(n) } : undefined;
}
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
  const notes: Notes = { sent: new Map(), heard: [], acts: [], minorities: [], frozen: [], revocations: [], served: [], broken: [] };
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
  const held: HeldConnection[] = [];
  for (const [index, { client }] of knocking.entries()) {
    const node = cluster.nodes[index];
    if (node !== undefined) held.push(await insist(`a connection to ${node.name}`, () => holdConnection(node, client)));
  }

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
      await (n % 2 === 0 || n > announcementsMax ? addUser(admin) : announce());
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
  for (const [index, one] of held.entries()) {
    const node = cluster.nodes[index]?.name ?? "";
    void one.ask((beganMs) => notes.served.push({ who: victim.handle, node, what: "connection", beganMs }));
  }

  return {
    minority(node) {
      const fromMs = performance.now();
      return () => void notes.minorities.push({ node, fromMs, untilMs: performance.now() });
    },
    frozen(node) {
      const fromMs = performance.now();
      return () => void notes.frozen.push({ node, fromMs, untilMs: performance.now() });
    },
    async actAt(name) {
      const client = clientOfNode(cluster.node(name), crowd.admin);
      try {
        return await addUser(client, name);
      } finally {
        await client.close();
      }
    },
    async revoke() {
      // One act, however often it is asked for: one that was done and not answered must not look refused.
      const idempotencyKey = randomUUID();
      await insist("the revocation", () =>
        admin.call("users.revoke", { params: { signPub: victim.identity.signPub } }, { idempotencyKey }),
      );
      notes.revocations.push({ who: victim.handle, acknowledgedMs: performance.now() });
    },
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
      await Promise.all(held.map((one) => one.close().catch(() => undefined)));
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
    if (ref !== undefined) notes.heard.push({ reader, ...ref });
  });
  subscription?.done.catch((error: unknown) => notes.broken.push(`${reader}: ${String(error)}`));
}

/** What each node says for itself, when all is over. */
async function askNodes(
  { cluster, admin, readers }: Crowd,
  roomName: string,
  community: string,
  round: string,
): Promise<Pick<History, "views" | "states" | "chains">> {
  const views: NodeView[] = [];
  const states: StateView[] = [];
  const chains: ChainView[] = [];
  const [reader] = readers;
  for (const node of cluster.nodes) {
    const asReader = clientOfNode(node, reader?.identity ?? admin);
    const asAdmin = clientOfNode(node, admin);
    try {
      views.push({ node: node.name, messages: await insist(`history on ${node.name}`, () => wholeHistory(asReader, roomName, round)) });
      states.push({ node: node.name, acts: await insist(`state on ${node.name}`, () => actsOf(asAdmin, community, round)) });
      const verdict = await insist(`events on ${node.name}`, () => verifyChain(exportEvents(asAdmin, community)));
      const fault = verdict.fault === undefined ? undefined : `event ${verdict.fault.index}: ${verdict.fault.fault}`;
      chains.push({ node: node.name, events: verdict.events, head: verdict.head, fault });
    } finally {
      await Promise.all([asReader.close(), asAdmin.close()]);
    }
  }
  return { views, states, chains };
}

async function wholeHistory(client: AlthingClient, name: string, round: string): Promise<MessageRef[]> {
  const room = await client.rooms.open(name);
  const found: MessageRef[] = [];
  for (let after = 0; ;) {
    const events = await room.history({ after, limit: 1_000 });
    for (const event of events) {
      const ref = event.kind === "message" ? refOf(event.text, round) : undefined;
      if (ref !== undefined) found.push(ref);
    }
    const highest = Math.max(after, ...events.map((event) => ("seq" in event ? (event.seq ?? 0) : 0)));
    if (highest === after) return found;
    after = highest;
  }
}

/** Of this round: handles of users, texts of announcements. */
async function actsOf(client: AlthingClient, community: string, round: string): Promise<string[]> {
  const found: string[] = [];
  for (let after: SignPub | undefined; ;) {
    const query = { limit: 100, ...(after === undefined ? {} : { after }) };
    const page: RouteResponse<"users.list"> = await client.call("users.list", { query });
    found.push(...page.users.map(({ handle }) => handle));
    if (page.next === undefined) break;
    after = page.next;
  }
  for (let before: string | undefined; ;) {
    const query = { limit: 50, ...(before === undefined ? {} : { before }) };
    const page: RouteResponse<"announcements.list"> = await client.call("announcements.list", { params: { community }, query });
    found.push(...page.announcements.map(({ text }) => text));
    if (page.next === undefined) break;
    before = page.next;
  }
  return found.filter((id) => id.startsWith(`u-${round}-`) || id.startsWith(`a-${round}-`));
}
