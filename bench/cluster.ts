/**
 * Three nodes against one: what acknowledging on a majority costs, and how long losses and starts last.
 *
 * The single node keeps its records in a messaging server as the cluster's do, with the same fsync; both run on this machine and take turns round by round.
 * Three nodes do three times the work of one on the same cores, which three machines would not, so beside each rate stands the processor time
 * of the whole instance per write or message: where the rate's share and the inverse of that time's agree, the processor is what was
 * measured. Losses are SIGKILL to all of a node; a client's pause is the longest time between two confirmations after it. `--quick`: fewer rounds, judges
 * nothing. Prints one table with the limit beside each figure and one line of JSON; exits 1 when a limit is missed.
 */
import { fork, type ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectBus, openCollections, type NkeySeed } from "@althing/bus";
import {
  claimInstance,
  createClient,
  fetchHealth,
  joinInstance,
  openMemoryState,
  type AlthingClient,
  type RoomHandle,
} from "@althing/client";
import { endpointIdSchema, handleSchema, roomIdSchema, roomNameSchema, signPubSchema, streams, timeSchema } from "@althing/contract";
import { identityFromPhrase, newRecoveryPhrase, signRequest } from "@althing/crypto";
import { openJetStreamStore, type Write } from "@althing/store";
import { startCluster, startInstance, type TestCluster, type TestNode } from "@althing/testkit";
import { streamLeader } from "@althing/cli";

const quick = process.argv.includes("--quick");
const rounds = quick ? 2 : 3;
const failovers = quick ? 2 : 8;
const fences = quick ? 1 : 5;
const starts = quick ? 1 : 3;
const records = quick ? 10_000 : 100_000;
const writeMs = 2_500;
const signedPerRound = 14_000;
const connections = 48;
/** Who write: people of a community, and not one person 48 times at once. */
const writers = 12;
const burst = 2_000;
const messageBytes = 1_024;
const tickMs = 20;
const limits = { sharePercent: 60, leaderMs: 10_000, otherMs: 2_000, fenceMs: 2_000, startMs: 10_000 };

interface Row {
  readonly name: string;
  readonly observed: string;
  readonly limit: string;
  readonly missed: boolean;
}
const rows: Row[] = [];
function note(name: string, observed: string, limit = "", met = true): void {
  rows.push({ name, observed, limit, missed: !met && !quick });
  process.stderr.write(`${name}: ${observed}\n`);
}

const at = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
const median = (values: readonly number[]) => at(values, 0.5);
const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;
const spread = (ms: readonly number[]) =>
  ms.length === 0 ? "none" : `p50 ${seconds(median(ms))}, p90 ${seconds(at(ms, 0.9))}, most ${seconds(Math.max(...ms))} (${ms.length})`;

/** An instance under load, of one node or several. */
interface Subject {
  readonly urls: readonly string[];
  /** Supervisors. */
  pids(): readonly number[];
  readonly adminPhrase: string;
  readonly peerPhrase: string;
  readonly writerPhrases: readonly string[];
  /** The same room, from each node. */
  readonly senders: readonly RoomHandle[];
  readonly clients: readonly AlthingClient[];
}

// --- the other process: requests signed before, and the reader of a room ---

interface WriteOrder {
  readonly origins: readonly string[];
  readonly phrases: readonly string[];
}
interface Written {
  readonly answered: number;
  readonly failed: number;
  readonly firstFailure: string;
  readonly ms: number;
  readonly p50Ms: number;
}

async function presign({ origins, phrases }: WriteOrder): Promise<Buffer[][]> {
  const identities = await Promise.all(phrases.map((phrase) => identityFromPhrase(phrase)));
  const body = Buffer.from("{}");
  const path = "/api/invitations";
  const made: Buffer[][] = origins.map(() => []);
  for (let i = 0; i < signedPerRound; i++) {
    const origin = origins[i % origins.length] ?? "";
    const identity = identities[Math.floor(i / origins.length) % identities.length];
    if (identity === undefined) throw new TypeError("somebody writes");
    const request = { method: "POST", url: origin + path, headers: { "content-type": "application/json" }, body, now: Date.now() / 1_000 };
    const lines = Object.entries(await signRequest(identity, request)).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `POST ${path} HTTP/1.1\r\nhost: ${new URL(origin).host}\r\ncontent-length: ${body.length}\r\n${lines.join("")}\r\n`;
    made[i % origins.length]?.push(Buffer.from(`${head}{}`));
  }
  return made;
}

/** Calls back once for each complete answer; one is awaited at a time, so nothing follows it. */
function readAnswers(socket: Socket, onAnswer: (answer: string) => void): void {
  let held = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    held += chunk;
    const head = held.indexOf("\r\n\r\n");
    const length = Number(/content-length: (\d+)/i.exec(held)?.[1] ?? 0);
    if (head < 0 || held.length < head + 4 + length) return;
    const answer = held;
    held = "";
    onAnswer(answer);
  });
}

/** Signs, says that it is ready, and writes when it is told to. */
async function writeAll(order: WriteOrder): Promise<Written> {
  const queues = await presign(order);
  const sockets = await Promise.all(
    Array.from({ length: connections }, async (_, i) => {
      const place = i % order.origins.length;
      const port = Number(new URL(order.origins[place] ?? "").port);
      // From several addresses, because the limit by address stays on.
      const socket = connect({ host: "127.0.0.1", port, localAddress: `127.0.0.${2 + (i % 12)}`, noDelay: true });
      await once(socket, "connect");
      return { socket, queue: queues[place] ?? [] };
    }),
  );
  process.send?.("ready");
  await once(process, "message");
  let [answered, failed, firstFailure] = [0, 0, ""];
  const latencies: number[] = [];
  const startedMs = performance.now();
  const drive = ({ socket, queue }: { readonly socket: Socket; readonly queue: Buffer[] }) =>
    new Promise<void>((resolve) => {
      let sentMs = 0;
      const next = () => {
        const request = performance.now() - startedMs < writeMs ? queue.pop() : undefined;
        if (request === undefined) return resolve();
        sentMs = performance.now();
        socket.write(request);
      };
      readAnswers(socket, (answer) => {
        latencies.push(performance.now() - sentMs);
        if (answer.startsWith("2", 9)) answered++;
        else if (failed++ === 0) firstFailure = answer;
        next();
      });
      next();
    });
  await Promise.all(sockets.map(drive));
  const ms = performance.now() - startedMs;
  for (const { socket } of sockets) socket.destroy();
  return { answered, failed, firstFailure, ms, p50Ms: median(latencies) };
}

interface ReadOrder {
  readonly urls: readonly string[];
  readonly phrase: string;
}

/** Joins the room and says `done` when as many messages came as were told. */
async function readRoom({ urls, phrase }: ReadOrder): Promise<void> {
  const client = createClient({ identity: await identityFromPhrase(phrase), urls, state: openMemoryState() });
  const { room } = await client.rooms.join("load");
  let [came, wanted] = [0, Number.POSITIVE_INFINITY];
  await room?.subscribe((event) => {
    if (event.kind === "message" && ++came === wanted) process.send?.("done");
  });
  process.on("message", (order: { expect?: number }) => {
    if (order.expect === undefined) return;
    [came, wanted] = [0, order.expect];
    process.send?.("ready");
  });
  process.send?.("ready");
}

// --- the measuring process ---

const helper = (role: string) => fork(import.meta.filename, [role], { execArgv: ["--disable-warning=ExperimentalWarning"] });

function descendants(pid: number): number[] {
  let own: number[] = [];
  try {
    own = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    // It has ended.
  }
  return [pid, ...own.flatMap(descendants)];
}

/** Processor time of an instance, all processes of all nodes; the kernel counts in hundredths of a second. */
function cpuMs({ pids }: Subject): number {
  const one = (pid: number) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  };
  return pids()
    .flatMap(descendants)
    .reduce((sum, pid) => sum + one(pid), 0);
}

async function prepare(urls: readonly string[], adminLink: string | undefined, pids: () => readonly number[]): Promise<Subject> {
  const url = urls[0] ?? "";
  const [adminPhrase, peerPhrase] = [newRecoveryPhrase(), newRecoveryPhrase()];
  const admin = await identityFromPhrase(adminPhrase);
  await claimInstance({ url, token: /token=(\S+)/.exec(adminLink ?? "")?.[1] ?? "", handle: "ada", identity: admin });
  // Each begins with another node and knows all of them.
  const clients = urls.map((first) =>
    createClient({ identity: admin, urls: [first, ...urls.filter((other) => other !== first)], state: openMemoryState() }),
  );
  const [client] = clients;
  if (client === undefined) throw new TypeError("an instance has an address");
  const { token } = await client.call("invitations.create", { body: {} });
  await joinInstance({ url, token, handle: "bob", identity: await identityFromPhrase(peerPhrase) });
  const writerPhrases = Array.from({ length: writers }, newRecoveryPhrase);
  for (const [i, phrase] of writerPhrases.entries()) {
    const { signPub } = await identityFromPhrase(phrase);
    await client.call("users.add", { body: { signPub, handle: handleSchema.parse(`writer-${i}`), role: "admin" } });
  }
  const room = await client.rooms.create({ name: "load", policy: { persist: true } });
  await room.invite("bob");
  const senders = await Promise.all(clients.map((each) => each.rooms.open("load")));
  return { urls, pids, adminPhrase, peerPhrase, writerPhrases, senders, clients };
}

interface Rates {
  readonly perSecond: number[];
  /** Of the whole instance, for one. */
  readonly cpuMs: number[];
  readonly p50Ms: number[];
  /** Answered with an error; not in the rate. */
  readonly refused: number[];
}
const noRates = (): Rates => ({ perSecond: [], cpuMs: [], p50Ms: [], refused: [] });

async function writeRound(subject: Subject, into: Rates | undefined): Promise<void> {
  const child = helper("writer");
  child.send({ origins: subject.urls, phrases: subject.writerPhrases } satisfies WriteOrder);
  await once(child, "message");
  const before = cpuMs(subject);
  child.send("go");
  const [written] = (await once(child, "message")) as [Written];
  child.kill();
  if (written.answered === 0) throw new Error(`no write was taken: ${written.firstFailure}`);
  into?.refused.push(written.failed);
  into?.perSecond.push((written.answered * 1_000) / written.ms);
  into?.cpuMs.push((cpuMs(subject) - before) / written.answered);
  into?.p50Ms.push(written.p50Ms);
}

async function messageRound(subject: Subject, reader: ChildProcess, round: number, into: Rates | undefined): Promise<void> {
  const sender = subject.senders[round % subject.senders.length];
  if (sender === undefined) throw new TypeError("an instance has a sender");
  const payload = randomBytes(messageBytes);
  const ready = once(reader, "message");
  reader.send({ expect: burst });
  await ready;
  const done = once(reader, "message");
  const before = cpuMs(subject);
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: burst }, () => sender.send(payload)));
  await done;
  into?.perSecond.push((burst * 1_000) / (performance.now() - startedMs));
  into?.cpuMs.push((cpuMs(subject) - before) / burst);
  const times: number[] = [];
  for (let i = 0; i < 100; i++) {
    const sentMs = performance.now();
    await sender.send("one after the other");
    times.push(performance.now() - sentMs);
  }
  into?.p50Ms.push(median(times));
}

/** The same rounds on both, in turns; the first is not counted, it compiles. */
async function compareRates(single: Subject, cluster: Subject): Promise<void> {
  const found = { single: { write: noRates(), message: noRates() }, cluster: { write: noRates(), message: noRates() } };
  const both = [
    { subject: single, into: found.single },
    { subject: cluster, into: found.cluster },
  ];
  for (let round = -1; round < rounds; round++)
    for (const { subject, into } of both) await writeRound(subject, round < 0 ? undefined : into.write);
  const readers = both.map(({ subject, into }) => ({ subject, into, reader: helper("reader") }));
  for (const { subject, reader } of readers) {
    const ready = once(reader, "message");
    // Where there are more nodes than one the reader is on another than the first sender.
    reader.send({ urls: subject.urls.toReversed(), phrase: subject.peerPhrase } satisfies ReadOrder);
    await ready;
  }
  for (let round = -1; round < rounds; round++)
    for (const { subject, into, reader } of readers) await messageRound(subject, reader, round + 1, round < 0 ? undefined : into.message);
  for (const { reader } of readers) reader.kill();
  tellRates("signed writes (invitations), clients on all nodes", found.single.write, found.cluster.write, `${connections} at once`);
  tellRates(
    "persisted room messages of 1 KiB, one sender to one reader",
    found.single.message,
    found.cluster.message,
    "one after the other",
  );
}

function tellRates(what: string, single: Rates, cluster: Rates, latencyOf: string): void {
  const perSecond = (rates: Rates) => `${Math.round(median(rates.perSecond)).toLocaleString("en")}/s`;
  const share = (100 * median(cluster.perSecond)) / median(single.perSecond);
  note(
    `${what}: of a single node's rate`,
    `${share.toFixed(0)} % (${perSecond(cluster)} of ${perSecond(single)})`,
    `≥ ${limits.sharePercent} %`,
    share >= limits.sharePercent,
  );
  const cpu = (rates: Rates) => `${median(rates.cpuMs).toFixed(2)} ms`;
  note(
    "    processor time of the whole instance for one",
    `${cpu(cluster)}, single ${cpu(single)} (×${(median(cluster.cpuMs) / median(single.cpuMs)).toFixed(1)})`,
  );
  const refused = [single, cluster].map((rates) => rates.refused.reduce((sum, count) => sum + count, 0));
  if (refused.some((count) => count > 0)) note("    refused, to be tried again", `${refused[1] ?? 0}, single ${refused[0] ?? 0}`);
  note(`    p50, ${latencyOf}`, `${median(cluster.p50Ms).toFixed(1)} ms, single ${median(single.p50Ms).toFixed(1)} ms`);
}

// --- losses ---

interface Pulse {
  readonly confirmedMs: number[];
  drops: number;
  end(): Promise<void>;
}

/** A client that sends one message after another, and what it saw. */
function openPulse(client: AlthingClient, room: RoomHandle): Pulse {
  const ending = new AbortController();
  const pulse = { confirmedMs: [] as number[], drops: 0 };
  const off = client.on("connection", ({ plane, state }) => {
    if (plane === "nats" && state !== "connected") pulse.drops++;
  });
  const running = (async () => {
    while (!ending.signal.aborted) {
      await room.send("pulse").then(
        () => pulse.confirmedMs.push(performance.now()),
        () => undefined,
      );
      await sleep(tickMs);
    }
  })();
  return Object.assign(pulse, {
    async end() {
      ending.abort();
      await running;
      off();
    },
  });
}

async function allHeard(cluster: TestCluster): Promise<void> {
  const isWhole = async ({ url }: TestNode) => {
    const health = await fetchHealth(url).catch(() => undefined);
    return health?.status === "ready" && health.posture.cluster.heard === cluster.nodes.length;
  };
  const deadlineMs = performance.now() + 120_000;
  while (!(await Promise.all(cluster.nodes.map(isWhole))).every(Boolean)) {
    if (performance.now() > deadlineMs) throw new Error("the nodes do not hear each other");
    await sleep(100);
  }
}

/** The longest silence from the loss on, counted from the loss itself. */
function pauseMs({ confirmedMs }: Pulse, killedMs: number): number {
  const times = [killedMs, ...confirmedMs.filter((time) => time > killedMs)];
  return Math.max(...times.slice(1).map((time, i) => time - (times[i] ?? killedMs)));
}

/** On this node as long as it is there. */
async function openPulseOn(
  node: TestNode,
  cluster: TestCluster,
  adminPhrase: string,
): Promise<{ client: AlthingClient; pulse: Pulse; on: string }> {
  const urls = [node.url, ...cluster.urls.filter((url) => url !== node.url)];
  const client = createClient({ identity: await identityFromPhrase(adminPhrase), urls, state: openMemoryState() });
  const room = await client.rooms.open("load");
  const sent = await room.send("here");
  return { client, pulse: openPulse(client, room), on: sent.node ?? "" };
}

/** Streams whose leader people wait for: messages, changes, requests, events. */
const waitedFor = [streams.rooms, streams.state, streams.claims, streams.events];

/** The node that leads the rooms' stream, or one that leads nothing people wait for; where there is none of those, who leads least. */
async function chooseVictim(cluster: TestCluster, leads: boolean): Promise<{ readonly victim: TestNode; readonly isLeader: boolean }> {
  const leaders = await Promise.all(waitedFor.map((stream) => streamLeader(cluster.nodes, stream)));
  const led = ({ name }: TestNode) => leaders.filter((leader) => leader === name).length;
  const victim = leads ? cluster.node(leaders[0] ?? "") : cluster.nodes.toSorted((a, b) => led(a) - led(b))[0];
  if (victim === undefined) throw new TypeError("there are three nodes");
  return { victim, isLeader: led(victim) > 0 };
}

async function measureFailover(cluster: TestCluster, adminPhrase: string): Promise<void> {
  const found = { leader: [] as number[], other: [] as number[], elsewhere: [] as number[], dropped: 0 };
  let others = 0;
  for (let round = 0; round < failovers || (others < failovers / 2 && round < 3 * failovers); round++) {
    await allHeard(cluster);
    const { victim, isLeader } = await chooseVictim(cluster, round % 2 === 0 && round < failovers);
    if (!isLeader) others++;
    const pulses = await Promise.all(cluster.nodes.map((node) => openPulseOn(node, cluster, adminPhrase)));
    await sleep(1_000);
    const killedMs = performance.now();
    await victim.kill();
    await sleep(isLeader ? 13_000 : 6_000);
    for (const { pulse, on } of pulses) {
      await pulse.end();
      const isOnVictim = on === victim.name;
      if (!isOnVictim && pulse.drops > 0) found.dropped++;
      (isLeader ? found.leader : isOnVictim ? found.other : found.elsewhere).push(pauseMs(pulse, killedMs));
    }
    for (const { client } of pulses) await client.close();
    await victim.start();
  }
  const judge = (name: string, values: readonly number[], limitMs: number) =>
    note(name, spread(values), `≤ ${seconds(limitMs)}`, values.length > 0 && values.every((value) => value <= limitMs));
  judge("pause, a node that leads something killed, every client", found.leader, limits.leaderMs);
  judge("pause, another node killed, clients that were on it", found.other, limits.otherMs);
  judge("pause, another node killed, clients elsewhere", found.elsewhere, limits.otherMs);
  note("clients of healthy nodes that were dropped", String(found.dropped), "0", found.dropped === 0);
}

/** Two of three are killed: when the one that is left refuses requests, and when its people are off its messaging server. */
async function measureFence(cluster: TestCluster, adminPhrase: string): Promise<void> {
  const [refused, cut]: [number[], number[]] = [[], []];
  for (let round = 0; round < fences; round++) {
    await allHeard(cluster);
    const left = cluster.nodes[round % cluster.nodes.length];
    if (left === undefined) throw new TypeError("there are three nodes");
    const client = createClient({ identity: await identityFromPhrase(adminPhrase), urls: [left.url], state: openMemoryState() });
    await (await client.rooms.open("load")).send("here");
    const off = new Promise<number>((resolve) => {
      client.on("connection", ({ plane, state }) => plane === "nats" && state !== "connected" && resolve(performance.now()));
    });
    const lost = cluster.nodes.filter((node) => node !== left);
    await Promise.all(lost.map((node) => node.kill()));
    const killedMs = performance.now();
    while ((await fetch(`${left.url}/healthz`)).status === 200) await sleep(10);
    refused.push(performance.now() - killedMs);
    cut.push((await off) - killedMs);
    await client.close();
    for (const node of lost) node.launch();
    await Promise.all(lost.map((node) => node.ready()));
  }
  const met = (values: readonly number[]) => values.every((value) => value <= limits.fenceMs);
  note("two of three killed: the third answers 503", spread(refused), `≤ ${seconds(limits.fenceMs)}`, met(refused));
  note("two of three killed: the third's connections are closed", spread(cut), `≤ ${seconds(limits.fenceMs)}`, met(cut));
}

// --- a start with many records ---

/** People, rooms and memberships, as the bus keeps them, ten people a room. */
function manyRecords(open: ReturnType<typeof openCollections>): Write[] {
  const made: Write[] = [];
  const createdAt = timeSchema.parse(new Date().toISOString());
  const id = (text: string) => createHash("sha256").update(text).digest();
  for (let group = 0; made.length < records; group++) {
    const room = roomIdSchema.parse(`01K7Z${String(group).padStart(21, "0")}`);
    const name = roomNameSchema.parse(`load-${group}`);
    const people = Array.from({ length: 10 }, (_, seat) => {
      const signPub = signPubSchema.parse(id(`key ${group} ${seat}`).toString("hex"));
      const endpoint = endpointIdSchema.parse(createHash("sha256").update(Buffer.from(signPub, "hex")).digest("base64url"));
      return { signPub, endpoint, handle: handleSchema.parse(`p-${group}-${seat}`) };
    });
    const founder = people[0];
    if (founder === undefined) throw new TypeError("a room has people");
    const policy = { encrypt: false, persist: true, sign: true, history: "shared" as const };
    const row = {
      id: room,
      name,
      policy,
      suite: "hpke-v1" as const,
      createdBy: founder.endpoint,
      createdAt,
      epoch: 0,
      gone: [],
      members: 10,
    };
    made.push(open.rooms.toPut([room], row, 0), open.roomNames.toPut([name], { room }, 0));
    for (const { signPub, endpoint, handle } of people) {
      const common = { signPub, handle, role: "member" as const };
      made.push(open.users.toPut([signPub], { ...common, endpoint, status: "active", createdAt }, 0));
      made.push(open.endpoints.toPut([endpoint], { signPub }, 0), open.handles.toPut([handle], { endpoint }, 0));
      const member = { ...common, joined: true, since: createdAt, fromEpoch: 0, afterSeq: 0 };
      made.push(open.members.toPut([room, endpoint], member, 0), open.userRooms.toPut([endpoint, room], { joined: true }, 0));
    }
  }
  return made;
}

const seedOf = async (path: string): Promise<NkeySeed> => (await readFile(path, "utf8")).trim() as NkeySeed;

async function fill(data: string, natsPort: number, replicas: 1 | 3): Promise<void> {
  const [hubSeed, systemSeed] = await Promise.all(["hub.nkey", "sys.nkey"].map((name) => seedOf(join(data, "keys", name))));
  if (hubSeed === undefined || systemSeed === undefined) throw new TypeError("a node has two keys");
  const connection = await connectBus({ url: `nats://127.0.0.1:${natsPort}`, hubSeed, systemSeed });
  const store = await openJetStreamStore({
    connection: connection.account,
    stream: streams.state,
    replicas,
    migrations: [],
    create: false,
  });
  const made = manyRecords(openCollections(store));
  for (let i = 0; i < made.length; i += 1_000) await store.batch(made.slice(i, i + 1_000));
  await store.close();
  await connection.close();
}

async function timedStart(start: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await start();
  return performance.now() - startedMs;
}

/** The node is stopped in order, so it holds everything and has little to catch up with. */
async function measureStart(cluster: TestCluster): Promise<void> {
  const [node] = cluster.nodes;
  if (node === undefined) throw new TypeError("there are three nodes");
  await allHeard(cluster);
  await fill(node.data, node.ports.nats, 3);
  const tookMs: number[] = [];
  for (let round = 0; round < starts; round++) {
    const each = cluster.nodes[round % cluster.nodes.length] ?? node;
    await each.stop();
    tookMs.push(await timedStart(() => each.start()));
    await allHeard(cluster);
  }
  const met = tookMs.every((ms) => ms <= limits.startMs);
  note(`start of a node with ${records.toLocaleString("en")} records, the others up`, spread(tookMs), `≤ ${seconds(limits.startMs)}`, met);
  await node.stop();
  const empty = await timedStart(async () => {
    const keys = join(node.data, "keys", "instance.json");
    const text = await readFile(keys, "utf8");
    await rm(node.data, { recursive: true });
    await mkdir(join(node.data, "keys"), { recursive: true, mode: 0o700 });
    await writeFile(keys, text, { mode: 0o600 });
    await node.start();
    await allHeard(cluster);
  });
  note("the same node, its machine replaced by an empty one", seconds(empty));
}

function report(): void {
  const wide = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, observed, limit, missed } of rows)
    console.log(`${name.padEnd(wide)}  ${observed.padEnd(52)} ${limit.padEnd(10)} ${missed ? "MISSED" : ""}`.trimEnd());
  console.log(JSON.stringify({ bench: "cluster", nodesOnThisMachine: 3, rows }));
  if (rows.some(({ missed }) => missed)) process.exitCode = 1;
}

async function main(): Promise<void> {
  const loose = { ALTHING_CHANGES_PER_PERSON_PER_SECOND: "100000" };
  await using cluster = await startCluster();
  const many = await prepare(cluster.urls, cluster.nodes[0]?.adminLink, () =>
    cluster.nodes.flatMap(({ pid }) => (pid === undefined ? [] : [pid])),
  );
  {
    await using instance = await startInstance({ args: ["--store", "kv"], env: loose });
    const one = await prepare([instance.url], instance.adminLink, () => [instance.pid]);
    const fsyncs = await Promise.all([instance.url, ...cluster.urls].map(async (url) => (await fetchHealth(url)).posture.fsync));
    if (new Set(fsyncs).size > 1) throw new Error(`not the same fsync: ${fsyncs.join(", ")}`);
    await compareRates(one, many);
    for (const client of [...one.clients, ...many.clients]) await client.close();
  }
  await measureFailover(cluster, many.adminPhrase);
  await measureFence(cluster, many.adminPhrase);
  await measureStart(cluster);
  report();
}

if (process.argv[2] === "writer")
  process.once("message", (order: WriteOrder) => void writeAll(order).then((written) => process.send?.(written)));
else if (process.argv[2] === "reader") process.once("message", (order: ReadOrder) => void readRoom(order));
else await main();
