/** From events and filters to invocations and back: who is told with which rights, and which failures are whose. */
import { describe, expect, it } from "vitest";
import { createHookHost } from "@althing/hub";
import { AppError, type PublicEvent } from "@althing/contract";
import {
  community,
  executedOf,
  extension,
  failureOf,
  installId,
  installOf,
  openWorld,
} from "../../packages/extension/test/invocation-world.ts";
import { openCommunityWorld } from "../../packages/community/test/community-world.ts";

const target = { community, install: installId, extension };
const options = { isRepeat: false, signal: new AbortController().signal };
const done = executedOf({ kind: "done", note: "" });

function open() {
  const world = openWorld();
  const people = openCommunityWorld();
  const granted = { ...installOf().granted, events: ["proposal.*"], filters: ["member.before_join"] };
  const filters = [{ point: "member.before_join" as const, mode: "fail_open" as const }];
  world.state.install = installOf({ granted }, { events: ["proposal.*"], filters });
  world.state.runner = () => Promise.resolve(done);
  const host = createHookHost({
    installs: () => ({
      active: () => Promise.resolve(world.state.install),
      locate: () => Promise.reject(new AppError("install.not_found", { install: "x" })),
      subscribed: () => Promise.resolve([]),
    }),
    invoker: () => world.invoker,
    members: people.deps.collections.members,
    authority: () => people.plane.authority,
    nowMs: Date.now,
  });
  const event = (changes: Partial<PublicEvent> = {}): PublicEvent => ({
    ...{ id: "01ARZ3NDEKTSV4RRFFQ69G5FAV", community, index: 7, time: "2026-01-01T00:00:00.000Z", topic: "proposal.created", depth: 2 },
    ...{ actor: "system", subject: "proposal/1", summary: "", data: { proposal: "1" }, redacted: [], previous: "", hash: "" },
    ...(changes as object),
  });
  return { ...world, people, host, event };
}

describe("an event", () => {
  it("is one invocation with what the event says", async () => {
    const { host, event, heads } = open();
    expect(await host.invokeEvent(target, event(), options)).toEqual({ kind: "done" });
    expect(heads.map(({ call, actor }) => ({ call, actor }))).toMatchObject([
      {
        call: {
          kind: "event",
          topic: "proposal.created",
          index: 7,
          actor: "system",
          subject: "proposal/1",
          data: '{"proposal":"1"}',
          depth: 2,
        },
        actor: undefined,
      },
    ]);
  });

  it("comes with the person who caused it while they are a member, and with nobody once they are erased", async () => {
    const { host, event, heads, people } = open();
    const garden = await people.found();
    const ben = await people.member(garden, "ben");
    for (const actor of [ben.endpoint, people.person("stranger").endpoint, null])
      await host.invokeEvent({ ...target, community: garden }, event({ actor }), options);
    expect(heads.map(({ actor }) => actor?.handle)).toEqual(["ben", undefined, undefined]);
    expect(heads[0]?.actor?.permissions).toContain("votes.cast");
  });

  it("is not told to another install, nor on a topic that is not granted any more", async () => {
    const { host, event, heads, state } = open();
    expect(await host.invokeEvent(target, event({ topic: "vote.cast" }), options)).toEqual({ kind: "skip" });
    expect(await host.invokeEvent({ ...target, install: "other" }, event(), options)).toMatchObject({ kind: "wait" });
    state.install = undefined;
    expect(await host.invokeEvent(target, event(), options)).toMatchObject({ kind: "wait" });
    expect(heads).toEqual([]);
  });

  it.each(["ext.trap", "ext.timeout", "ext.quota_exceeded", "ext.capability_denied"] as const)(
    "that ends with %s is an attempt",
    async (code) => {
      const { host, event, state } = open();
      state.runner = () => Promise.resolve(failureOf(code, "fuel"));
      expect(await host.invokeEvent(target, event(), options)).toMatchObject({ kind: "failed", code });
    },
  );

  it("that is answered with something else is an attempt", async () => {
    const { host, event, state } = open();
    state.runner = () => Promise.resolve(executedOf({ kind: "accept", payload: "{}" }));
    expect(await host.invokeEvent(target, event(), options)).toMatchObject({ kind: "failed", code: "ext.trap" });
  });

  it("waits for quotas, for a runner and for the store", async () => {
    const { host, event, state, heads } = open();
    state.policy = { limits: { requestsPerSecond: 0.001 } };
    await host.invokeEvent(target, event(), options);
    expect(await host.invokeEvent(target, event(), options)).toMatchObject({
      kind: "wait",
      code: "ext.quota_exceeded",
      afterMs: expect.any(Number),
    });
    expect(heads).toHaveLength(1);
    state.policy = {};
    for (const error of [
      new AppError("ext.unavailable", { detail: "x" }),
      new AppError("store.unavailable", { detail: "x" }),
      new TypeError("x"),
    ]) {
      state.runner = () => Promise.reject(error);
      expect(await host.invokeEvent(target, event(), options)).toMatchObject({ kind: "wait" });
    }
  });

  it("is held while policy or trust are against it", async () => {
    const { host, event, state } = open();
    for (const code of ["install.blocked", "ext.integrity"] as const) {
      state.notRunnable = new AppError(code, { rule: "trust", detail: "d", who: "w", extension });
      expect(await host.invokeEvent(target, event(), options)).toMatchObject({ kind: "blocked", code });
    }
  });

  it("that fails again and again is one fault of the package, not five", async () => {
    const { host, event, state, quarantined } = open();
    state.runner = () => Promise.resolve(failureOf("ext.trap"));
    await host.invokeEvent(target, event(), options);
    for (let i = 0; i < 10; i++) await host.invokeEvent(target, event(), { ...options, isRepeat: true });
    expect(quarantined).toEqual([]);
    for (let i = 0; i < 4; i++) await host.invokeEvent(target, event({ index: i + 8 }), options);
    expect(quarantined).toEqual([installId]);
  });
});

describe("a filter", () => {
  const ask = ({ host, people }: ReturnType<typeof open>, budgetMs = 200) =>
    host.invokeFilter(target, "member.before_join", '{"handle":"ben","answers":{}}', people.person("ben"), budgetMs);

  it("gets the payload, who asks, and no more time than there is", async () => {
    const world = open();
    world.state.runner = () => Promise.resolve(executedOf({ kind: "accept", payload: "{}" }));
    expect(await ask(world)).toEqual({ kind: "accept", payload: "{}" });
    const [head] = world.heads;
    expect(head).toMatchObject({ call: { kind: "filter", point: "member.before_join" }, actor: { handle: "ben", permissions: [] } });
    expect(head?.limits.timeMs).toBeLessThanOrEqual(200);
    expect(head?.limits.timeMs).toBeGreaterThan(100);
  });

  it("may refuse, and that it fails in whatever way is said and not thrown", async () => {
    const world = open();
    world.state.runner = () => Promise.resolve(executedOf({ kind: "refuse", reason: "no" }));
    expect(await ask(world)).toEqual({ kind: "refuse", reason: "no" });
    world.state.runner = () => Promise.resolve(done);
    expect(await ask(world)).toMatchObject({ kind: "failed" });
    world.state.runner = () => Promise.reject(new TypeError("x"));
    expect(await ask(world)).toMatchObject({ kind: "failed" });
  });

  it("that is not granted any more is passed over; one that is not active just now does not answer", async () => {
    const world = open();
    world.state.install = installOf();
    expect(await ask(world)).toEqual({ kind: "skip" });
    world.state.install = undefined;
    expect(await ask(world)).toMatchObject({ kind: "failed" });
    expect(world.heads).toEqual([]);
  });

  it("that is late is not called broken for it", async () => {
    const world = open();
    world.state.runner = () => Promise.resolve(failureOf("ext.timeout"));
    for (let i = 0; i < 10; i++) expect(await ask(world)).toMatchObject({ kind: "failed" });
    expect(world.quarantined).toEqual([]);
  });
});
