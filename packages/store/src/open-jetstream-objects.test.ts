import { randomBytes } from "node:crypto";
import { jetstream, jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { freePorts, startHostileNatsProxy, startNats, tempDir, type TestNats } from "@althing/testkit";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { describeObjects, flipped, inParts, keyOf } from "../test/objects.contract.ts";
import { createJetStreamLink } from "./jetstream-link.ts";
import { createObjectRecords, MissingChunk, objectNames } from "./jetstream-object-records.ts";
import { openJetStreamObjects, type JetStreamObjectsOptions } from "./open-jetstream-objects.ts";
import type { ObjectStore } from "./types.ts";

let nats: TestNats;
let streams = 0;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());

interface Place {
  readonly stream: string;
  readonly names: ReturnType<typeof objectNames>;
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  open(options?: Partial<JetStreamObjectsOptions>): Promise<ObjectStore>;
  /** Messages by subject, without the common beginning. */
  subjects(): Promise<string[]>;
  /** Objects, and chunks and marks that belong to none. */
  files(): Promise<string[]>;
  damage(key: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

async function place(url = nats.url): Promise<Place> {
  const stream = `OBJECTS-${(streams += 1)}`;
  const names = objectNames(stream);
  const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  const manager = await jetstreamManager(connection);
  const start = names.object("").length - 2;
  const subjects = async () => {
    const info = await manager.streams.info(stream, { subjects_filter: ">" });
    return Object.keys(info.state.subjects ?? {}).map((subject) => subject.slice(start));
  };
  const uploadOf = async (key: string) =>
    (await manager.streams.getMessage(stream, { last_by_subj: names.object(key) }))?.json<{ upload: string }>().upload ?? "";
  return {
    stream,
    names,
    connection,
    manager,
    open: (options = {}) => openJetStreamObjects({ connection, stream, replicas: 1, ...options }),
    subjects,
    async files() {
      const all = await subjects();
      const objects = all.filter((subject) => subject.startsWith("o."));
      const uploads = await Promise.all(objects.map((subject) => uploadOf(subject.slice(2))));
      return [...objects, ...all.filter((subject) => !subject.startsWith("o.") && !uploads.includes(subject.split(".")[1] ?? ""))];
    },
    async damage(key) {
      const last_by_subj = names.chunk(await uploadOf(key), 0);
      const message = await manager.streams.getMessage(stream, { last_by_subj });
      await jetstream(connection).publish(last_by_subj, flipped(message?.data ?? new Uint8Array()));
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

describeObjects("jetstream", true, () => place());

const bytes = new Uint8Array(randomBytes(1_500_000));
const key = keyOf(bytes);

/** Gives some, says so, and goes on when told. */
function paused(from: Uint8Array, at: number) {
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  async function* stream() {
    yield from.subarray(0, at);
    reached.resolve();
    await go.promise;
    yield from.subarray(at);
  }
  return { stream: stream(), reached: reached.promise, go: go.resolve };
}

test("jetstream: a stored object is its chunks and one record, nothing of its upload", async () => {
  await using here = await place();
  const objects = await here.open();
  await objects.put(key, inParts(bytes, 10_000));
  const all = await here.subjects();
  expect(all.filter((subject) => subject.startsWith("c."))).toHaveLength(Math.ceil(bytes.length / (128 * 1024)));
  expect(all.filter((subject) => !subject.startsWith("c."))).toEqual([`o.${key}`]);
  await objects.delete(key);
  expect(await here.subjects()).toEqual([]);
});

/** A leader of three copies that was chosen a moment ago: for so many answers it has no message, and the stream ends earlier than it does. */
async function newLeader(answers: number) {
  const proxy = await startHostileNatsProxy({ target: nats.url });
  let left = answers;
  proxy.setOnMessage((_subject, _headers, payload) => {
    const answer = Buffer.from(payload).toString();
    const isFound = answer.includes("stream_msg_get_response");
    if (!isFound && !answer.includes("stream_info_response")) return "pass";
    const isBehind = left > 0;
    left -= 1;
    const error = { code: 404, err_code: 10037, description: "no message found" };
    if (isFound)
      return isBehind
        ? { payload: Buffer.from(JSON.stringify({ type: "io.nats.jetstream.api.v1.stream_msg_get_response", error })) }
        : "pass";
    const copies = answer.replace('"num_replicas":1', '"num_replicas":3');
    return { payload: Buffer.from(isBehind ? copies.replace(/"last_seq":\d+/, '"last_seq":1') : copies) };
  });
  return { url: proxy.url, behind: (count: number) => (left = count), isBehind: () => left > 0, close: () => proxy.close() };
}

test("jetstream: what a new leader does not have yet is neither missing nor damaged", async () => {
  await using here = await place();
  await (await here.open()).put(key, bytes);
  const leader = await newLeader(0);
  const connection = await connect({ servers: leader.url });
  try {
    const objects = await here.open({ connection });
    leader.behind(6);
    expect(await objects.has(key)).toBe(true);
    expect(leader.isBehind()).toBe(false);
    leader.behind(6);
    expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
    expect(leader.isBehind()).toBe(false);
    // A leader that never catches up is no answer either.
    leader.behind(Number.POSITIVE_INFINITY);
    const impatient = await here.open({ connection, timeoutMs: 500 }).finally(() => leader.behind(Number.POSITIVE_INFINITY));
    await expect(impatient.has(key)).rejects.toMatchObject({ code: "store.unavailable" });
  } finally {
    await connection.close();
    await leader.close();
  }
});

test("jetstream: of several copies too, what is not there is not there, and what was deleted stays so", async () => {
  await using here = await place();
  const leader = await newLeader(0);
  const connection = await connect({ servers: leader.url });
  try {
    const objects = await here.open({ connection });
    expect(await objects.has(key)).toBe(false);
    await expect(objects.get(key)).rejects.toMatchObject({ code: "object.not_found" });
    await objects.put(key, bytes);
    await objects.delete(key);
    expect(await objects.has(key)).toBe(false);
    expect(await here.subjects()).toEqual(["b"]);
  } finally {
    await connection.close();
    await leader.close();
  }
});

test("jetstream: a chunk that whoever is asked does not have yet is no missing chunk; one that is gone is", async () => {
  await using here = await place();
  await (await here.open()).put(key, bytes);
  const { connection, manager, stream, names } = here;
  const link = createJetStreamLink({ connection, stream, timeoutMs: 5_000 });
  const records = createObjectRecords({ connection, manager, link, stream, timeoutMs: 5_000 });
  const lags = () => vi.spyOn(manager.direct, "getMessage").mockResolvedValue(null);
  try {
    const { sequence, record } = await records.current(key);
    if (record === undefined) throw new TypeError("the object is there");
    const read = async () => {
      let size = 0;
      for await (const part of records.chunks({ sequence, record })) size += part.length;
      return size;
    };
    lags();
    vi.spyOn(manager.streams, "getMessage").mockResolvedValueOnce(null).mockResolvedValueOnce(null);
    expect(await read()).toBe(bytes.length);
    await manager.streams.purge(stream, { filter: names.chunk(record.upload, 3) });
    await expect(read()).rejects.toThrow(MissingChunk);
  } finally {
    vi.restoreAllMocks();
    link.close();
  }
});

test("jetstream: what a lost writer left is kept while it may be going on, and swept at a later open", async () => {
  await using here = await place();
  const writer = await connect({ servers: nats.url });
  const objects = await here.open({ connection: writer });
  const upload = paused(bytes, 1_000_000);
  const lost = objects.put(key, upload.stream).catch((error: unknown) => error);
  await upload.reached;
  await expect.poll(async () => (await here.subjects()).filter((subject) => subject.startsWith("c.")).length).toBeGreaterThan(5);
  await writer.close();
  upload.go();
  expect(await lost).toMatchObject({ code: "store.unavailable" });
  await here.open();
  expect((await here.subjects()).length).toBeGreaterThan(5);
  await here.open({ uploadMaxMs: 0 });
  expect((await here.subjects()).map((subject) => subject[0])).toEqual(["u"]);
  await here.open({ uploadMaxMs: 0 });
  expect(await here.subjects()).toEqual([]);
  const next = await here.open();
  await next.put(key, bytes);
  expect(Buffer.compare(await next.get(key), bytes)).toBe(0);
});

test("jetstream: an upload that was swept is refused, and nothing of it stays", async () => {
  await using here = await place();
  const objects = await here.open();
  const upload = paused(bytes, 1_000_000);
  const late = objects.put(key, upload.stream).catch((error: unknown) => error);
  await upload.reached;
  await here.open({ uploadMaxMs: 0 });
  upload.go();
  expect(await late).toMatchObject({ code: "store.unavailable" });
  expect(await objects.has(key)).toBe(false);
  expect(await here.subjects()).toEqual([]);
});

test("jetstream: an upload that takes too long ends itself, before a sweep does", async () => {
  await using here = await place();
  const objects = await here.open({ uploadMaxMs: 50 });
  async function* slow() {
    for (let at = 0; at < bytes.length; at += 300_000) {
      yield bytes.subarray(at, at + 300_000);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
  await expect(objects.put(key, slow())).rejects.toMatchObject({ code: "store.unavailable" });
  expect(await here.subjects()).toEqual([]);
});

test("jetstream: sweeping finishes deletions that broke off, and never touches an object that is there", async () => {
  await using here = await place();
  const objects = await here.open();
  await objects.put(key, bytes);
  const before = (await here.subjects()).sort();
  const js = jetstream(here.connection);
  const upload = (await here.manager.streams.getMessage(here.stream, { last_by_subj: here.names.object(key) }))?.json<{ upload: string }>();
  await js.publish(here.names.upload(upload?.upload ?? ""), JSON.stringify({ object: key, state: "done" }));
  const gone = "0".repeat(64);
  await js.publish(here.names.chunk("DEAD", 0), "left");
  await js.publish(here.names.upload("DEAD"), JSON.stringify({ object: gone, state: "dead" }));
  await js.publish(here.names.object(gone), "");
  const again = await here.open({ uploadMaxMs: 0 });
  expect((await here.subjects()).sort()).toEqual(before);
  expect(Buffer.compare(await again.get(key), bytes)).toBe(0);
});

test("jetstream: a chunk that is missing, and a record that cannot be read, are store.corrupt", async () => {
  await using here = await place();
  const objects = await here.open();
  await objects.put(key, bytes);
  const [chunk = ""] = (await here.subjects()).filter((subject) => subject.endsWith(".3"));
  await here.manager.streams.purge(here.stream, { filter: `object.${here.stream}.${chunk}` });
  await expect(objects.get(key)).rejects.toMatchObject({ code: "store.corrupt" });
  await objects.put(key, bytes);
  expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
  expect(await here.files()).toHaveLength(1);
  for (const text of [
    "{}",
    "not json",
    JSON.stringify({ upload: "a.>", bytes: 1, chunkBytes: 1 }),
    JSON.stringify({ upload: "a", bytes: 2 ** 53, chunkBytes: 1 }),
    JSON.stringify({ upload: "a", bytes: 2 ** 45, chunkBytes: 1 }),
  ]) {
    await jetstream(here.connection).publish(here.names.object(key), text);
    await expect(objects.get(key), text).rejects.toMatchObject({ code: "store.corrupt" });
  }
});

test("jetstream: an object deleted, or deleted and put again, while it is read: not found, or whole", async () => {
  await using here = await place();
  const writer = await here.open();
  let between: (() => Promise<unknown>) | undefined;
  const connection: NatsConnection = Object.create(here.connection, {
    request: {
      async value(subject: string, ...rest: never[]) {
        const work = subject.startsWith("$JS.API.DIRECT.GET.") ? between : undefined;
        if (work !== undefined) between = undefined;
        await work?.();
        return here.connection.request(subject, ...rest);
      },
    },
  });
  const reader = await here.open({ connection });
  await writer.put(key, bytes);
  between = async () => {
    await writer.delete(key);
    await writer.put(key, bytes);
  };
  expect(Buffer.compare(await reader.get(key), bytes)).toBe(0);
  expect(between).toBeUndefined();
  between = () => writer.delete(key);
  await expect(reader.get(key)).rejects.toMatchObject({ code: "object.not_found" });
  expect(between).toBeUndefined();
});

test("jetstream: an upload whose last answer is lost is found to be there", async () => {
  await using proxy = await startHostileNatsProxy({ target: nats.url });
  await using here = await place(proxy.url);
  const objects = await here.open({ timeoutMs: 1_000 });
  let dropped = 0;
  proxy.setOnMessage((_subject, _headers, payload) => {
    const isCommit = Buffer.from(payload).includes('"batch"');
    if (!isCommit || dropped > 0) return "pass";
    dropped += 1;
    return "drop";
  });
  await objects.put(key, inParts(bytes, 100_000));
  expect(dropped).toBe(1);
  expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
  expect(await here.files()).toHaveLength(1);
});

test("jetstream: connections cut in the middle: the upload goes on, the read goes on", async () => {
  await using proxy = await startHostileNatsProxy({ target: nats.url });
  await using here = await place(proxy.url);
  const objects = await here.open();
  const upload = paused(bytes, 1_000_000);
  const put = objects.put(key, upload.stream);
  await upload.reached;
  proxy.disconnect();
  upload.go();
  expect(await put).toEqual({ bytes: bytes.length });
  const read = objects.get(key);
  proxy.disconnect();
  expect(Buffer.compare(await read, bytes)).toBe(0);
});

test("jetstream: a server that does not answer is store.unavailable, never an empty answer", async () => {
  await using proxy = await startHostileNatsProxy({ target: nats.url });
  await using here = await place(proxy.url);
  const objects = await here.open({ timeoutMs: 500 });
  await objects.put(key, bytes);
  proxy.setOnMessage(() => "drop");
  const uses = await Promise.allSettled([objects.get(key), objects.has(key), objects.delete(key), objects.put(key, bytes)]);
  for (const use of uses) expect(use).toMatchObject({ status: "rejected", reason: { code: "store.unavailable" } });
  proxy.setOnMessage(() => "pass");
  expect(await objects.has(key)).toBe(true);
});

test("jetstream: objects beyond the limit are refused while they come, and leave nothing", async () => {
  await using here = await place();
  const objects = await here.open({ objectMaxBytes: 1_000_000 });
  await expect(objects.put(key, inParts(bytes, 100_000))).rejects.toMatchObject({ code: "store.value_too_large" });
  expect(await here.subjects()).toEqual([]);
});

test("jetstream: a stream of another kind is store.corrupt and stays; a missing one is not made where there was one", async () => {
  await using here = await place();
  await expect(here.open({ create: false })).rejects.toMatchObject({ code: "store.corrupt" });
  await here.manager.streams.add({ name: here.stream, subjects: [here.names.all], max_msgs_per_subject: 1 });
  await expect(here.open()).rejects.toMatchObject({ code: "store.corrupt" });
  expect((await here.manager.streams.info(here.stream)).config.allow_atomic ?? false).toBe(false);
});

test("jetstream: three replicas: an object is read, and another put, after one of three servers was killed", async () => {
  await using folder = await tempDir();
  const ports = await freePorts(3);
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const servers = await Promise.all(
    ports.map((port, n) =>
      startNats({
        dir: `${folder.path}/${n}`,
        config: `server_name: n${n}\ncluster { name: objects, listen: "127.0.0.1:${port}", routes: [${routes}] }`,
      }),
    ),
  );
  const connection = await connect({ servers: servers.slice(1).map(({ url }) => url), maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  try {
    const options = { connection, stream: "REPLICATED", replicas: 3, timeoutMs: 5_000 };
    const opened = expect.poll(() => openJetStreamObjects(options).catch((error: unknown) => String(error)), {
      timeout: 30_000,
      interval: 200,
    });
    await opened.toHaveProperty("put");
    const objects = await openJetStreamObjects(options);
    await objects.put(key, bytes);
    const info = await (await jetstreamManager(connection)).streams.info("REPLICATED");
    expect(info.config.num_replicas).toBe(3);
    await servers[0]?.kill("SIGKILL");
    const read = () => objects.get(key).then((found) => Buffer.compare(found, bytes), String);
    await expect.poll(read, { timeout: 30_000, interval: 200 }).toBe(0);
    const other = new Uint8Array(randomBytes(400_000));
    const put = () => objects.put(keyOf(other), inParts(other, 50_000)).then((done) => done.bytes, String);
    await expect.poll(put, { timeout: 30_000, interval: 200 }).toBe(other.length);
  } finally {
    await connection.close();
    for (const server of servers) await server.stop();
  }
}, 120_000);
