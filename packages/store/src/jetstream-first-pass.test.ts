/** A first pass whose reader is slower than the server, or loses the server on the way. */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { startHostileNatsProxy, startNats, type TestNats } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { openJetStreamStore } from "./open-jetstream-store.ts";
import type { Key } from "./types.ts";

const values = 500;
const valueChars = 100_000;

let nats: TestNats;
let connection: NatsConnection;
beforeAll(async () => {
  nats = await startNats({ config: "max_pending: 8MB" });
  connection = await connect({ servers: nats.url });
  const store = await openJetStreamStore({ connection, stream: "MUCH", replicas: 1, migrations: [] });
  const texts = store.collection({ name: "texts", schema: z.string() });
  for (let n = 0; n < values; n += 50)
    await store.batch(Array.from({ length: 50 }, (_, i) => texts.toPut([String(n + i)], "x".repeat(valueChars))));
  await store.close();
});
afterAll(async () => {
  await connection.close();
  await nats.stop();
});

const openMuch = (through: NatsConnection) =>
  openJetStreamStore({ connection: through, stream: "MUCH", replicas: 1, migrations: [], create: false });
const countOf = async (through: NatsConnection) => {
  const store = await openMuch(through);
  const texts = store.collection({ name: "texts", schema: z.string() });
  let counted = 0;
  for (let after: Key | undefined; ;) {
    const { records, next } = await texts.list(after === undefined ? {} : { after });
    counted += records.length;
    if (next === undefined) break;
    after = next;
  }
  await store.close();
  return counted;
};

test("a reader that is slower than the server is not ended by it for what waits", async () => {
  // What else a hub does at its start: it comes to its connection five times a second.
  const busy = setInterval(() => {
    for (const since = performance.now(); performance.now() - since < 190;);
  }, 200);
  try {
    const own = await connect({ servers: nats.url });
    const statuses: string[] = [];
    void (async () => {
      for await (const { type } of own.status()) statuses.push(type);
    })();
    expect(await countOf(own)).toBe(values);
    expect(statuses).toEqual([]);
    expect(nats.logs()).not.toContain("Slow Consumer");
    await own.close();
  } finally {
    clearInterval(busy);
  }
});

test("a connection that is lost in the middle ends the pass at once, and the next one has everything", async () => {
  const proxy = await startHostileNatsProxy({ target: nats.url });
  const own = await connect({ servers: proxy.url, reconnectTimeWait: 50, maxReconnectAttempts: -1 });
  let came = 0;
  proxy.setOnMessage((_subject, _headers, _payload, message) => {
    if (message.reply?.startsWith("$JS.ACK.") === true && (came += 1) === 100) proxy.disconnect();
    return "pass";
  });
  const sinceMs = performance.now();
  await expect(openMuch(own)).rejects.toMatchObject({ code: "store.unavailable" });
  expect(performance.now() - sinceMs).toBeLessThan(5_000);
  await expect.poll(() => countOf(own).catch(() => 0), { timeout: 10_000 }).toBe(values);
  await own.close();
  await proxy.close();
});
