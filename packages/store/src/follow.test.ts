/** Following several collections in one order, and how far that is complete, whoever writes. */
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { freePorts, startNats, tempDir } from "@althing/testkit";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openJetStreamStore } from "./open-jetstream-store.ts";
import { openMemoryStore } from "./open-memory-store.ts";
import { openSqliteStore } from "./open-sqlite-store.ts";
import type { Store } from "./types.ts";

const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

const open = (store: Store) => ({
  numbers: store.collection({ name: "numbers", schema: z.number() }),
  texts: store.collection({ name: "texts", schema: z.string() }),
  others: store.collection({ name: "others", schema: z.number() }),
});

/** What follows writes down, in order; marks only where nothing is between them. */
function followed(store: Store, slowMs = 0) {
  const seen: string[] = [];
  let reached = 0;
  const stop = new AbortController();
  const { numbers, texts } = open(store);
  const done = store.follow(
    [
      numbers.toFollow(async (change) => {
        if (slowMs > 0) await sleep(slowMs);
        seen.push(change.type === "put" ? `${change.record.key.join("/")}=${change.record.value}` : `-${change.key.join("/")}`);
      }),
      texts.toFollow((change) => void seen.push(change.type === "put" ? change.record.value : `-${change.key.join("/")}`)),
    ],
    { signal: stop.signal, onReached: (revision) => (reached = revision) },
  );
  return { seen, stop, done, reached: () => reached };
}

/** Two views of one state: what is written by one, and followed by the other. */
async function places(): Promise<readonly { readonly kind: string; readonly writer: Store; readonly reader: Store }[]> {
  const nats = await startNats();
  const temp = await tempDir();
  ends.push(nats.stop, temp.remove);
  const memory = openMemoryStore();
  const sqlite = await openSqliteStore({ path: `${temp.path}/state.db`, migrations: [], fsync: "interval" });
  ends.push(() => sqlite.close());
  const [writer, reader] = await Promise.all(
    [1, 2].map(async () => {
      const connection = await connect({ servers: nats.url });
      ends.push(() => connection.close());
      const store = await openJetStreamStore({ connection, stream: "FOLLOW", replicas: 1, migrations: [] });
      ends.push(() => store.close());
      return store;
    }),
  );
  if (writer === undefined || reader === undefined) throw new TypeError("two stores were opened");
  return [
    { kind: "memory", writer: memory, reader: memory },
    { kind: "sqlite", writer: sqlite, reader: sqlite },
    { kind: "jetstream", writer, reader },
  ];
}

describe("following", async () => {
  for (const { kind, writer, reader } of await places()) {
    it(`${kind}: hands changes of all named collections over in one order, and says how far it is`, async () => {
      const { numbers, texts, others } = open(writer);
      const watch = followed(reader, 5);
      await writer.batch([numbers.toPut(["a"], 1), texts.toPut(["b"], "two"), others.toPut(["c"], 3)]);
      await others.put(["d"], 4);
      await numbers.delete(["a"]);
      const last = await others.put(["e"], 5);
      await reader.reach(last);
      await expect.poll(watch.reached).toBe(last);
      expect(watch.seen).toEqual(["a=1", "two", "-a"]);
      watch.stop.abort();
      await watch.done;
    });

    it(`${kind}: a follower that fails ends it with its error; what is not followed does no harm`, async () => {
      const { numbers, others } = open(writer);
      const failing = reader.follow(
        [
          open(reader).numbers.toFollow(() => {
            throw new Error("no more");
          }),
        ],
        { signal: new AbortController().signal },
      );
      const failed = expect(failing).rejects.toThrow("no more");
      await others.put(["x"], 1);
      await numbers.put(["y"], 1);
      await failed;
    });
  }
});

it("where several servers keep the stream, what a lost consumer does not tell is asked of the leader, and batches come whole", async () => {
  await using temp = await tempDir();
  const ports = await freePorts(3);
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const servers = await Promise.all(
    ports.map((port, n) =>
      startNats({
        dir: `${temp.path}/${n}`,
        config: `server_name: n${n}\ncluster { name: follow, listen: "127.0.0.1:${port}", routes: [${routes}] }`,
      }),
    ),
  );
  const connections = await Promise.all(servers.slice(0, 2).map(({ url }) => connect({ servers: url })));
  try {
    const [first, second] = connections;
    if (first === undefined || second === undefined) throw new TypeError("two connections were made");
    const options = { stream: "FOLLOW", replicas: 3, migrations: [] };
    const tryOpen = (connection: typeof first) => openJetStreamStore({ ...options, connection });
    await expect.poll(() => tryOpen(first).then((store) => store.close().then(() => "open"), String), { timeout: 30_000 }).toBe("open");
    const writer = await tryOpen(first);
    const reader = await tryOpen(second);
    const watch = followed(reader);
    const { numbers, texts } = open(writer);
    const before = await numbers.put(["a"], 0);
    await reader.reach(before);
    const manager = await jetstreamManager(first);
    for (const { name } of await manager.consumers.list("FOLLOW").next()) await manager.consumers.delete("FOLLOW", name);
    await numbers.put(["a"], 1);
    await writer.batch([numbers.toPut(["b"], 2), texts.toPut(["c"], "three"), numbers.toPut(["d"], 4)]);
    // The middle of the batch is written over before anybody asks for it.
    const last = await texts.put(["c"], "more");
    const startedMs = performance.now();
    await reader.reach(last);
    // Before the silence of a second that has the consumer made anew.
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await expect.poll(watch.reached).toBe(last);
    expect(watch.seen).toEqual(["a=0", "a=1", "b=2", "d=4", "more"]);
    expect((await open(reader).numbers.list()).records.map(({ value }) => value)).toEqual([1, 2, 4]);
    const after = await numbers.put(["e"], 5);
    await reader.reach(after);
    await sleep(1_500);
    // The consumer is there again, and tells nothing twice.
    const later = await numbers.put(["f"], 6);
    await reader.reach(later);
    await expect.poll(watch.reached).toBe(later);
    expect(watch.seen.slice(5)).toEqual(["e=5", "f=6"]);
    await writer.close();
    await reader.close();
  } finally {
    for (const connection of connections) await connection.close();
    for (const server of servers) await server.stop();
  }
}, 90_000);

it("an existing stream is given more copies in place, and never fewer", async () => {
  await using temp = await tempDir();
  const ports = await freePorts(3);
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const servers = await Promise.all(
    ports.map((port, n) =>
      startNats({
        dir: `${temp.path}/${n}`,
        config: `server_name: n${n}\ncluster { name: more, listen: "127.0.0.1:${port}", routes: [${routes}] }`,
      }),
    ),
  );
  const connection = await connect({ servers: servers[0]?.url ?? "" });
  try {
    const openWith = async (replicas: number) => {
      const store = await openJetStreamStore({ connection, stream: "MORE", replicas, migrations: [] });
      ends.push(() => store.close());
      return store;
    };
    await expect.poll(() => openWith(1).then(() => "open", String), { timeout: 30_000 }).toBe("open");
    const numbers = open(await openWith(1)).numbers;
    await numbers.put(["kept"], 1);
    const copies = async () => (await (await jetstreamManager(connection)).streams.info("MORE")).config.num_replicas;
    expect(await copies()).toBe(1);
    const raised = open(await openWith(3)).numbers;
    expect(await copies()).toBe(3);
    expect((await raised.get(["kept"]))?.value).toBe(1);
    await openWith(1);
    expect(await copies()).toBe(3);
  } finally {
    await connection.close();
    for (const server of servers) await server.stop();
  }
}, 90_000);
