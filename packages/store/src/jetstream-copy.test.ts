/** State out of JetStream and into it: one moment under load, whole batches, order, and nothing that is not the same again. */
import { join } from "node:path";
import { startNats, tempDir, type TempDir, type TestNats } from "@althing/testkit";
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import {
  copyJetStreamState,
  digestCollections,
  keysInJetStream,
  loadJetStreamClaims,
  loadJetStreamState,
  openJetStreamClaims,
  openJetStreamStore,
  openSqliteClaims,
  openSqliteStore,
} from "./index.ts";
import { moveCollections } from "./sqlite-records.ts";

const numbers = { name: "numbers", schema: z.object({ n: z.int(), pad: z.string().optional() }) };
const others = { name: "others", schema: z.object({ n: z.int() }) };

let nats: TestNats;
let connection: NatsConnection;
let dir: TempDir;
const at = (name: string) => join(dir.path, name);
beforeAll(async () => {
  nats = await startNats();
  connection = await connect({ servers: nats.url });
});
afterAll(async () => {
  await connection.close();
  await nats.stop();
});
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir.remove());

test("a copy made under load is one moment: both halves of every batch, no record lost, nothing older than its start", async () => {
  const stream = "COPYLOAD";
  const store = await openJetStreamStore({ connection, stream, replicas: 1, migrations: [] });
  const [a, b] = [store.collection(numbers), store.collection(others)];
  const pairs = 40;
  for (let n = 0; n < pairs; n += 1) await store.batch([a.toPut([`k${n}`], { n: 0, pad: "x".repeat(500) }), b.toPut([`k${n}`], { n: 0 })]);
  let ended = false;
  const acknowledged = new Map<string, number>();
  const write = async (from: number) => {
    for (let n = 1; !ended; n += 1) {
      const key = `k${from + (n % (pairs / 4)) * 4}`;
      await store.batch([a.toPut([key], { n, pad: "x".repeat(500) }), b.toPut([key], { n })]);
      acknowledged.set(key, n);
    }
  };
  const writing = Promise.all([0, 1, 2, 3].map(write));
  try {
    for (let round = 0; round < 5; round += 1) {
      const before = new Map(acknowledged);
      const path = at(`copy-${round}.db`);
      const { records, revision } = await copyJetStreamState({ connection, stream, to: { path } });
      expect(records).toBe(2 * pairs);
      const copy = await openSqliteStore({ path, migrations: [] });
      const [copyA, copyB] = [copy.collection(numbers), copy.collection(others)];
      expect(await copy.revision()).toBe(revision);
      for (let n = 0; n < pairs; n += 1) {
        const key = `k${n}`;
        const [left, right] = [await copyA.get([key]), await copyB.get([key])];
        expect(left?.value.n, key).toBe(right?.value.n);
        expect(left?.value.n ?? -1, key).toBeGreaterThanOrEqual(before.get(key) ?? 0);
      }
      await copy.close();
    }
  } finally {
    ended = true;
    await writing;
    await store.close();
  }
});

test("there and back everything is the same: keys of any form, order, deleted stays deleted, numbers only grow", async () => {
  const from = await openSqliteStore({ path: at("from.db"), migrations: [] });
  const source = from.collection(numbers);
  const keys = [
    ["plain"],
    ["a", "b", "ünïcode", "😀"],
    ["dots.and *>", "x"],
    ["long", "y".repeat(255), "z".repeat(255), "w".repeat(255), "v".repeat(255)],
  ] as const;
  for (const [n, [first, ...rest]] of keys.entries()) await source.put([first, ...rest], { n });
  await source.put(["gone"], { n: 9 });
  await from.collection(others).put(["o"], { n: 1 });
  await source.put(["plain"], { n: 100, pad: "ö".repeat(100_000) });
  await source.delete(["gone"]);
  const last = await from.revision();
  await from.batch([source.toPut(["asked"], { n: 5 })], "a request");
  await from.close();
  moveCollections({ path: at("from.db") }, { path: at("others.db") }, ["others"]);
  const files = [{ path: at("others.db") }, { path: at("from.db") }];

  const stream = "COPYBACK";
  // Cut off and begun again, it is the same.
  for (let run = 0; run < 2; run += 1)
    expect(await loadJetStreamState({ connection, stream, replicas: 1, from: files, nowMs: Date.now() })).toBe(6);
  const store = await openJetStreamStore({ connection, stream, replicas: 1, migrations: [], create: false });
  const loaded = store.collection(numbers);
  const revisions = await Promise.all(
    [["dots.and *>", "x"] as const, ["plain"] as const].map(async (key) => (await loaded.get(key))?.revision ?? 0),
  );
  expect(revisions[0]).toBeGreaterThan(last);
  expect(revisions[1]).toBeGreaterThan(revisions[0] ?? 0);
  expect(await loaded.get(["gone"])).toBeUndefined();
  // The same request is done once, also here.
  await store.batch([loaded.toPut(["asked"], { n: 6 })], "a request");
  expect((await loaded.get(["asked"]))?.value.n).toBe(5);
  expect(await keysInJetStream({ connection, stream }, "numbers", [["plain"], ["gone"], ["never"]])).toEqual([["plain"]]);
  await store.close();

  const key = new Uint8Array(32).fill(7);
  await copyJetStreamState({ connection, stream, to: { path: at("back.db"), key } });
  expect(digestCollections([{ path: at("back.db"), key }])).toEqual(
    new Map([...digestCollections(files)].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  );
});

test("what ends where nothing is left is found by the leader's word; no stream is said to be none", async () => {
  const stream = "COPYENDS";
  const store = await openJetStreamStore({ connection, stream, replicas: 1, migrations: [], tombstoneTtlSeconds: 1 });
  const records = store.collection(numbers);
  await records.put(["kept"], { n: 1 });
  await records.put(["gone"], { n: 2 });
  await records.delete(["gone"]);
  await store.close();
  const manager = await jetstreamManager(connection);
  // The delete marker was the newest message, and it ends.
  const deadline = Date.now() + 20_000;
  while ((await manager.streams.info(stream)).state.messages > 1 && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await copyJetStreamState({ connection, stream, to: { path: at("ends.db") } })).toMatchObject({ records: 1 });
  await expect(copyJetStreamState({ connection, stream: "NOSUCH", to: { path: at("none.db") } })).rejects.toMatchObject({
    code: "store.corrupt",
  });
});

test("what was claimed on one machine stays claimed in JetStream until its time", async () => {
  const nowMs = Date.now();
  const claims = openSqliteClaims({ path: at("claims.db") });
  expect(await claims.claim("nonce", nowMs + 60_000)).toBe(true);
  expect(await claims.claim("other", nowMs + 60_000)).toBe(true);
  await claims.close();
  expect(await loadJetStreamClaims({ connection, stream: "COPYCLAIMS", replicas: 1, from: { path: at("claims.db") }, nowMs })).toBe(2);
  const moved = openJetStreamClaims({ connection, stream: "COPYCLAIMS", replicas: 1 });
  expect(await moved.claim("nonce", nowMs + 60_000)).toBe(false);
  expect(await moved.claim("new", nowMs + 60_000)).toBe(true);
  await moved.close();
});
