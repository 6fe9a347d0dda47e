/** Dead letters in an admin's hands: told again, given up, and what two admins do at a time. */
import { afterEach, describe, expect, it } from "vitest";
import { caller, done, failure, garden, openHookWorld, type HookWorld } from "../../test/hook-world.ts";

let world: HookWorld;
afterEach(() => world?.close());

const of = { community: garden, install: "bot" };

/** Three letters of one install whose guest is mended when the test says so. */
async function withLetters() {
  world = openHookWorld({ settings: { attemptsMax: 1 } });
  const node = world.addNode();
  const guest = await world.switchOn(node, "bot", { events: ["proposal.*"], on: () => failure });
  const indexes = [await world.happen(node), await world.happen(node), await world.happen(node)];
  await world.until(async () => (await world.lettersOf("bot")).length === 3);
  guest.told.length = 0;
  return { node, guest, indexes, letters: node.hooks.deadLetters };
}

describe("dead letters", () => {
  it("are listed oldest first, page by page, of a package that is there", async () => {
    const { letters, indexes } = await withLetters();
    const page = await letters.list(caller, { ...of, limit: 2 });
    expect(page).toMatchObject({
      letters: [{ index: indexes[0], attempts: 1 }, { index: indexes[1] }],
      dropped: 0,
      skipped: 0,
      next: indexes[1],
    });
    expect((await letters.list(caller, { ...of, after: page.next, limit: 2 })).letters.map(({ index }) => index)).toEqual([indexes[2]]);
    await expect(letters.list(caller, { ...of, install: "none", limit: 2 })).rejects.toMatchObject({ code: "install.not_found" });
  });

  it("go when the event is taken, and stay with their count when it is not", async () => {
    const { letters, guest, indexes } = await withLetters();
    guest.on = ({ index }) => (index === indexes[1] ? failure : done);
    const result = await letters.replay(caller, of);
    expect(result).toMatchObject({ delivered: 2, failed: [{ index: indexes[1], attempts: 2, code: "ext.trap" }], left: 0 });
    expect(guest.told).toEqual(indexes);
    expect(await world.lettersOf("bot")).toEqual(result.failed);
    guest.on = () => done;
    expect(await letters.replay(caller, { ...of, index: indexes[1] })).toEqual({ delivered: 1, failed: [], left: 0 });
    await expect(letters.replay(caller, { ...of, index: indexes[1] })).rejects.toMatchObject({ code: "hook.letter_not_found" });
  });

  it("are left alone while the install cannot be told, with the reason", async () => {
    const { letters, guest } = await withLetters();
    guest.on = () => ({ kind: "blocked", code: "install.blocked", detail: "policy" });
    expect(await letters.replay(caller, of)).toEqual({ delivered: 0, failed: [], left: 3, stopped: "policy" });
    guest.on = () => ({ kind: "skip" });
    expect(await letters.replay(caller, of)).toMatchObject({ left: 3, stopped: "it is not told of proposal.created any more" });
    expect(await world.lettersOf("bot")).toHaveLength(3);
  });

  it("are tried for a bounded time only", async () => {
    const { letters, guest } = await withLetters();
    guest.on = () => {
      world.clock.ms += 6_000;
      return done;
    };
    expect(await letters.replay(caller, of)).toEqual({ delivered: 2, failed: [], left: 1 });
  });

  it("are counted once when two admins replay or discard the same", async () => {
    const { letters, guest } = await withLetters();
    guest.on = () => done;
    const results = await Promise.all([letters.replay(caller, of), letters.replay(caller, of), letters.discard(caller, of)]);
    const [one, two, gone] = results;
    expect(one.delivered + two.delivered + gone.discarded).toBe(3);
    expect(await world.lettersOf("bot")).toEqual([]);
  });

  it("are given up for good", async () => {
    const { letters, indexes } = await withLetters();
    expect(await letters.discard(caller, { ...of, index: indexes[0] })).toEqual({ discarded: 1 });
    await expect(letters.discard(caller, { ...of, index: indexes[0] })).rejects.toMatchObject({ code: "hook.letter_not_found" });
    expect(await letters.discard(caller, of)).toEqual({ discarded: 2 });
    expect(await letters.discard(caller, of)).toEqual({ discarded: 0 });
  });
});
