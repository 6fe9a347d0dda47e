/** Changes of installs and the log of the community: both or neither, and a lost race is decided anew. */
import { describe, expect, it } from "vitest";
import { createInstallCommit } from "@althing/hub";
import { AppError, endpointIdSchema } from "@althing/contract";
import { retryConflicts } from "@althing/store";
import { openCommunityWorld } from "../../packages/community/test/community-world.ts";
import { z } from "zod";

const by = endpointIdSchema.parse(`${"a".repeat(42)}A`);
const told = {
  topic: "package.activated" as const,
  install: "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C",
  extension: "org.example.a",
  version: "1.0.0",
  by,
  isStart: true,
};

async function open() {
  const world = openCommunityWorld();
  const community = await world.found();
  const rows = world.store.collection({ name: "rows", schema: z.number() });
  const { events, hooks } = world.plane;
  const tells = async () =>
    (await events.read(community, 0, 100)).filter(({ topic }) => topic.startsWith("package.")).map(({ topic }) => topic);
  return { ...world, community, rows, events, hooks, tells, commit: createInstallCommit(events, hooks) };
}

describe("a change of an install", () => {
  it("is written with its event, the community's mark, and a cursor behind that event", async () => {
    const { commit, community, rows, events, store, tells } = await open();
    await commit(community, [rows.toPut(["a"], 1, 0)], [{ ...told, topic: "package.upgraded" }, told]);
    expect((await rows.get(["a"]))?.value).toBe(1);
    expect(await tells()).toEqual(["package.upgraded", "package.activated"]);
    const cursors = store.collection({ name: "hook-cursors", schema: z.object({ index: z.number() }) });
    const { index } = await events.head(community);
    expect((await cursors.get([community, told.install]))?.value.index).toBe(index);
  });

  it("that lost its race writes nothing and tells nothing, and is decided anew by whoever decided", async () => {
    const { commit, community, rows, tells } = await open();
    await rows.put(["a"], 1);
    await expect(commit(community, [rows.toPut(["a"], 2, 999)], [told])).rejects.toMatchObject({ code: "store.conflict" });
    expect([(await rows.get(["a"]))?.value, await tells()]).toEqual([1, []]);
    let decided = 0;
    await retryConflicts("the row", async () => {
      decided += 1;
      const row = await rows.get(["a"]);
      await commit(community, [rows.toPut(["a"], 2, decided === 1 ? 999 : (row?.revision ?? 0))], [told]);
    });
    expect([decided, (await rows.get(["a"]))?.value, await tells()]).toEqual([2, 2, ["package.activated"]]);
  });

  it("goes on when only the log moved meanwhile", async () => {
    const { community, rows, events, hooks, tells } = await open();
    let isFirst = true;
    const busy: typeof events.act = (id, decide) =>
      events.act(id, async () => {
        const act = await decide();
        if (!isFirst) return act;
        isFirst = false;
        throw new AppError("store.conflict", { key: "head", expected: 1, observed: 2 });
      });
    await createInstallCommit({ act: busy, head: events.head }, hooks)(community, [rows.toPut(["a"], 1, 0)], [told]);
    expect([(await rows.get(["a"]))?.value, await tells()]).toEqual([1, ["package.activated"]]);
  });

  it("names nobody in its subject and summary", async () => {
    const { commit, community, events } = await open();
    await commit(community, [], [told]);
    const [record] = (await events.read(community, 0, 100)).slice(-1);
    expect(`${record?.subject} ${record?.summary} ${record?.data}`).not.toContain(by);
    expect(record?.personal["actor"]?.value).toBe(by);
  });
});
