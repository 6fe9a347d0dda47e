/** The stream of public events over real HTTP, with everything that may end it; and the projection on a real nats-server. */
import { createServer } from "node:http";
import { createEventLog, type EventDraft } from "@althing/community";
import { AppError, isAppError, limits, streams, type CommunityId, type EndpointId } from "@althing/contract";
import { jetstreamManager } from "@nats-io/jetstream";
import { openJetStreamStore } from "@althing/store";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { drafted as draftedBy, openGarden, type Garden, type Tail } from "../test/open-garden.ts";
import { callAs, serveHub } from "../test/serve-hub.ts";
import { createEventStreams, type EventStreamsOptions } from "./event-stream.ts";

let here: Garden;
beforeAll(async () => {
  here = await openGarden({ eventStreamTimes: { heartbeatMs: 300, stalledMs: 400, graceMs: 3_000 } });
});
afterEach(() => here.closeTails());
afterAll(() => here[Symbol.asyncDispose]());

const drafted = (name: string | number, by: EndpointId = here.served.admin.endpoint): EventDraft => draftedBy(name, by);

describe("a stream", () => {
  test("begins now, shows events as they happen, and beats meanwhile", async () => {
    const head = await here.happen(drafted("before"));
    const live = await here.tail(here.bob);
    expect([live.status, live.headers["content-type"], live.headers["cache-control"]]).toEqual([200, "text/event-stream", "no-store"]);
    await here.happen(drafted("one"), drafted("two"));
    expect(await live.events(2)).toEqual([head + 1, head + 2]);
    expect(live.frames[0]).toEqual({ id: String(head), event: "open", data: JSON.stringify({ index: head }) });
    expect(JSON.parse(live.frames[1]?.data ?? "")).toMatchObject({
      index: head + 1,
      subject: "proposal/one",
      actor: here.served.admin.endpoint,
    });
    await expect.poll(() => live.comments(), { timeout: 5_000 }).toBeGreaterThan(1);
  });

  test("goes on after an index or the last event's id: nothing lost, nothing doubled, while events happen", async () => {
    const start = await here.happen(drafted("start"));
    const writing = (async () => {
      for (let i = 0; i < 120; i++) await here.happen(drafted(i));
    })();
    const seen: number[] = [];
    for (let cut = 0; seen.length < 120; cut++) {
      const last = seen.at(-1) ?? start;
      const live =
        cut % 2 === 0
          ? await here.tail(here.bob, `?after=${last}`)
          : await here.tail(here.bob, "?after=0", { "last-event-id": String(last) });
      const got = await live.events(Math.min(7 + cut * 3, start + 120 - last));
      live.close();
      seen.push(...got);
    }
    await writing;
    expect(seen.slice(0, 120)).toEqual(Array.from({ length: 120 }, (_, i) => start + 1 + i));
  });

  test("of an index that the log does not have is refused", async () => {
    const refused = await here.tail(here.bob, `?after=${(await here.happen(drafted("x"))) + 1}`);
    await refused.ended;
    expect([refused.status, refused.body().includes("event.not_found")]).toEqual([404, true]);
  });

  test("shows events that another hub wrote", async () => {
    await using first = await serveHub({ flags: { store: "kv" } });
    const { id } = (await callAs(first, first.admin, { method: "POST", path: "/api/communities", body: { name: "garden" } })).json;
    // What a second hub has: a store of its own over the same stream.
    const store = await openJetStreamStore({
      ...{
        connection: first.state.connection.account,
        replicas: 1,
        clock: { now: Date.now },
        stream: streams.state,
        migrations: [],
        create: false,
      },
    });
    const live = await here.tail(first.admin, "", {}, first);
    const other = createEventLog({ store, clock: { now: Date.now } });
    await other.act(id as CommunityId, () => Promise.resolve({ writes: [], events: [drafted("elsewhere")], result: 0 }));
    await live.events(1);
    expect(JSON.parse(live.frames[1]?.data ?? "")).toMatchObject({ subject: "proposal/elsewhere" });
    live.close();
    await store.close();
  });

  test("of a reader that takes nothing is cut with the reason, and the others go on", async () => {
    const [slow, quick] = [await here.tail(here.bob), await here.tail(here.bob)];
    slow.pause();
    const big = { ...drafted("big"), topic: "ext.org.example.big.made", data: { text: "x".repeat(7_000) } } as const;
    const before = here.served.hub.eventStreams();
    // More than the sockets' buffers hold.
    const written = 1_500;
    for (let i = 0; i < written; i += 50)
      await here.served.extensions.community.events.act(here.garden, () =>
        Promise.resolve({ writes: [], events: Array.from({ length: 50 }, () => big), result: 0 }),
      );
    await expect.poll(() => here.served.hub.eventStreams(), { timeout: 15_000 }).toBe(before - 1);
    expect((await quick.events(written)).length).toBe(written);
    expect(quick.cutCode()).toBeUndefined();
    slow.resume();
    await slow.ended;
    expect(slow.frames.length).toBeLessThan(written);
  });

  test("that was slow and reads again in time is told why it was cut", async () => {
    const slow = await here.tail(here.bob);
    slow.pause();
    const big = { ...drafted("big"), topic: "ext.org.example.big.made", data: { text: "x".repeat(7_000) } } as const;
    for (let i = 0; i < 20; i++)
      await here.served.extensions.community.events.act(here.garden, () =>
        Promise.resolve({ writes: [], events: Array.from({ length: 50 }, () => big), result: 0 }),
      );
    // Longer than it may stall, shorter than its reason waits for it.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    slow.resume();
    await slow.ended;
    expect(slow.cutCode()).toBe("event.stream_slow");
  });

  test("is one of so many, by person", async () => {
    const held: Tail[] = [];
    for (let i = 0; i < limits.eventStreamsPerUserMax; i++) held.push(await here.tail(here.bob));
    const refused = await here.tail(here.bob);
    await refused.ended;
    expect([refused.status, refused.body().includes("event.streams_per_user")]).toEqual([429, true]);
    expect((await here.tail(here.served.admin)).status).toBe(200);
    const count = here.served.hub.eventStreams();
    held[0]?.close();
    await expect.poll(() => here.served.hub.eventStreams()).toBeLessThan(count);
    expect((await here.tail(here.bob)).status).toBe(200);
  });

  test("ends within two seconds for a removed member, who is shown nothing after the removal", async () => {
    const carol = await here.user("carol");
    await here.join(carol);
    const live = await here.tail(carol);
    const started = performance.now();
    expect(
      (
        await callAs(here.served, here.served.admin, {
          method: "DELETE",
          path: `/api/communities/${here.garden}/members/${carol.endpoint}`,
        })
      ).status,
    ).toBe(204);
    await here.happen(drafted("secret"));
    await live.ended;
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(live.cutCode()).toBe("community.not_found");
    expect(live.body()).not.toContain("proposal/secret");
    expect(live.body()).not.toContain("member.removed");
  });

  test("ends within two seconds for whoever may no longer read events", async () => {
    const dora = await here.user("dora");
    await here.join(dora, ["observer"]);
    const live = await here.tail(dora);
    const started = performance.now();
    await here.setPermissions("observer", []);
    await live.ended;
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(live.cutCode()).toBe("auth.forbidden");
    await here.setPermissions("observer", ["events.read"]);
  });

  test("ends within two seconds for a revoked user, and a member's is not disturbed", async () => {
    const eve = await here.user("eve");
    await here.join(eve);
    const [hers, his] = [await here.tail(eve), await here.tail(here.bob)];
    const started = performance.now();
    await callAs(here.served, here.served.admin, { method: "POST", path: `/api/users/${eve.signPub}/revoke` });
    await hers.ended;
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(hers.cutCode()).toBe("auth.revoked");
    const head = await here.happen(drafted("after"));
    expect((await his.events(1)).at(-1)).toBe(head);
  });

  test("ends when the node must not serve", async () => {
    const live = await here.tail(here.bob);
    here.served.gate.close("fenced");
    await live.ended;
    expect(live.cutCode()).toBe("system.unavailable");
    here.served.gate.open();
  });

  test("ends when the node stops, and does not hold it up", async () => {
    const own = await serveHub();
    await callAs(own, own.admin, { method: "POST", path: "/api/communities", body: { name: "garden" } });
    const live = await here.tail(own.admin, "", {}, own);
    const started = performance.now();
    own.gate.stop();
    await own.hub.close(10_000);
    expect(performance.now() - started).toBeLessThan(2_000);
    await live.ended;
    expect(live.cutCode()).toBe("system.stopping");
    await own[Symbol.asyncDispose]();
  });
});

describe("a hub's streams", () => {
  /** Streams of their own over the here.served state, with a listener that does nothing else. */
  async function ownStreams(changes: Partial<EventStreamsOptions>) {
    const { events, eventReader } = here.served.extensions.community;
    const failures: unknown[] = [];
    const streamsOf = createEventStreams({
      ...{
        events,
        reader: eventReader,
        store: here.served.state.store,
        findCaller: (key) => here.served.state.bus.users.authenticate(key),
      },
      ...{ checkServing: () => here.served.gate.check(), onFailure: (error) => failures.push(error), ...changes },
    });
    const caller = await here.served.state.bus.users.authenticate(here.bob.signPub);
    const server = createServer((_, response) => {
      streamsOf
        .open({ caller, community: "garden", after: undefined })
        .then(({ live }) => live(response, "r1"))
        .catch((error: unknown) =>
          response.writeHead(isAppError(error) ? error.status : 500).end(isAppError(error) ? error.code : String(error)),
        );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    return {
      failures,
      streamsOf,
      url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
      [Symbol.asyncDispose]: async () => {
        streamsOf.close();
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      },
    };
  }

  test("are bounded, whoever they are of", async () => {
    await using own = await ownStreams({ perHubMax: 2 });
    const held = [await here.tail(here.bob, "", {}, own), await here.tail(here.bob, "", {}, own)];
    const refused = await here.tail(here.bob, "", {}, own);
    await refused.ended;
    expect([refused.status, refused.body()]).toEqual([503, "event.streams_full"]);
    held[0]?.close();
    await expect.poll(() => own.streamsOf.size).toBe(1);
    expect((await here.tail(here.bob, "", {}, own)).status).toBe(200);
  });

  test.each([
    ["fails", () => Promise.reject(new Error("the disk is gone"))],
    ["hangs", () => new Promise<number>(() => undefined)],
  ])("are cut within two seconds when asking who may read %s", async (_, revision) => {
    await using own = await ownStreams({ store: { revision } });
    const live = await here.tail(here.bob, "", {}, own);
    const started = performance.now();
    await live.ended;
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(live.cutCode()).toBe("system.unavailable");
  });

  test("find what a broken watch did not tell", async () => {
    const { events } = here.served.extensions.community;
    let follows = 0;
    const follow = (signal: AbortSignal) => {
      follows += 1;
      if (follows > 1) return events.follow(signal);
      throw new AppError("store.unavailable", { detail: "a gap" });
    };
    await using own = await ownStreams({ events: { ...events, follow } });
    const live = await here.tail(here.bob, "", {}, own);
    const head = await here.happen(drafted("unheard"));
    expect(await live.events(1)).toEqual([head]);
    expect(own.failures).toHaveLength(1);
    expect(own.streamsOf.size).toBe(1);
  });

  test("stay closed after the end", async () => {
    await using own = await ownStreams({});
    own.streamsOf.close();
    const refused = await here.tail(here.bob, "", {}, own);
    await refused.ended;
    expect([refused.status, refused.body()]).toEqual([503, "system.stopping"]);
  });
});

test("what happened is on the messaging server, in order, and names nobody", async () => {
  await here.happen(drafted("projected", here.bob.endpoint));
  await here.served.extensions.projection.settled();
  const manager = await jetstreamManager(here.served.state.connection.account);
  const last = await manager.streams.getMessage(streams.events, { last_by_subj: `events.${here.garden}.>` });
  expect(last?.subject).toBe(`events.${here.garden}.proposal.created`);
  expect(last?.json()).toMatchObject({ subject: "proposal/projected", actor: null, redacted: ["actor"] });
  expect(last?.string()).not.toContain(here.bob.endpoint);
});
