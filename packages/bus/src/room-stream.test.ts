/** Reads of the rooms' stream when answers are lost: with a server that died, or that says nothing. */
import { streams, subjects } from "@althing/contract";
import { startHostileNatsProxy, startNats, type HostileNatsProxy, type TestNats } from "@althing/testkit";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { openRoomStream, type RoomStream } from "./room-stream.ts";

let nats: TestNats;
let proxy: HostileNatsProxy;
let connection: NatsConnection;
let stream: RoomStream;
const input = subjects.input(0, "garden");
beforeAll(async () => {
  nats = await startNats();
  proxy = await startHostileNatsProxy({ target: nats.url });
  connection = await connect({ servers: proxy.url });
  // As in a cluster: an answer is compared with what the leader has.
  stream = await openRoomStream(connection, { replicas: 1, shared: true, messagesPerRoomMax: 1_000, mayCreate: true });
  for (const text of ["one", "two", "three"]) connection.publish(input, text);
  await vi.waitFor(async () => expect(await stream.lastSeq()).toBe(3));
});
afterEach(() => proxy.setOnMessage(() => "pass"));
afterAll(async () => {
  await connection.close();
  await proxy.close();
  await nats.stop();
});

const isLeadersAnswer = (payload: Uint8Array) => Buffer.from(payload).includes("stream_msg_get_response");

/** Swallows the first message that fits. @returns how often one fitted */
function loseFirst(isWanted: (payload: Uint8Array, headers: Readonly<Record<string, string>>) => boolean): () => number {
  let seen = 0;
  proxy.setOnMessage((_subject, headers, payload) => {
    if (!isWanted(payload, headers)) return "pass";
    seen += 1;
    return seen === 1 ? "drop" : "pass";
  });
  return () => seen;
}

const textsOf = async () =>
  (await stream.read(input, { fromSeq: 1, limit: 10, maxBytes: 10_000 })).frames.map(({ bytes }) => Buffer.from(bytes).toString());

describe("the rooms' stream", () => {
  it("asks the leader anew when its answer is lost", async () => {
    const answers = loseFirst(isLeadersAnswer);
    expect(await stream.newest(input)).toBe(3);
    expect(answers()).toBe(2);
  });

  it("asks at once when the stream has another leader", async () => {
    const { promise: isLost, resolve } = Promise.withResolvers<void>();
    let seen = 0;
    proxy.setOnMessage((_subject, _headers, payload) => {
      if (!isLeadersAnswer(payload)) return "pass";
      seen += 1;
      resolve();
      return seen === 1 ? "drop" : "pass";
    });
    const page = textsOf();
    await isLost;
    connection.publish(`$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.${streams.rooms}`, "{}");
    expect(await page).toEqual(["one", "two", "three"]);
  });

  it("gives a page whole, and each message of it once, when what ends it is lost", async () => {
    const ends = loseFirst((payload, headers) => payload.length === 0 && !("Nats-Sequence" in headers));
    expect(await textsOf()).toEqual(["one", "two", "three"]);
    expect(ends()).toBe(2);
  });

  it("is nats.unavailable when nobody keeps the stream any more", async () => {
    const manager = await jetstreamManager(connection);
    await manager.streams.delete(streams.rooms);
    await expect(textsOf()).rejects.toMatchObject({ code: "nats.unavailable" });
  });
});
