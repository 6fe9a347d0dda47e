/**
 * Proposals from draft to discussion: who sees them, who changes them, what their versions keep.
 */
import { describe, expect, it } from "vitest";
import { createProposalSchema, editProposalSchema, proposalSchema, reasonSchema } from "@althing/contract";
import { openProposalsWorld, type ProposalsWorld } from "../../../test/proposals-world.ts";

const text = (more: Record<string, unknown> = {}) =>
  editProposalSchema.parse({ title: "Water the beds", body: "Every *evening*.", ...more });
const of = (world: ProposalsWorld, { id }: { id: string }) => ({ community: world.garden, proposal: id });
const page = { mine: "false", limit: 50 } as const;

describe("who sees a proposal", () => {
  it("shows a draft to its author and to who manages, and nobody else learns that it is there", async () => {
    const world = await openProposalsWorld();
    const { proposals, ada, ben, garden } = world;
    const cleo = await world.member(garden, "cleo");
    const draft = await world.create(ben);
    expect(proposalSchema.parse(draft)).toMatchObject({ state: "draft", version: 1, revision: 1, author: ben.endpoint });
    for (const who of [ben, ada]) expect(await proposals.get(who, of(world, draft))).toMatchObject({ id: draft.id });
    const refused = { code: "proposal.not_found" };
    await expect(proposals.get(cleo, of(world, draft))).rejects.toMatchObject(refused);
    await expect(proposals.versions(cleo, { ...of(world, draft), after: 0, limit: 5 })).rejects.toMatchObject(refused);
    await expect(proposals.comments.list(cleo, { ...of(world, draft), limit: 5 })).rejects.toMatchObject(refused);
    await expect(proposals.discuss(cleo, of(world, draft))).rejects.toMatchObject(refused);
    expect((await proposals.list(cleo, { community: garden, ...page })).proposals).toEqual([]);
    expect((await proposals.list(cleo, { community: garden, ...page, state: "draft" })).proposals).toEqual([]);
    expect((await proposals.list(ben, { community: garden, ...page, state: "draft" })).proposals).toHaveLength(1);
    await proposals.withdraw(ben, { ...of(world, draft) });
    await expect(proposals.get(cleo, of(world, draft)), "a draft that was given up was never public").rejects.toMatchObject(refused);
  });

  it("finds by words of title and topic, and never somebody else's draft", async () => {
    const world = await openProposalsWorld();
    const { proposals, garden, ben } = world;
    const cleo = await world.member(garden, "cleo");
    const draft = await world.create(ben);
    const { title } = await proposals.get(ben, of(world, draft));
    const found = async (who: typeof ben, q: string) =>
      (await proposals.list(who, { community: garden, ...page, q })).proposals.map(({ id }) => id);
    expect(await found(ben, title.toUpperCase())).toEqual([draft.id]);
    expect(await found(ben, "no such word")).toEqual([]);
    expect(await found(cleo, title)).toEqual([]);
  });

  it("takes membership: an instance admin who is no member does not read along", async () => {
    const world = await openProposalsWorld();
    const dora = world.person("dora", "admin");
    const proposal = await world.create(world.ben, { discuss: true });
    await expect(world.proposals.get(dora, of(world, proposal))).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(world.proposals.get(world.person("eve"), of(world, proposal))).rejects.toMatchObject({ code: "community.not_found" });
  });

  it("refuses everything while the module is off", async () => {
    const world = await openProposalsWorld();
    const proposal = await world.create(world.ben, { discuss: true });
    await world.plane.modules.change(world.ada, { community: world.garden, module: "proposals", enabled: false });
    for (const act of [
      () => world.create(world.ben),
      () => world.proposals.get(world.ben, of(world, proposal)),
      () => world.proposals.list(world.ben, { community: world.garden, ...page }),
      () => world.proposals.comments.add(world.ben, { ...of(world, proposal), body: "Hello" }),
    ])
      await expect(act()).rejects.toMatchObject({ code: "module.disabled" });
  });

  it("finds no proposal of another community, nor under an id that is none", async () => {
    const world = await openProposalsWorld();
    const other = await world.found("forest");
    const proposal = await world.create(world.ben, { discuss: true });
    const [ada, refused] = [world.ada, { code: "proposal.not_found" }];
    await expect(world.proposals.get(ada, { community: other, proposal: proposal.id })).rejects.toMatchObject(refused);
    for (const id of ["", "x", "../..", "\0", proposal.id.toLowerCase()])
      await expect(world.proposals.get(ada, { community: world.garden, proposal: id })).rejects.toMatchObject(refused);
  });
});

describe("making and editing", () => {
  it("takes proposals.create, and a role taken away holds at once", async () => {
    const world = await openProposalsWorld();
    const eve = await world.member(world.garden, "eve", "observer");
    await expect(world.create(eve)).rejects.toMatchObject({ code: "auth.forbidden", params: { permission: "proposals.create" } });
    const draft = await world.create(world.ben);
    await world.plane.communities.setRoles(world.ada, { community: world.garden, endpoint: world.ben.endpoint, roles: ["observer"] });
    await expect(world.proposals.edit(world.ben, { ...of(world, draft), ...text() })).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(world.proposals.discuss(world.ben, of(world, draft))).rejects.toMatchObject({ code: "auth.forbidden" });
    expect(await world.proposals.withdraw(world.ben, of(world, draft)), "one's own words can always be taken back").toMatchObject({
      state: "withdrawn",
    });
  });

  it("keeps every version whole, with the ids of options that stay and none given twice", async () => {
    const world = await openProposalsWorld();
    const { proposals, ben } = world;
    const first = await world.create(ben, { options: [{ text: "Roses" }, { text: "Beans" }], rule: { method: "approval" } });
    expect(first.options).toEqual([
      { id: "o1", text: "Roses" },
      { id: "o2", text: "Beans" },
    ]);
    const edit = (options: unknown) => proposals.edit(ben, { ...of(world, first), ...text({ options }) });
    await edit([{ id: "o1", text: "Wild roses" }]);
    const third = await edit([{ text: "Peas" }, { id: "o1", text: "Wild roses" }]);
    expect(third.options, "o2 was another option").toEqual([
      { id: "o3", text: "Peas" },
      { id: "o1", text: "Wild roses" },
    ]);
    expect(third).toMatchObject({ version: 3, revision: 3, rule: { method: "approval" } });
    await expect(edit([{ id: "o2", text: "Beans" }])).rejects.toMatchObject({ code: "proposal.option_unknown" });
    const { versions } = await proposals.versions(ben, { ...of(world, first), after: 0, limit: 2 });
    expect(versions.map(({ version }) => version)).toEqual([1, 2]);
    expect(await proposals.versions(ben, { ...of(world, first), after: 2, limit: 2 })).toMatchObject({ versions: [{ version: 3 }] });
    expect(await proposals.version(ben, { ...of(world, first), version: 1 })).toMatchObject({
      options: first.options,
      rule: { method: "approval" },
    });
    await expect(proposals.version(ben, { ...of(world, first), version: 4 })).rejects.toMatchObject({ code: "proposal.version_not_found" });
  });

  it("makes no version of what is the same, and refuses one that follows an older version", async () => {
    const world = await openProposalsWorld();
    const { proposals, ben } = world;
    const draft = await world.create(ben);
    expect(await proposals.edit(ben, { ...of(world, draft), ...text() })).toMatchObject({ version: 1 });
    await proposals.edit(ben, { ...of(world, draft), ...text({ topic: "water" }) }, { ifMatch: 1 });
    await expect(proposals.edit(ben, { ...of(world, draft), ...text() }, { ifMatch: 1 })).rejects.toMatchObject({
      code: "request.precondition_failed",
      params: { expected: 1, observed: 2 },
    });
    expect((await world.topics()).filter((topic) => topic.startsWith("proposal."))).toEqual(["proposal.created", "proposal.changed"]);
  });

  it("lets nobody but the author and who manages edit, and comments do not get in an editor's way", async () => {
    const world = await openProposalsWorld();
    const cleo = await world.member(world.garden, "cleo");
    const proposal = await world.create(world.ben, { discuss: true });
    await expect(world.proposals.edit(cleo, { ...of(world, proposal), ...text({ title: "Mine" }) })).rejects.toMatchObject({
      code: "auth.forbidden",
      params: { permission: "proposals.manage" },
    });
    await world.proposals.comments.add(cleo, { ...of(world, proposal), body: "Why?" });
    const edited = await world.proposals.edit(world.ada, { ...of(world, proposal), ...text({ title: "Water all beds" }) }, { ifMatch: 1 });
    expect(edited).toMatchObject({ version: 2, author: world.ben.endpoint, title: "Water all beds" });
    expect(await world.proposals.version(cleo, { ...of(world, proposal), version: 2 })).toMatchObject({ author: world.ada.endpoint });
  });

  it("gives two edits at a time two versions, both whole", async () => {
    const world = await openProposalsWorld();
    const draft = await world.create(world.ben);
    const titles = ["One", "Two", "Three", "Four"];
    await Promise.all(titles.map((title) => world.proposals.edit(world.ben, { ...of(world, draft), ...text({ title }) })));
    const { versions } = await world.proposals.versions(world.ben, { ...of(world, draft), after: 0, limit: 10 });
    expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
    expect(
      versions
        .slice(1)
        .map(({ title }) => title)
        .sort(),
    ).toEqual([...titles].sort());
  });

  it("bounds versions, and proposals of one author that are not closed", async () => {
    const world = await openProposalsWorld({ limits: { proposalVersionsMax: 2, openProposalsPerAuthorMax: 2 } });
    const first = await world.create(world.ben);
    await world.proposals.edit(world.ben, { ...of(world, first), ...text({ title: "Two" }) });
    await expect(world.proposals.edit(world.ben, { ...of(world, first), ...text({ title: "Three" }) })).rejects.toMatchObject({
      code: "proposal.too_many_versions",
    });
    await world.create(world.ben);
    await expect(world.create(world.ben)).rejects.toMatchObject({ code: "proposal.too_many", params: { limit: 2 } });
    await world.proposals.withdraw(world.ben, of(world, first));
    await world.create(world.ben);
  });
});

describe("what enters as text", () => {
  it.each([
    ["a control character in the title", { title: "a\u0007b" }],
    ["a line feed in the title", { title: "a\nb" }],
    ["a directional override", { title: "a\u202eb" }],
    ["half a character", { title: "a\ud800" }],
    ["an escape in the body", { body: "a\u001b[2J" }],
    ["an empty title", { title: "  " }],
    ["two options of one text", { options: [{ text: "Café" }, { text: "Café" }] }],
    ["an option's id from outside", { options: [{ id: "o9", text: "x" }] }],
    ["a title that is too long", { title: "x".repeat(201) }],
    ["a body that is too long", { body: "x".repeat(50_001) }],
    ["too many options", { options: Array.from({ length: 51 }, (_, i) => ({ text: `${i}` })) }],
    ["an option that is too long", { options: [{ text: "x".repeat(201) }] }],
    ["a field that is none", { html: "<b>" }],
  ])("%s is refused", (_, change) => {
    expect(createProposalSchema.safeParse({ title: "ok", ...change }).success).toBe(false);
  });

  it.each(["", " \n", "x".repeat(2_001), "a\u0000"])("%j is no reason", (reason) => {
    expect(reasonSchema.safeParse(reason).success).toBe(false);
  });

  it("keeps Markdown, tabs and right-to-left text as they are, and line ends as line feeds", () => {
    const body = "# <script>\r\n\tשלום\r\n* \u200fא";
    expect(createProposalSchema.parse({ title: "עברית", body })).toMatchObject({ title: "עברית", body: body.replaceAll("\r\n", "\n") });
  });
});

describe("filters and restrictions", () => {
  it("asks a filter about every text that enters and takes what it leaves", async () => {
    const world = await openProposalsWorld();
    world.filter = ({ options }) => ({ body: "Filtered.", options: options === undefined ? [] : ["Roses", "Thorns"] });
    const made = await world.create(world.ben, { options: [{ text: "Roses" }, { text: "Beans" }], topic: "water" });
    expect(world.asked).toEqual([
      {
        point: "proposal.before_create",
        payload: { title: "Water the beds", body: "Every *evening*.", options: ["Roses", "Beans"], topic: "water" },
      },
    ]);
    expect(made).toMatchObject({
      body: "Filtered.",
      options: [
        { id: "o1", text: "Roses" },
        { id: "o2", text: "Thorns" },
      ],
      topic: "water",
    });
    world.filter = () => ({ options: ["Thorns", "Roses"] });
    const edited = await world.proposals.edit(world.ben, { ...of(world, made), ...text({ options: made.options }) });
    expect(edited.options, "an option that a filter moved keeps its id").toEqual([
      { id: "o2", text: "Thorns" },
      { id: "o1", text: "Roses" },
    ]);
  });

  it("refuses what a filter leaves when it is no proposal, and writes nothing", async () => {
    const world = await openProposalsWorld();
    world.filter = () => ({ title: "a\u0000b" });
    await expect(world.create(world.ben)).rejects.toMatchObject({ code: "request.invalid" });
    world.filter = () => ({ options: ["same", "same"] });
    await expect(world.create(world.ben)).rejects.toMatchObject({ code: "request.invalid" });
    expect((await world.proposals.list(world.ben, { community: world.garden, ...page })).proposals).toEqual([]);
  });

  it("asks no filter for somebody who may not speak, and decides again after the filter's answer", async () => {
    const world = await openProposalsWorld();
    const draft = await world.create(world.ben);
    world.asked.length = 0;
    const eve = await world.member(world.garden, "eve", "observer");
    await expect(world.create(eve)).rejects.toMatchObject({ code: "auth.forbidden" });
    world.muted.add(world.ben.endpoint);
    await expect(world.create(world.ben)).rejects.toMatchObject({ code: "moderation.muted" });
    await expect(world.proposals.edit(world.ben, { ...of(world, draft), ...text({ title: "x" }) })).rejects.toMatchObject({
      code: "moderation.muted",
    });
    await expect(world.proposals.discuss(world.ben, of(world, draft))).rejects.toMatchObject({ code: "moderation.muted" });
    expect(world.asked).toEqual([]);
    world.muted.clear();
    world.filter = () => {
      world.muted.add(world.ben.endpoint);
      return {};
    };
    await expect(world.create(world.ben), "muted while the filter thought").rejects.toMatchObject({ code: "moderation.muted" });
  });
});

describe("lists", () => {
  it("go newest first through pages of every state, each proposal once", async () => {
    const world = await openProposalsWorld();
    const { proposals, ben, ada, garden } = world;
    const made = [];
    for (let i = 0; i < 7; i++) made.push(await world.create(i % 2 === 0 ? ben : ada, { title: `P${i}`, discuss: i > 2 }));
    await proposals.withdraw(ben, of(world, made[4] ?? { id: "" }));
    const walk = async (query: object) => {
      const titles: string[] = [];
      for (let after: string | undefined; ;) {
        const { proposals: found, next } = await proposals.list(ben, { community: garden, mine: "false", limit: 2, after, ...query });
        titles.push(...found.map(({ title }) => title));
        if (next === undefined) return titles;
        after = next;
      }
    };
    expect(await walk({})).toEqual(["P6", "P5", "P4", "P3", "P2", "P0"]);
    expect(await walk({ state: "discussion" })).toEqual(["P6", "P5", "P3"]);
    expect(await walk({ state: "withdrawn" })).toEqual(["P4"]);
    expect(await walk({ state: "decided" })).toEqual([]);
    expect(await walk({ mine: "true" })).toEqual(["P6", "P4", "P2", "P0"]);
    expect(await walk({ mine: "true", state: "draft" })).toEqual(["P2", "P0"]);
    const [summary] = (await proposals.list(ben, { community: garden, ...page })).proposals;
    expect(summary).not.toHaveProperty("body");
  });
});
