/**
 * What a room costs over what it cannot do without: the bare primitives, bare NATS, bare JetStream.
 *
 * The bare primitives are node:crypto's, which every Node has; the rooms may use a faster Ed25519, and then do more than all of the baseline.
 * One sender process (this one) and one receiver process, 1 KiB messages, a real instance. The baseline does what a room cannot do without: it carries as
 * many bytes as the sealed frames have, on subjects as long as a room's, and where a room is one subject that both peers hear, so is the baseline's. Baseline
 * and subject run in short alternating slices of the same two processes, so that a busy machine slows both: of rates the median of the
 * neighbours' ratios counts, of times the ratio of the medians. Prints a table with the limit beside each figure and one line of JSON; exits 1 when a
 * limit is missed.
 */
import { fork, type ChildProcess } from "node:child_process";
import { createCipheriv, createDecipheriv, generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  claimInstance,
  createClient,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type RoomHandle,
} from "@althing/client";
import { echoHeaders, handleSchema, roomIdSchema, roomNameSchema, type RoomPolicy, type RoomRole } from "@althing/contract";
import { proposeEpoch, type EpochMember, type Identity } from "@althing/crypto";
import { startInstance, startNats, tempDir } from "@althing/testkit";
import { jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";

interface Row {
  readonly name: string;
  readonly observed: number;
  readonly unit: string;
  readonly limit: number;
  /** `least`: at least the limit is wanted. */
  readonly wanted: "least" | "most";
  readonly detail: string;
}

const messageBytes = 1_024;
/** A sealed and signed frame of such a message is this long. */
const frameBytes = 1_330;
const rounds = 10;
const sliceMs = 400;
const burst = 1_500;
const storedBurst = 1_500;
/** Slices of round trips, and trips in each. */
const tripSlices = 30;
const trips = 40;
const windowMax = 1_024;
const rekeyMembers = 1_000;
/** As long as a room's subjects. */
const bareName = "bare".padEnd(22, "-");
const bare = { live: `s.10.${bareName}`, input: `r.11.${bareName}`, output: `s.11.${bareName}` } as const;
/** First byte of a bare frame: whose it is, as a room's frame says it. */
const marks = { ping: 1, pong: 2, sealed: 3 } as const;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

// --- bare primitives ---

function bareSender(): () => void {
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = randomBytes(32);
  const nonce = randomBytes(12);
  const payload = randomBytes(messageBytes);
  return () => {
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    const sealed = Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()]);
    sign(null, sealed, privateKey);
  };
}

function bareReceiver(): () => void {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = randomBytes(32);
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  const sealed = Buffer.concat([cipher.update(randomBytes(messageBytes)), cipher.final()]);
  const tag = cipher.getAuthTag();
  const signed = Buffer.concat([sealed, tag]);
  const signature = sign(null, signed, privateKey);
  return () => {
    if (!verify(null, signed, publicKey, signature)) throw new Error("bad signature");
    const decipher = createDecipheriv("aes-256-gcm", key, nonce);
    decipher.setAuthTag(tag);
    decipher.update(sealed);
    decipher.final();
  };
}

/** Two messages, each sealed, signed, verified and opened one after the other: what no round trip can do without. Of a processor's time, whoever else has it. */
function bareRoundTripMs(): number {
  const [seal, open] = [bareSender(), bareReceiver()];
  const count = 500;
  const before = process.threadCpuUsage();
  for (let index = 0; index < count; index += 1) {
    seal();
    open();
  }
  const { user, system } = process.threadCpuUsage(before);
  return (2 * (user + system)) / 1_000 / count;
}

function rateOf(run: () => void): number {
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < sliceMs) {
    for (let index = 0; index < 20; index += 1) run();
    count += 20;
  }
  return (count / (performance.now() - start)) * 1_000;
}

// --- the receiver process ---

interface ReceiverStart {
  readonly url: string;
  readonly phrase: string;
  readonly rooms: Readonly<Record<"live" | "stored" | "ping", string>>;
  readonly nats: string;
}

async function runReceiver(): Promise<void> {
  const [start] = (await once(process, "message")) as [ReceiverStart];
  const raw = await connect({ servers: start.nats });
  const client = createClient({ identity: await identityFromPhrase(start.phrase), urls: [start.url], state: openMemoryState() });
  let counted = 0;
  let wanted = Number.POSITIVE_INFINITY;
  const count = () => {
    counted += 1;
    if (counted === wanted) process.send?.({ done: true });
  };
  for (const name of [start.rooms.live, start.rooms.stored]) {
    const { room } = await client.rooms.join(name);
    await room?.subscribe((event) => (event.kind === "message" ? count() : undefined));
  }
  const { room: ping } = await client.rooms.join(start.rooms.ping);
  await ping?.subscribe(async (event) => {
    if (event.kind === "message" && event.handle === "ada") await ping.send(event.bytes);
  });
  const primitives = bareReceiver();
  raw.subscribe(bare.output, {
    callback(_error, { data }) {
      if (data[0] === marks.sealed) primitives();
      count();
    },
  });
  const pong = bareFrame(marks.pong);
  raw.subscribe(bare.live, { callback: (_error, { data }) => void (data[0] === marks.ping && raw.publish(bare.live, pong)) });
  await raw.flush();
  process.on("message", (message: { expect?: number; bare?: true; end?: true }) => {
    if (message.expect !== undefined) {
      counted = 0;
      wanted = message.expect;
      process.send?.({ ready: true });
    }
    if (message.bare === true) process.send?.({ rate: rateOf(primitives) });
    if (message.end === true) void Promise.all([client.close(), raw.close()]).then(() => process.exit(0));
  });
  process.send?.({ ready: true });
}

// --- the sender ---

async function answer<T>(child: ChildProcess, message: object): Promise<T> {
  const came = once(child, "message");
  child.send(message);
  return ((await came) as [T])[0];
}

/** Messages a second from the first send to the last one counted by the receiver. */
async function rateTo(child: ChildProcess, count: number, sendAll: () => Promise<unknown>): Promise<number> {
  await answer(child, { expect: count });
  const done = once(child, "message");
  const start = performance.now();
  await sendAll();
  await done;
  return (count / (performance.now() - start)) * 1_000;
}

function sendTo(room: RoomHandle, count: number): () => Promise<unknown> {
  const payload = randomBytes(messageBytes);
  return () => Promise.all(Array.from({ length: count }, () => room.send(payload)));
}

function bareFrame(mark: number): Buffer {
  const frame = randomBytes(frameBytes);
  frame[0] = mark;
  return frame;
}

/** Who waits for the next message, and hears it. */
interface Ear {
  hear: () => void;
}

/** Publishes and waits for each echo, with as many under way as a client has. @param seal done for each; its receiver then opens */
function publishStored(raw: NatsConnection, echoes: Ear, count: number, seal?: () => void): () => Promise<unknown> {
  const payload = bareFrame(seal === undefined ? marks.ping : marks.sealed);
  return () =>
    new Promise<void>((resolve) => {
      let sent = 0;
      let echoed = 0;
      const fill = () => {
        while (sent < count && sent - echoed < windowMax) {
          seal?.();
          raw.publish(bare.input, payload);
          sent += 1;
        }
      };
      echoes.hear = () => {
        echoed += 1;
        fill();
        if (echoed === count) resolve();
      };
      fill();
    });
}

/** Sends, and waits until it is heard. */
function tripOf(ear: Ear, send: () => unknown): () => Promise<unknown> {
  return () =>
    new Promise<void>((resolve) => {
      ear.hear = resolve;
      void send();
    });
}

async function timeTrips(times: number[], trip: () => Promise<unknown>): Promise<void> {
  for (let index = 0; index < trips; index += 1) {
    const start = performance.now();
    await trip();
    times.push(performance.now() - start);
  }
}

// --- rekey ---

/** The committer's whole path (read, propose, seal, send, take in) against a server that checks nothing and answers at once. */
async function rekeyMs(owner: Identity): Promise<number> {
  const id = roomIdSchema.parse("01J00000000000000000000000");
  const name = roomNameSchema.parse("big");
  const policy: RoomPolicy = { encrypt: true, persist: true, sign: true, history: "from-join" };
  const others = await Promise.all(
    Array.from({ length: rekeyMembers - 1 }, async (_, index) =>
      memberOf(await identityFromPhrase(newRecoveryPhrase()), `user-${index}`, "member"),
    ),
  );
  const now = Date.now();
  const first = await proposeEpoch({
    room: id,
    name,
    policy,
    members: [memberOf(owner, "ada", "owner"), ...others],
    reason: "create",
    identity: owner,
    now,
    link: false,
  });
  const at = new Date(now).toISOString();
  const common = {
    id,
    name,
    policy,
    suite: "hpke-v1",
    createdBy: owner.endpoint,
    createdAt: at,
    rekeyNeeded: false,
    gone: [],
    role: "owner",
    joined: true,
    members: rekeyMembers,
  };
  const room = {
    ...common,
    subjects: { publish: "r.0.x", subscribe: "s.0.x" },
    bytes: 0,
    lastSeq: 0,
    aclRevision: 0,
    revision: 1,
    epoch: 1,
    epochHash: first.hash,
  };
  const sealed = first.proposal.sealed.find((key) => key.endpoint === owner.endpoint);
  let received = 0;
  const server = createServer((request, response) => {
    request.on("data", (part: Buffer) => (received += part.length));
    request.on("end", () => {
      const { epochHash: _old, ...after } = { ...room, epoch: 2 };
      const path = request.url ?? "";
      const body = path.includes("/epochs")
        ? { epochs: [{ epoch: 1, record: first.proposal.record, sealed }] }
        : path.endsWith("/rekey")
          ? { room: after, aclRevision: 0 }
          : room;
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const client = createClient({
    identity: owner,
    urls: [`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`],
    state: openMemoryState(),
  });
  try {
    const handle = await client.rooms.open(id);
    const start = performance.now();
    await handle.rekey();
    const tookMs = performance.now() - start;
    if (received < rekeyMembers * 100) throw new Error("the proposal is too small");
    return tookMs;
  } finally {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
}

function memberOf(identity: Identity, handle: string, role: RoomRole): EpochMember {
  return { endpoint: identity.endpoint, signPub: identity.signPub, kexPub: identity.kexPub, handle: handleSchema.parse(handle), role };
}

async function openRooms(ada: AlthingClient): Promise<Rooms> {
  const make = async (name: string, persist: boolean) => {
    const room = await ada.rooms.create({ name, policy: { persist } });
    await room.invite("bob");
    return room;
  };
  return { live: await make("live", false), stored: await make("stored", true), ping: await make("ping", false) };
}

async function main(): Promise<void> {
  const instance = await startInstance();
  const folder = await tempDir();
  const nats = await startNats({
    dir: folder.path,
    config: `jetstream { store_dir: ${JSON.stringify(join(folder.path, "js"))}, sync_interval: always }`,
  });
  const child = fork(fileURLToPath(import.meta.url), ["receiver"], { stdio: "inherit" });
  const rows: Row[] = [];
  try {
    const bobPhrase = newRecoveryPhrase();
    const [adaId, bobId] = await Promise.all([identityFromPhrase(newRecoveryPhrase()), identityFromPhrase(bobPhrase)]);
    await claimInstance({
      url: instance.url,
      token: /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "",
      handle: "ada",
      identity: adaId,
    });
    const ada = createClient({ identity: adaId, urls: [instance.url], state: openMemoryState() });
    const { token } = await ada.call("invitations.create", { body: {} });
    await joinInstance({ url: instance.url, token, handle: "bob", identity: bobId });
    const rooms = await openRooms(ada);
    const raw = await connect({ servers: nats.url });
    await addStream(raw);
    const ready = once(child, "message");
    child.send({
      url: instance.url,
      phrase: bobPhrase,
      rooms: { live: "live", stored: "stored", ping: "ping" },
      nats: nats.url,
    } satisfies ReceiverStart);
    await ready;
    rows.push(...(await measure(child, raw, rooms)));
    rows.push({
      name: `rekey of ${rekeyMembers} members, committer`,
      observed: await rekeyMs(adaId),
      unit: "ms",
      limit: 2_000,
      wanted: "most",
      detail: "read, propose, seal, send, take in",
    });
    child.send({ end: true });
    await once(child, "exit");
    await raw.close();
    await ada.close();
  } finally {
    if (child.exitCode === null) child.kill();
    await nats.stop();
    await folder.remove();
    await instance.stop();
  }
  report(rows);
}

/** The stream as the instance makes it: no acknowledgements, republished to the output subject, every write synced. */
async function addStream(raw: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(raw);
  await manager.streams.add({
    name: "bare",
    subjects: ["r.*.*"],
    no_ack: true,
    retention: RetentionPolicy.Limits,
    republish: { src: "r.*.*", dest: "s.{{wildcard(1)}}.{{wildcard(2)}}" },
  });
}

type Rooms = Record<"live" | "stored" | "ping", RoomHandle>;

/** Messages a second: of nothing but cryptography and of the room, of a bare stream and of the room that is kept. */
async function measureRates(child: ChildProcess, raw: NatsConnection, echoes: Ear, rooms: Rooms): Promise<Row[]> {
  const found = { bare: [] as number[], live: [] as number[], stream: [] as number[], stored: [] as number[], sealed: [] as number[] };
  const primitives = bareSender();
  for (let warm = 0; warm < 3; warm += 1) {
    await rateTo(child, 500, sendTo(rooms.live, 500));
    await rateTo(child, 300, sendTo(rooms.stored, 300));
    await rateTo(child, 300, publishStored(raw, echoes, 300));
  }
  for (let round = 0; round < rounds; round += 1) {
    const others = answer<{ rate: number }>(child, { bare: true });
    const own = rateOf(primitives);
    found.bare.push(Math.min(own, (await others).rate));
    found.live.push(await rateTo(child, burst, sendTo(rooms.live, burst)));
    found.stream.push(await rateTo(child, storedBurst, publishStored(raw, echoes, storedBurst)));
    found.stored.push(await rateTo(child, storedBurst, sendTo(rooms.stored, storedBurst)));
    found.sealed.push(await rateTo(child, storedBurst, publishStored(raw, echoes, storedBurst, primitives)));
  }
  const perSecond = (value: number) => `${Math.round(value).toLocaleString("en")}/s`;
  const percent = (subject: readonly number[], baseline: readonly number[]) =>
    median(subject.map((rate, round) => rate / (baseline[round] ?? Number.NaN))) * 100;
  const ratio = (name: string, subject: readonly number[], baseline: readonly number[], limit: number, note = ""): Row => ({
    name,
    observed: percent(subject, baseline),
    unit: "%",
    limit,
    wanted: "least",
    detail: `${perSecond(median(subject))} of ${perSecond(median(baseline))}${note}`,
  });
  const most = percent(found.sealed, found.stream).toFixed(0);
  return [
    ratio("encrypted message, nothing kept, of node:crypto's seal+sign | verify+open", found.live, found.bare, 50),
    ratio(
      "encrypted message, persisted, of raw JetStream at the same fsync",
      found.stored,
      found.stream,
      70,
      `; with bare node:crypto alone ${most} %`,
    ),
  ];
}

/** Milliseconds of a message that is sent when the one before has come: to its own echo, and to the peer and back. */
async function measureTrips(raw: NatsConnection, echoes: Ear, rooms: Rooms): Promise<Row[]> {
  const bareEar: Ear = { hear: () => undefined };
  const roomEar: Ear = { hear: () => undefined };
  raw.subscribe(bare.live, { callback: (_error, { data }) => void (data[0] === marks.pong && bareEar.hear()) });
  await raw.flush();
  await rooms.ping.subscribe((event) => void (event.kind === "message" && event.handle === "bob" && roomEar.hear()));
  const frame = bareFrame(marks.ping);
  const payload = randomBytes(messageBytes);
  const trip = {
    rawEcho: tripOf(echoes, () => raw.publish(bare.input, frame)),
    roomEcho: () => rooms.stored.send(payload),
    rawPing: tripOf(bareEar, () => raw.publish(bare.live, frame)),
    roomPing: tripOf(roomEar, () => rooms.ping.send(payload)),
  };
  const found = { rawEcho: [] as number[], roomEcho: [] as number[], rawPing: [] as number[], roomPing: [] as number[] };
  const names = ["rawEcho", "roomEcho", "rawPing", "roomPing"] as const;
  for (let warm = 0; warm < 5; warm += 1) for (const name of names) await timeTrips([], trip[name]);
  const primitives: number[] = [];
  for (let slice = 0; slice < tripSlices; slice += 1) {
    for (const name of names) await timeTrips(found[name], trip[name]);
    if (slice % 10 === 0) primitives.push(bareRoundTripMs());
  }
  const times = (name: string, subject: readonly number[], baseline: readonly number[], note = ""): Row => ({
    name,
    observed: median(subject) / median(baseline),
    unit: "x",
    limit: 3,
    wanted: "most",
    detail: `${median(subject).toFixed(2)} ms of ${median(baseline).toFixed(2)} ms${note}`,
  });
  const least = median(primitives) + median(found.rawPing);
  const note = `; with bare node:crypto alone ${least.toFixed(2)} ms, ${(least / median(found.rawPing)).toFixed(1)} x`;
  return [
    times("round trip p50, sent to echoed, of raw nats.js on a stream", found.roomEcho, found.rawEcho),
    times("round trip p50, peer and back, of raw nats.js", found.roomPing, found.rawPing, note),
  ];
}

/** On a stream whose echoes are heard for as long as this takes. */
async function measure(child: ChildProcess, raw: NatsConnection, rooms: Rooms): Promise<Row[]> {
  const echoes: Ear = { hear: () => undefined };
  raw.subscribe(bare.output, {
    callback(error, message) {
      if (error !== null) throw error;
      // Read, as whoever takes the echo for an acknowledgement must.
      if (message.headers?.get(echoHeaders.sequence) !== "") echoes.hear();
    },
  });
  await raw.flush();
  return [...(await measureRates(child, raw, echoes, rooms)), ...(await measureTrips(raw, echoes, rooms))];
}

function report(rows: readonly Row[]): void {
  const missed = rows.filter((row) => (row.wanted === "least" ? row.observed < row.limit : row.observed > row.limit));
  for (const row of rows) {
    const sign = row.wanted === "least" ? ">=" : "<=";
    console.log(
      `${missed.includes(row) ? "MISSED" : "ok    "}  ${row.name.padEnd(66)} ${row.observed.toFixed(1).padStart(8)} ${row.unit.padEnd(2)} (${sign} ${row.limit})  ${row.detail}`,
    );
  }
  console.log(JSON.stringify({ bench: "rooms", rows, missed: missed.length }));
  if (missed.length > 0) process.exitCode = 1;
}

await (process.argv[2] === "receiver" ? runReceiver() : main());
