import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { startHostileNatsProxy, startNats, type TestNats } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeClaims } from "../test/claims.contract.ts";
import { openJetStreamClaims } from "./open-jetstream-claims.ts";

let nats: TestNats;
let streams = 0;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());

describeClaims("jetstream", true, async () => {
  const stream = `CLAIMS-${(streams += 1)}`;
  const closers: (() => Promise<void>)[] = [];
  return {
    async open(clock) {
      const connection = await connect({ servers: nats.url });
      closers.push(() => connection.close());
      return openJetStreamClaims({ connection, stream, replicas: 1, clock });
    },
    async [Symbol.asyncDispose]() {
      for (const close of closers) await close();
    },
  };
});

test("jetstream: expired claims are removed by the server", async () => {
  const connection = await connect({ servers: nats.url });
  const claims = openJetStreamClaims({ connection, stream: "EXPIRY", replicas: 1 });
  await Promise.all(Array.from({ length: 50 }, (_, n) => claims.claim(String(n), Date.now() + 900)));
  const manager = await jetstreamManager(connection);
  await expect.poll(async () => (await manager.streams.info("EXPIRY")).state.messages, { timeout: 15_000, interval: 100 }).toBe(0);
  expect(await claims.claim("1", Date.now() + 900)).toBe(true);
  await connection.close();
});

test("jetstream: a claim whose answer is lost is store.unavailable, and is then taken", async () => {
  const proxy = await startHostileNatsProxy({ target: nats.url });
  const connection = await connect({ servers: proxy.url });
  const claims = openJetStreamClaims({ connection, stream: "LOST", replicas: 1, timeoutMs: 250 });
  expect(await claims.claim("a", Date.now() + 60_000)).toBe(true);
  proxy.setOnMessage((_subject, _headers, payload) => (Buffer.from(payload).toString().startsWith('{"stream":') ? "drop" : "pass"));
  await expect(claims.claim("b", Date.now() + 60_000)).rejects.toMatchObject({ code: "store.unavailable" });
  proxy.setOnMessage(() => "pass");
  expect(await claims.claim("b", Date.now() + 60_000)).toBe(false);
  await connection.close();
  await proxy.close();
});
