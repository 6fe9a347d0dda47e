/** The stream of public events on a real nats-server: order under several publishers, loss, and who may see it. */
import { streams, subjects, type CommunityId, type PublicEvent } from "@althing/contract";
import { startHostileNatsProxy, startNats } from "@althing/testkit";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeOf, collect, startBus, type Person, type World } from "../test/start-bus.ts";
import { createEventStream, type EventStream } from "./event-stream.ts";

let world: World;
let ann: Person;
let stream: EventStream;
let serial = 0;
beforeAll(async () => {
  world = await startBus();
  ann = await world.person("ann");
  stream = createEventStream(world.connection.account);
});
afterAll(() => world.stop());

const freshCommunity = () => `01ARZ3NDEKTSV4RRFFQ69G${String((serial += 1)).padStart(4, "0")}` as CommunityId;
const eventOf = (community: CommunityId, index: number, topic = "proposal.created"): PublicEvent => ({
  ...{ id: "01ARZ3NDEKTSV4RRFFQ69G5FAV", community, index, time: "2026-01-05T12:00:00.000Z", topic, actor: null, redacted: ["actor"] },
  ...{ subject: "proposal/1", summary: "A proposal", data: {}, depth: 0, previous: "0".repeat(64) },
  hash: `${community}${index}`.padEnd(64, "0"),
});

async function stored(community: CommunityId): Promise<number[]> {
  const manager = await jetstreamManager(world.connection.account);
  const { state } = await manager.streams.info(streams.events, { subjects_filter: subjects.eventsOf(community) });
  const indexes: number[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++) {
    const message = await manager.streams.getMessage(streams.events, { seq });
    if (message?.subject.startsWith(`events.${community}.`) === true) indexes.push(message.json<PublicEvent>().index);
  }
  return indexes;
}

describe("the stream of events", () => {
  it("is made when it is asked for, once, and keeps its name", async () => {
    const others = [createEventStream(world.connection.account), createEventStream(world.connection.account)];
    const names = await Promise.all([stream, ...others].map((one) => one.open()));
    expect(new Set(names).size).toBe(1);
    expect(await stream.open()).toBe(names[0]);
  });

  it("takes an event only behind the community's last, whatever the topics and the others", async () => {
    const [one, other] = [freshCommunity(), freshCommunity()];
    await stream.open();
    expect(await stream.last(one)).toEqual({ index: 0, sequence: 0 });
    const first = (await stream.publish(eventOf(one, 1), 0)) ?? 0;
    await stream.publish(eventOf(other, 1), 0);
    expect(await stream.publish(eventOf(one, 2, "vote.cast"), 0)).toBeUndefined();
    const second = (await stream.publish(eventOf(one, 2, "vote.cast"), first)) ?? 0;
    expect(second).toBeGreaterThan(first);
    expect(await stream.publish(eventOf(one, 3), first)).toBeUndefined();
    expect(await stream.last(one)).toEqual({ index: 2, sequence: second });
    expect(await stored(one)).toEqual([1, 2]);
  });

  it("stores the same event once, also when its publisher did not hear so", async () => {
    const community = freshCommunity();
    const first = await stream.publish(eventOf(community, 1), 0);
    expect(await stream.publish(eventOf(community, 1), first ?? 0)).toBeUndefined();
    expect(await stored(community)).toEqual([1]);
  });

  it("clears one community and is another after it was removed", async () => {
    const [one, other] = [freshCommunity(), freshCommunity()];
    await stream.publish(eventOf(one, 1), 0);
    await stream.publish(eventOf(other, 1), 0);
    await stream.clear(one);
    expect([await stored(one), await stored(other)]).toEqual([[], [1]]);
    const name = await stream.open();
    await stream.remove();
    await stream.remove();
    expect(await codeOf(stream.publish(eventOf(one, 2), 0))).toBe("nats.unavailable");
    expect(await codeOf(stream.last(one))).toBe("nats.unavailable");
    expect(await stream.open()).not.toBe(name);
    expect(await stream.publish(eventOf(one, 1), 0)).toBe(1);
  });

  it("is nothing that a user may read or write, admin or not", async () => {
    const { nats } = await world.session(ann);
    const seen = collect(world.connection.account, "events.>");
    for (const subject of ["events.>", "events.*.>", subjects.eventsOf(freshCommunity())]) {
      const { subscription } = collect(nats, subject);
      const reason = await subscription.closed;
      expect(reason).toBeInstanceOf(Error);
      expect(String(reason)).toContain("Permissions Violation");
    }
    nats.publish(subjects.event(freshCommunity(), "proposal.created"), "forged");
    await nats.flush();
    await world.connection.account.flush();
    expect(seen.got).toEqual([]);
  });
});

it("asks again for what a leader that died did not answer, and stores an event once", async () => {
  await using nats = await startNats();
  await using proxy = await startHostileNatsProxy({ target: nats.url });
  const connection = await connect({ servers: proxy.url });
  try {
    const events = createEventStream(connection);
    await events.open();
    const community = freshCommunity();
    let lost = 0;
    const loseNext = (part: string): Promise<void> =>
      new Promise((resolve) =>
        proxy.setOnMessage((_subject, _headers, payload) => {
          if (!Buffer.from(payload).includes(part)) return "pass";
          proxy.setOnMessage(() => "pass");
          lost += 1;
          resolve();
          return "drop";
        }),
      );
    const published = loseNext('{"stream":');
    const publishing = expect(events.publish(eventOf(community, 1), 0)).rejects.toMatchObject({ code: "nats.unavailable" });
    await published;
    connection.publish(`$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.${streams.events}`, "{}");
    await publishing;
    void loseNext("stream_msg_get_response");
    expect(await events.last(community)).toMatchObject({ index: 1 });
    expect(lost).toBe(2);
    expect(await events.publish(eventOf(community, 1), 0)).toBeUndefined();
  } finally {
    await connection.close();
  }
});
