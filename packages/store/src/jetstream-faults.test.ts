/** What the JetStream store does when answers are lost, the server dies, or the stream is not what it should be. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { startHostileNatsProxy, startNats, type HostileNatsProxy, type TestNats } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { stateStreamConfig } from "./jetstream-names.ts";
import { openJetStreamClaims } from "./open-jetstream-claims.ts";
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

const numbers = (store: Store) => store.collection({ name: "numbers", schema: z.number() });
const isPubAck = (payload: Uint8Array) => Buffer.from(payload).toString().startsWith('{"stream":');

let streams = 0;
async function withStore(
  url: string,
  work: (store: Store, connection: NatsConnection, stream: string) => Promise<void>,
  options: { timeoutMs?: number; tombstoneTtlSeconds?: number; cacheMaxBytes?: number } = {},
) {
  const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  const stream = `FAULT-${(streams += 1)}`;
  const store = await openJetStreamStore({ connection, stream, replicas: 1, migrations: [], ...options });
  try {
    await work(store, connection, stream);
  } finally {
    proxy.setOnMessage(() => "pass");
    await store.close();
    await connection.close();
  }
}

/** Swallows the next `count` acknowledgements. */
function loseAcks(count: number): void {
  let left = count;
  proxy.setOnMessage((_subject, _headers, payload) => {
    if (left === 0 || !isPubAck(payload)) return "pass";
    left -= 1;
    return "drop";
  });
}

test("a write whose acknowledgement is lost is read back and acknowledged", async () => {
  await withStore(
    proxy.url,
    async (store) => {
      const c = numbers(store);
      loseAcks(1);
      const revision = await c.create(["a"], 1);
      expect((await c.get(["a"]))?.revision).toBe(revision);
      loseAcks(1);
      const last = await store.batch([c.toPut(["b"], 1), c.toPut(["c"], 1), c.toDelete(["a"])]);
      expect(last).toBe(await store.revision());
      loseAcks(1);
      const asked = await store.batch([c.toPut(["d"], 1, 0), c.toPut(["e"], 1)], "lost");
      expect((await c.get(["e"]))?.revision).toBe(asked);
      loseAcks(1);
      expect(await store.batch([c.toPut(["d"], 2, 0), c.toPut(["e"], 2)], "lost")).toBe(asked);
      expect((await c.get(["d"]))?.value).toBe(1);
    },
    { timeoutMs: 300 },
  );
});

test("a write whose outcome cannot be known is store.unavailable, and its request id settles it later", async () => {
  await withStore(
    proxy.url,
    async (store) => {
      const c = numbers(store);
      proxy.setOnMessage((_subject, headers, payload) =>
        isPubAck(payload) || Buffer.from(payload).includes('"type":"io.nats.jetstream') || "Nats-Sequence" in headers ? "drop" : "pass",
      );
      await expect(store.batch([c.toPut(["x"], 1, 0), c.toPut(["y"], 1, 0)], "unsure")).rejects.toMatchObject({
        code: "store.unavailable",
      });
      await expect(c.get(["x"])).rejects.toMatchObject({ code: "store.unavailable" });
      await expect(c.list()).rejects.toMatchObject({ code: "store.unavailable" });
      proxy.setOnMessage(() => "pass");
      const revision = await store.batch([c.toPut(["x"], 2, 0), c.toPut(["y"], 2, 0)], "unsure");
      expect(await c.get(["y"])).toEqual({ key: ["y"], value: 1, revision });
    },
    { timeoutMs: 250 },
  );
});

test("a deleted key can be made again at once, alone and in a batch, and after its marker has expired", async () => {
  await withStore(
    nats.url,
    async (store, connection, stream) => {
      const c = numbers(store);
      const manager = await jetstreamManager(connection);
      for (let n = 0; n < 3; n += 1) {
        await c.create(["k"], n);
        await c.delete(["k"]);
      }
      await store.batch([c.toPut(["k"], 1, 0), c.toCheck(["gone"], 0)]);
      await c.delete(["k"]);
      await expect
        .poll(async () => manager.streams.getMessage(stream, { last_by_subj: `state.${stream}.v.numbers.k` }), {
          timeout: 15_000,
          interval: 100,
        })
        .toBeNull();
      const before = await store.revision();
      expect(await c.create(["k"], 5)).toBeGreaterThan(before);
      expect((await c.list()).records).toHaveLength(1);
    },
    { tombstoneTtlSeconds: 1 },
  );
});

test("values that the cache does not hold are fetched for a list", async () => {
  await withStore(
    nats.url,
    async (store) => {
      const c = store.collection({ name: "texts", schema: z.string() });
      for (let n = 0; n < 100; n += 1) await c.put([String(n).padStart(3, "0")], `${n} ${"x".repeat(200)}`);
      const page = await c.list({ limit: 200 });
      expect(page.records.map((r) => Number.parseInt(r.value))).toEqual(Array.from({ length: 100 }, (_, n) => n));
    },
    { cacheMaxBytes: 2_000 },
  );
});

test("connections cut again and again: lists stay true and watchers miss nothing", async () => {
  await withStore(proxy.url, async (store) => {
    const direct = await connect({ servers: nats.url });
    const other = await openJetStreamStore({ connection: direct, stream: `FAULT-${streams}`, replicas: 1, migrations: [] });
    const stop = new AbortController();
    const watcher = numbers(store).watch({ signal: stop.signal });
    const seen: number[] = [];
    const watching = (async () => {
      for await (const change of watcher) {
        if (change.type === "put") seen.push(change.record.value);
        if (seen.length === 60) break;
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      proxy.disconnect();
      for (let n = 0; n < 20; n += 1) await numbers(other).put(["k", String(round), String(n)], round * 20 + n);
      await expect
        .poll(
          async () =>
            (
              await numbers(store)
                .list({ limit: 1_000 })
                .catch(() => ({ records: [] }))
            ).records.length,
          { timeout: 15_000 },
        )
        .toBe((round + 1) * 20);
    }
    await watching;
    expect(seen).toEqual(Array.from({ length: 60 }, (_, n) => n));
    await other.close();
    await direct.close();
  });
}, 30_000);

test("after an absence in which delete markers expired the list of keys is built anew, and watchers hear of the deletes", async () => {
  const own = await startHostileNatsProxy({ target: nats.url });
  await withStore(
    own.url,
    async (store, _connection, stream) => {
      const direct = await connect({ servers: nats.url });
      const other = await openJetStreamStore({ connection: direct, stream, replicas: 1, migrations: [], tombstoneTtlSeconds: 1 });
      const c = numbers(other);
      for (let n = 0; n < 5; n += 1) await c.put(["k", String(n)], n);
      expect((await numbers(store).list()).records).toHaveLength(5);
      const watcher = numbers(store).watch({ signal: new AbortController().signal });
      await own.close();
      await c.delete(["k", "2"]);
      await c.put(["k", "7"], 7);
      const manager = await jetstreamManager(direct);
      await expect
        .poll(async () => manager.streams.getMessage(stream, { last_by_subj: `state.${stream}.v.numbers.k.2` }), {
          timeout: 15_000,
          interval: 100,
        })
        .toBeNull();
      const back = await startHostileNatsProxy({ target: nats.url, port: own.port });
      await expect
        .poll(
          async () =>
            (
              await numbers(store)
                .list()
                .catch(() => ({ records: [] }))
            ).records.map((r) => r.value),
          { timeout: 15_000 },
        )
        .toEqual([0, 1, 3, 4, 7]);
      const seen = [(await watcher[Symbol.asyncIterator]().next()).value, (await watcher[Symbol.asyncIterator]().next()).value];
      expect(seen).toMatchObject([
        { type: "put", record: { key: ["k", "7"] } },
        { type: "delete", key: ["k", "2"] },
      ]);
      await other.close();
      await direct.close();
      await store.close();
      await back.close();
    },
    { tombstoneTtlSeconds: 1, timeoutMs: 1_000 },
  );
});

test("nats-server killed in mid-write: every acknowledged batch is there after its restart, none by half, and the store goes on", async () => {
  const dir = await mkdtemp(join(tmpdir(), "althing-nats-"));
  let server = await startNats({ dir });
  const { port } = server;
  const connection = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
  try {
    const store = await openJetStreamStore({ connection, stream: "KILLED", replicas: 1, migrations: [], timeoutMs: 1_000 });
    const c = numbers(store);
    const acknowledged = new Set<number>();
    for (let round = 0; round < 3; round += 1) {
      let running = true;
      const writer = async (lane: number) => {
        for (let n = 0; running && !connection.isClosed(); n += 1) {
          const id = round * 1_000_000 + lane * 100_000 + n;
          const done = await store.batch([c.toPut(["left", String(id)], id), c.toPut(["right", String(id)], id)]).then(
            () => true,
            () => false,
          );
          if (done) acknowledged.add(id);
        }
      };
      const writers = [writer(1), writer(2), writer(3)];
      await expect.poll(() => acknowledged.size, { interval: 5, timeout: 15_000 }).toBeGreaterThan((round + 1) * 40);
      await server.kill("SIGKILL");
      running = false;
      server = await startNats({ dir, port });
      await Promise.all(writers);
    }
    await expect
      .poll(
        async () =>
          c.list().then(
            () => true,
            () => false,
          ),
        { timeout: 15_000 },
      )
      .toBe(true);
    const ids = async (side: string) => {
      const found = new Set<number>();
      for (
        let page = await c.list({ prefix: [side], limit: 1_000 });
        ;
        page = await c.list({ prefix: [side], limit: 1_000, after: page.next })
      ) {
        for (const record of page.records) found.add(record.value);
        if (page.next === undefined) return found;
      }
    };
    const left = await ids("left");
    expect(left).toEqual(await ids("right"));
    expect([...acknowledged].filter((id) => !left.has(id))).toEqual([]);
    expect(await c.create(["after"], 1)).toBeGreaterThan(0);
    await store.close();
  } finally {
    await connection.close();
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  }
}, 60_000);

test("a stream that is not a state stream is refused and left as it is", async () => {
  const connection = await connect({ servers: nats.url });
  const manager = await jetstreamManager(connection);
  const open = (stream: string, more = {}) => openJetStreamStore({ connection, stream, replicas: 1, migrations: [], ...more });
  await manager.streams.add({ name: "FOREIGN", subjects: ["foreign.>"] });
  await expect(open("FOREIGN")).rejects.toMatchObject({ code: "store.corrupt" });
  await manager.streams.add({ ...stateStreamConfig("DIRECT", 1), allow_direct: true });
  await expect(open("DIRECT")).rejects.toMatchObject({ code: "store.corrupt" });
  await manager.streams.add({ ...stateStreamConfig("HISTORY", 1), max_msgs_per_subject: 5 });
  await expect(open("HISTORY")).rejects.toMatchObject({ code: "store.corrupt" });
  expect((await manager.streams.info("FOREIGN")).config.subjects).toEqual(["foreign.>"]);
  await expect(open("NOWHERE", { create: false })).rejects.toMatchObject({ code: "store.corrupt" });
  await expect(manager.streams.info("NOWHERE")).rejects.toThrow();
  await expect(open("bad.name")).rejects.toThrow(TypeError);
  await connection.close();
});

test("a stream that is deleted under the store is store.corrupt or unavailable, never an empty store", async () => {
  await withStore(
    nats.url,
    async (store, connection, stream) => {
      await numbers(store).put(["a"], 1);
      await (await jetstreamManager(connection)).streams.delete(stream);
      const c = numbers(store);
      for (const use of [
        () => c.get(["a"]),
        () => c.list(),
        () => c.put(["a"], 1),
        () => store.revision(),
        () => store.batch([c.toPut(["a"], 1)], "r"),
      ]) {
        await expect(use()).rejects.toMatchObject({ code: expect.stringMatching(/^store\.(?:corrupt|unavailable)$/) });
      }
    },
    { timeoutMs: 500 },
  );
});

test("a closed connection ends watchers with store.unavailable and refuses every use", async () => {
  const connection = await connect({ servers: nats.url });
  const store = await openJetStreamStore({ connection, stream: "CLOSED", replicas: 1, migrations: [], timeoutMs: 500 });
  const watching = (async () => {
    for await (const change of numbers(store).watch({ signal: new AbortController().signal })) expect(change).toBeUndefined();
  })();
  const outcome = expect(watching).rejects.toMatchObject({ code: "store.unavailable" });
  await connection.close();
  await outcome;
  await expect(numbers(store).get(["a"])).rejects.toMatchObject({ code: "store.unavailable" });
  await expect(numbers(store).put(["a"], 1)).rejects.toMatchObject({ code: "store.unavailable" });
  await expect(numbers(store).list()).rejects.toMatchObject({ code: "store.unavailable" });
  await store.close();
});

test("a smaller max_payload of the server is the limit of a value", async () => {
  const small = await startNats({ config: "max_payload: 65536" });
  const connection = await connect({ servers: small.url });
  const store = await openJetStreamStore({ connection, stream: "SMALL", replicas: 1, migrations: [] });
  const c = store.collection({ name: "texts", schema: z.string() });
  await expect(c.put(["a"], "x".repeat(60_000))).rejects.toMatchObject({ code: "store.value_too_large" });
  await c.put(["a"], "x".repeat(57_000));
  await store.close();
  await connection.close();
  await small.stop();
});

test("a migration that another node holds is taken over once that node stands still", async () => {
  const connection = await connect({ servers: nats.url });
  const options = { connection, stream: "LEASE", replicas: 1, leaseMs: 400 };
  await (await openJetStreamStore({ ...options, migrations: [] })).close();
  let release: (() => void) | undefined;
  const stuck = { version: 1, describe: "stands still", run: () => new Promise<void>((resolve) => (release = resolve)) };
  const first = openJetStreamStore({ ...options, leaseMs: 1_000_000, migrations: [stuck] });
  const lost = expect(first).rejects.toMatchObject({ code: "store.unavailable" });
  await expect.poll(() => release !== undefined, { timeout: 15_000 }).toBe(true);
  let ran = 0;
  const second = await openJetStreamStore({ ...options, migrations: [{ version: 1, describe: "runs", run: async () => void (ran += 1) }] });
  expect(ran).toBe(1);
  expect(await second.schemaVersion()).toBe(1);
  release?.();
  await lost;
  expect(await second.schemaVersion()).toBe(1);
  await second.close();
  await connection.close();
});

/** Far more than a test takes: whoever waits for this is not heard of again. */
const forEverMs = 600_000;
const electLeader = (connection: NatsConnection, stream: string) =>
  connection.publish(`$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.${stream}`, "{}");

/** Resolves when an acknowledgement was swallowed. */
function loseAck(): Promise<void> {
  return new Promise((resolve) => {
    let isLost = false;
    proxy.setOnMessage((_subject, _headers, payload) => {
      if (isLost || !isPubAck(payload)) return "pass";
      isLost = true;
      resolve();
      return "drop";
    });
  });
}

test("a write whose leader died with the acknowledgement is read back as soon as the stream has another", async () => {
  await withStore(
    proxy.url,
    async (store, connection, stream) => {
      const lost = loseAck();
      const written = numbers(store).put(["a"], 1);
      await lost;
      electLeader(connection, stream);
      const revision = await written;
      expect(await numbers(store).get(["a"])).toMatchObject({ value: 1, revision });
    },
    { timeoutMs: forEverMs },
  );
});

test("a claim whose leader died with the acknowledgement is refused as soon as the stream has another, and was taken", async () => {
  const connection = await connect({ servers: proxy.url });
  const stream = `FAULT-${(streams += 1)}`;
  const claims = openJetStreamClaims({ connection, stream, replicas: 1, timeoutMs: forEverMs });
  try {
    const untilMs = Date.now() + 60_000;
    expect(await claims.claim("first", untilMs)).toBe(true);
    const lost = loseAck();
    const claimed = claims.claim("second", untilMs);
    const refused = expect(claimed).rejects.toMatchObject({ code: "store.unavailable" });
    await lost;
    electLeader(connection, stream);
    await refused;
    expect(await claims.claim("second", untilMs)).toBe(false);
  } finally {
    proxy.setOnMessage(() => "pass");
    await claims.close();
    await connection.close();
  }
});

test("a claim that nobody takes, as while a leader is chosen, is sent again and given once", async () => {
  const connection = await connect({ servers: nats.url });
  const stream = `FAULT-${(streams += 1)}`;
  const claims = openJetStreamClaims({ connection, stream, replicas: 1, timeoutMs: forEverMs });
  const untilMs = Date.now() + 60_000;
  try {
    expect(await claims.claim("first", untilMs)).toBe(true);
    const { streams: api } = await jetstreamManager(connection);
    const { config } = await api.info(stream);
    await api.delete(stream);
    const claimed = claims.claim("second", untilMs);
    // Long enough for the claim to meet nobody; however long, it is given.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await api.add(config);
    expect(await claimed).toBe(true);
    expect(await claims.claim("second", untilMs)).toBe(false);
  } finally {
    await claims.close();
    await connection.close();
  }
});

test("a claim that nobody takes in time is refused", async () => {
  const connection = await connect({ servers: nats.url });
  const stream = `FAULT-${(streams += 1)}`;
  const claims = openJetStreamClaims({ connection, stream, replicas: 1, timeoutMs: 150 });
  try {
    expect(await claims.claim("first", Date.now() + 60_000)).toBe(true);
    await (await jetstreamManager(connection)).streams.delete(stream);
    await expect(claims.claim("second", Date.now() + 60_000)).rejects.toMatchObject({ code: "store.unavailable" });
  } finally {
    await claims.close();
    await connection.close();
  }
});
