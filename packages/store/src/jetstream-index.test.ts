/** An index whose consumer lives on a server that is behind the stream's leader: what is acknowledged must not be missing from lists, now or ever. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { startHostileNatsProxy, startNats, type HostileNatsProxy, type NatsMessage, type TestNats } from "@althing/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { createJetStreamIndex, type JetStreamIndex } from "./jetstream-index.ts";
import { createSubjectNames } from "./jetstream-names.ts";
import { openJetStreamStore } from "./open-jetstream-store.ts";
import type { Store } from "./types.ts";

let nats: TestNats;
let proxy: HostileNatsProxy;
beforeAll(async () => {
  nats = await startNats();
  proxy = await startHostileNatsProxy({ target: nats.url });
});
afterAll(async () => {
  await proxy.close();
  await nats.stop();
});

/** Writes directly. */
let connection: NatsConnection;
let store: Store;
let stream: string;
/** Sees the stream through a server that lags. */
let behind: NatsConnection;
let index: JetStreamIndex;
let changed: string[];
let failed: unknown[];
let streams = 0;
beforeEach(async () => {
  stream = `LAG-${(streams += 1)}`;
  connection = await connect({ servers: nats.url });
  store = await openJetStreamStore({ connection, stream, replicas: 1, migrations: [] });
  behind = await connect({ servers: proxy.url });
  const manager = await jetstreamManager(behind, { checkAPI: false });
  index = createJetStreamIndex({
    connection: behind,
    manager,
    reader: manager,
    stream,
    names: createSubjectNames(stream),
    timeoutMs: 2_000,
    absenceMaxMs: 60_000,
    cacheMaxBytes: 1024 * 1024,
    clock: Date,
    isReplicated: true,
  });
  [changed, failed] = [[], []];
  index.listen({ changed: ({ fullKey }) => changed.push(fullKey), failed: (error) => failed.push(error), reached: () => undefined });
});
afterEach(async () => {
  proxy.setOnMessage(() => "pass");
  await index.close();
  await behind.close();
  await store.close();
  await connection.close();
});

const numbers = () => store.collection({ name: "numbers", schema: z.number() });
const listed = () => [...index.walk({ from: "", to: "\uffff", reverse: false })].length;

/** The copy that the consumer reads has nothing behind `upTo` until it is released. @returns releases it */
function lag(upTo: number): () => void {
  const held: NatsMessage[] = [];
  proxy.setOnMessage((_subject, headers, payload, message) => {
    const answer = Buffer.from(payload).toString();
    if (upTo === 0 && answer.includes("consumer_create_response"))
      return { payload: Buffer.from(answer.replace(/"num_pending":\d+/, '"num_pending":0')) };
    const tokens = message.reply?.startsWith("$JS.ACK.") === true ? message.reply.split(".") : undefined;
    if (tokens === undefined) return "Nats-Last-Consumer" in headers ? "drop" : "pass";
    const at = tokens.length === 9 ? 5 : 7;
    if (Number(tokens[at]) > upTo) {
      held.push(message);
      return "drop";
    }
    // As far as that copy knows nothing more is to come after its last message.
    return Number(tokens[at]) === upTo ? { ...message, reply: tokens.with(at + 3, "0").join(".") } : "pass";
  });
  return () => {
    proxy.setOnMessage(() => "pass");
    for (const message of held) proxy.inject(message);
  };
}

test.each([0, 4])(
  "built over a copy that ends at %i of 9, it has what the leader has, and keeps it when the copy has caught up",
  async (upTo) => {
    for (let n = 0; n < 9; n += 1) await numbers().create([String(n)], n);
    const last = await store.revision();
    const release = lag(upTo);
    await index.start();
    await index.reach(last);
    expect(listed()).toBe(9);
    release();
    await numbers().create(["after"], 1);
    await index.reach(await store.revision());
    expect(listed()).toBe(10);
    expect(failed).toEqual([]);
  },
);

test("what a copy far behind lacks is read from another and not asked for one by one", async () => {
  const records = 300;
  for (let n = 0; n < records; n += 100) await store.batch(Array.from({ length: 100 }, (_, i) => numbers().toPut([String(n + i)], i)));
  const consumers = new Set<string>();
  let asked = 0;
  proxy.setOnMessage((_subject, _headers, payload, message) => {
    if (Buffer.from(payload).includes("stream_msg_get_response")) asked += 1;
    const tokens = message.reply?.startsWith("$JS.ACK.") === true ? message.reply.split(".") : undefined;
    if (tokens === undefined) return "pass";
    const at = tokens.length === 9 ? 5 : 7;
    consumers.add(tokens[at - 2] ?? "");
    // The first consumer's server has ten messages, the second one's a hundred.
    const upTo = [10, 100][consumers.size - 1] ?? Number.POSITIVE_INFINITY;
    if (Number(tokens[at]) > upTo) return "drop";
    return Number(tokens[at]) === upTo ? { ...message, reply: tokens.with(at + 3, "0").join(".") } : "pass";
  });
  await index.start();
  expect(listed()).toBe(records);
  expect(consumers.size).toBe(3);
  expect(asked).toBe(0);
});

test("a batch of which the copy has a part enters it whole", async () => {
  await numbers().create(["first"], 1);
  const last = await store.batch(Array.from({ length: 6 }, (_, n) => numbers().toPut([`part-${n}`], n)));
  lag(last - 3);
  await index.start();
  expect(listed()).toBe(7);
});

test("a list built anew over a copy that is behind takes nothing back", async () => {
  for (let n = 0; n < 5; n += 1) await numbers().create([String(n)], n);
  await index.start();
  await numbers().create(["late"], 1);
  const last = await store.revision();
  await index.reach(last);
  changed.length = 0;
  const release = lag(2);
  // Nothing comes any more: what is waited for in vain has it built anew.
  await expect(index.reach(last + 5)).rejects.toMatchObject({ code: "store.unavailable" });
  await numbers().delete(["0"]);
  await index.reach(await store.revision());
  expect(listed()).toBe(5);
  expect(changed).toHaveLength(1);
  release();
});

test("a leader that does not have yet what was acknowledged is asked again", async () => {
  for (let n = 0; n < 5; n += 1) await numbers().create([String(n)], n);
  await index.start();
  let answers = 0;
  // A server that has just become leader: no deliveries, and at first no later message and an older end of the stream.
  proxy.setOnMessage((_subject, headers, payload, message) => {
    if (message.reply?.startsWith("$JS.ACK.") === true || "Nats-Last-Consumer" in headers) return "drop";
    const answer = Buffer.from(payload).toString();
    if (!answer.includes("io.nats.jetstream.api.v1.stream_") || answers > 8) return "pass";
    answers += 1;
    if (answer.includes("stream_msg_get_response"))
      return {
        payload: Buffer.from(
          '{"type":"io.nats.jetstream.api.v1.stream_msg_get_response","error":{"code":404,"err_code":10037,"description":"no message found"}}',
        ),
      };
    return { payload: Buffer.from(answer.replace(/"last_seq":\d+/, '"last_seq":5')) };
  });
  await numbers().create(["new"], 1);
  await index.reach(await store.revision());
  expect(answers).toBeGreaterThan(8);
  expect(listed()).toBe(6);
});

test("a record is not read from before what was seen of it", async () => {
  const first = await numbers().create(["k"], 1);
  const old = await connect({ servers: proxy.url });
  const seen = await openJetStreamStore({ connection: old, stream, replicas: 1, migrations: [] });
  const watched = seen.collection({ name: "numbers", schema: z.number() });
  await numbers().put(["k"], 2, first);
  expect((await watched.list()).records.map(({ value }) => value)).toEqual([2]);
  let answers = 0;
  proxy.setOnMessage((_subject, _headers, payload) => {
    const answer = Buffer.from(payload).toString();
    if (!answer.includes("stream_msg_get_response") || answers === 3) return "pass";
    answers += 1;
    return { payload: Buffer.from(answer.replace(/"seq":\d+/, `"seq":${first}`).replace(/"data":"[^"]*"/, '"data":"MQ=="')) };
  });
  expect((await watched.get(["k"]))?.value).toBe(2);
  expect(answers).toBe(3);
  await seen.close();
  await old.close();
});
