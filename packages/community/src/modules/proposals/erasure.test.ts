/**
 * Forgetting a person, closing a community, and what an extension is shown: no name where none should be.
 */
import { describe, expect, it } from "vitest";
import { amendProposalSchema } from "@althing/contract";
import { openMemoryStore } from "@althing/store";
import { z } from "zod";
import { openProposalsWorld } from "../../../test/proposals-world.ts";

const names = [
  "proposals",
  "proposal-versions",
  "proposal-amendments",
  "proposal-comments",
  "proposal-groups",
  "proposal-authors",
  "agenda",
];

async function busy() {
  const store = openMemoryStore();
  const world = await openProposalsWorld({ store });
  const { proposals, ben, ada, garden } = world;
  const rule = { method: "yes_no", secret: true, trustee: ben.endpoint } as const;
  const made = await world.create(ben, { discuss: true, rule });
  const here = { community: garden, proposal: made.id };
  const text = amendProposalSchema.parse({ title: "Other" });
  const amendment = await proposals.amendments.propose(ben, { ...here, ...text });
  const said = await proposals.comments.add(ben, { ...here, body: "Mine" });
  await proposals.comments.add(ada, { ...here, body: "Hers" });
  await proposals.amendments.decide(ada, { ...here, amendment: amendment.id, accept: true });
  await proposals.open(ben, here);
  const dump = async () => {
    const found: Record<string, string> = {};
    for (const name of names)
      found[name] = JSON.stringify((await store.collection({ name, schema: z.unknown() }).list({ limit: 1_000 })).records);
    return found;
  };
  return { world, here, said, dump };
}

describe("erasure", () => {
  it("leaves what was said and decided without the name, anywhere, and may be repeated", async () => {
    const { world, here, dump } = await busy();
    const { proposals, ada, ben, garden } = world;
    expect(JSON.stringify(await dump())).toContain(ben.endpoint);
    await proposals.erase(garden, ben.endpoint);
    await proposals.erase(garden, ben.endpoint);
    expect(JSON.stringify(await dump())).not.toContain(ben.endpoint);
    const shown = await proposals.get(ada, here);
    expect(shown).toMatchObject({ author: null, title: "Other", state: "voting", rule: { secret: true } });
    expect(await proposals.version(ada, { ...here, version: 2 })).toMatchObject({ author: null });
    const { comments } = await proposals.comments.list(ada, { ...here, limit: 5 });
    expect(comments.map(({ author, body }) => [author, body])).toEqual([
      [null, "Mine"],
      [ada.endpoint, "Hers"],
    ]);
    await world.later(8 * 24);
    expect(await proposals.get(ada, here)).toMatchObject({ state: "opening" });
    expect(world.lines).toEqual([]);
  });

  it("leaves nobody's words to whom they do not belong: an erased author edits nothing", async () => {
    const { world, here, said } = await busy();
    await world.proposals.erase(world.garden, world.ben.endpoint);
    await expect(world.proposals.comments.edit(world.ben, { ...here, comment: said.id, body: "x" })).rejects.toMatchObject({
      code: "auth.forbidden",
    });
  });
});

describe("the end of a community", () => {
  it("takes everything with it, also what is due, and the agenda finds nothing to do", async () => {
    const { world, dump } = await busy();
    const forest = await world.found("forest");
    await world.proposals.purge(forest);
    expect((await dump())["proposals"]).not.toBe("[]");
    await world.proposals.purge(world.garden);
    await world.proposals.purge(world.garden);
    expect(Object.values(await dump())).toEqual(names.map(() => "[]"));
    await world.later(8 * 24);
    expect(world.lines).toEqual([]);
  });

  it("is survived by an entry of the agenda that was left behind", async () => {
    const { world, dump } = await busy();
    await world.plane.communities.delete(world.ada, { community: world.garden });
    await world.later(8 * 24);
    expect((await dump())["agenda"]).toBe("[]");
    expect(world.lines).toEqual([]);
  });
});

describe("an extension", () => {
  it("sees what everybody may see, no drafts, and nothing that names a person", async () => {
    const { world, here } = await busy();
    const { forExtensions } = world.proposals;
    const draft = await world.create(world.ben, { title: "Secret plan" });
    const one: unknown = JSON.parse((await forExtensions.get(world.garden, here.proposal)).json);
    expect(one).toMatchObject({
      id: here.proposal,
      title: "Other",
      state: "voting",
      version: 2,
      body: "",
      options: [],
      comments: 2,
      rule: { method: "yes_no" },
    });
    const list = await forExtensions.list(world.garden, undefined, 10);
    expect(JSON.parse(list.json)).toMatchObject({ items: [{ id: here.proposal, title: "Other" }] });
    for (const text of [JSON.stringify(one), list.json]) {
      for (const { endpoint } of [world.ben, world.ada]) expect(text).not.toContain(endpoint);
      expect(text).not.toContain("Secret plan");
    }
    for (const id of [draft.id, "x", "\0", "a".repeat(5_000)])
      await expect(forExtensions.get(world.garden, id)).rejects.toMatchObject({
        code: "capability.bad_argument",
        params: { call: "proposals.get" },
      });
    await expect(forExtensions.list(world.garden, "x", 10)).rejects.toMatchObject({ code: "capability.bad_argument" });
    await world.plane.modules.change(world.ada, { community: world.garden, module: "proposals", enabled: false });
    await expect(forExtensions.list(world.garden, undefined, 10)).rejects.toMatchObject({ code: "capability.unavailable" });
  });

  it("pages through them", async () => {
    const world = await openProposalsWorld();
    for (let i = 0; i < 5; i++) await world.create(world.ben, { title: `P${i}`, discuss: true });
    const titles: string[] = [];
    for (let after: string | undefined; ;) {
      const { json } = await world.proposals.forExtensions.list(world.garden, after, 2);
      const { items, next } = z
        .object({ items: z.array(z.object({ title: z.string() })), next: z.string().optional() })
        .parse(JSON.parse(json));
      titles.push(...items.map(({ title }) => title));
      if (next === undefined) break;
      after = next;
    }
    expect(titles).toEqual(["P4", "P3", "P2", "P1", "P0"]);
  });
});
