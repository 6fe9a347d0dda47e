/** What an extension may tell a community: under its own name, so often, so deep, so much. */
import { afterEach, describe, expect, it } from "vitest";
import { limits } from "@althing/contract";
import { done, garden, openHookWorld, type HookWorld } from "../../test/hook-world.ts";

let world: HookWorld;
const open = () => {
  world = openHookWorld();
  const node = world.addNode();
  const emission = { community: garden, extension: "org.example.poll", topic: "closed", subject: "poll/1", data: '{"votes":3}' };
  return {
    ...world,
    node,
    emission,
    emit: (changes: Partial<typeof emission & { causeDepth: number }> = {}) => node.hooks.emit({ ...emission, ...changes }),
  };
};
afterEach(() => world?.close());

describe("events.emit", () => {
  it("writes an event of the extension's own and gives its id", async () => {
    const { emit, node } = open();
    await world.happen(node);
    const { id } = await emit();
    const record = await node.events.one(garden, 2);
    expect(record).toMatchObject({ id, topic: "ext.org.example.poll.closed", actor: "ext:org.example.poll", subject: "poll/1", depth: 0 });
    expect(record?.data).toBe('{"votes":3}');
  });

  it.each(["", "Closed", "a b", ".a", "a.", "a..b", "a.*", "*", "../x", "a/b", "ä", "a\n", "x".repeat(200)])(
    "refuses the topic %j",
    async (topic) => {
      await expect(open().emit({ topic })).rejects.toMatchObject({ code: "capability.bad_argument" });
    },
  );

  it.each(["", "[]", "1", "null", "{", '"x"', "undefined"])("refuses the data %j", async (data) => {
    await expect(open().emit({ data })).rejects.toMatchObject({ code: "capability.bad_argument" });
  });

  it("refuses more than 8 KiB, and a subject with controls or beyond its bound", async () => {
    const { emit } = open();
    await expect(emit({ data: JSON.stringify({ text: "x".repeat(8 * 1024) }) })).rejects.toMatchObject({ code: "event.too_large" });
    for (const subject of ["a\nb", "\u202e", "x".repeat(301)])
      await expect(emit({ subject })).rejects.toMatchObject({ code: "capability.bad_argument" });
  });

  it("is bounded by the minute, for each extension and community by itself", async () => {
    const { emit, clock } = open();
    for (let count = 0; count < limits.eventsPerMinutePerInstall; count++) await emit();
    await expect(emit()).rejects.toMatchObject({ code: "ext.quota_exceeded", params: { quota: "eventsPerMinute" }, retryAfterSeconds: 60 });
    await expect(emit({ extension: "org.example.other" })).resolves.toBeDefined();
    clock.ms += 60_000;
    await expect(emit()).resolves.toBeDefined();
  });

  it("goes four deep and no further", async () => {
    const { emit } = open();
    await expect(emit({ causeDepth: 3 })).resolves.toBeDefined();
    await expect(emit({ causeDepth: 4 })).rejects.toMatchObject({ code: "event.too_deep", params: { depth: 5, limit: 4 } });
  });

  it("ends when two packages answer each other", async () => {
    const { node, emission, switchOn, until, pass } = open();
    const refusals: unknown[] = [];
    for (const [name, other] of [["ping", "pong"] as const, ["pong", "ping"] as const]) {
      const extension = `org.example.${name}`;
      await switchOn(node, name, {
        ...{ extension, events: [`ext.org.example.${other}.*`] },
        on: async ({ depth }) => {
          await node.hooks
            .emit({ ...emission, extension, topic: "said", causeDepth: depth })
            .catch((error: unknown) => refusals.push(error));
          return done;
        },
      });
    }
    await node.hooks.emit({ ...emission, extension: "org.example.ping", topic: "said" });
    await until(() => refusals.length > 0);
    await pass(60_000);
    expect(refusals).toMatchObject([{ code: "event.too_deep" }]);
    const depths = (await node.events.read(garden, 0, 100)).filter(({ topic }) => topic.endsWith("said")).map(({ depth }) => depth);
    expect(depths).toEqual([0, 1, 2, 3, 4]);
  });
});
