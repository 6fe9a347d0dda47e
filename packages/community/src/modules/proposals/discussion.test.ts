/**
 * Talking about a proposal: comments, answers, removals that are seen, and amendments that undo nothing silently.
 */
import { describe, expect, it } from "vitest";
import { amendProposalSchema, commentBodySchema, type Proposal } from "@althing/contract";
import { openProposalsWorld, type ProposalsWorld } from "../../../test/proposals-world.ts";

const of = (world: ProposalsWorld, { id }: { id: string }) => ({ community: world.garden, proposal: id });
const page = { limit: 50 };

async function discussed(options: Parameters<typeof openProposalsWorld>[0] = {}) {
  const world = await openProposalsWorld(options);
  const cleo = await world.member(world.garden, "cleo");
  const proposal = await world.create(world.ben, { discuss: true, options: [{ text: "Roses" }, { text: "Beans" }] });
  const say = (who: typeof cleo, body: string, parent?: string) =>
    world.proposals.comments.add(who, { ...of(world, proposal), body, parent });
  return {
    world,
    cleo,
    proposal,
    say,
    here: of(world, proposal),
    comments: world.proposals.comments,
    amendments: world.proposals.amendments,
  };
}

describe("comments", () => {
  it("form threads of one level, in the order of their making, and are counted", async () => {
    const { world, cleo, say, here, comments } = await discussed();
    const first = await say(cleo, "Why?");
    const answer = await say(world.ben, "Because.", first.id);
    await say(cleo, "And?");
    await expect(say(cleo, "Hm", answer.id)).rejects.toMatchObject({ code: "comment.nested" });
    await expect(say(cleo, "Hm", world.garden)).rejects.toMatchObject({ code: "comment.not_found" });
    const pages = [];
    for (let after: string | undefined; ;) {
      const { comments: found, next } = await comments.list(cleo, { ...here, limit: 2, after });
      pages.push(found.map(({ body, parent }) => [body, parent]));
      if (next === undefined) break;
      after = next;
    }
    expect(pages).toEqual([
      [
        ["Why?", undefined],
        ["Because.", first.id],
      ],
      [["And?", undefined]],
    ]);
    expect(await world.proposals.get(cleo, here)).toMatchObject({ comments: 3, version: 1 });
  });

  it("are edited by their author alone, on the revision that was read", async () => {
    const { world, cleo, say, here, comments } = await discussed();
    const { id, revision } = await say(cleo, "Why?");
    for (const who of [world.ada, world.ben])
      await expect(comments.edit(who, { ...here, comment: id, body: "I agree" })).rejects.toMatchObject({ code: "auth.forbidden" });
    const edited = await comments.edit(cleo, { ...here, comment: id, body: "Why so?" }, { ifMatch: revision });
    expect(edited).toMatchObject({ body: "Why so?", editedAt: expect.any(String) });
    await expect(comments.edit(cleo, { ...here, comment: id, body: "?" }, { ifMatch: revision })).rejects.toMatchObject({
      code: "request.precondition_failed",
    });
  });

  it("are removed for everybody to see: by their author, or by who manages with a reason", async () => {
    const { world, cleo, say, here, comments } = await discussed();
    const [own, rude] = [await say(cleo, "Oops"), await say(cleo, "You fool")];
    await expect(comments.remove(world.ben, { ...here, comment: rude.id, reason: "Rude" })).rejects.toMatchObject({
      code: "auth.forbidden",
    });
    await expect(comments.remove(world.ada, { ...here, comment: rude.id })).rejects.toMatchObject({ code: "proposal.reason_missing" });
    await comments.remove(world.ada, { ...here, comment: rude.id, reason: "Rude" });
    await comments.remove(cleo, { ...here, comment: own.id });
    await comments.remove(cleo, { ...here, comment: own.id });
    const { comments: found } = await comments.list(world.ben, { ...here, ...page });
    expect(found).toMatchObject([
      { body: "", removed: { by: "author" } },
      { body: "", removed: { by: "manager", reason: "Rude" }, author: cleo.endpoint },
    ]);
    await expect(comments.edit(cleo, { ...here, comment: rude.id, body: "You fool" })).rejects.toMatchObject({ code: "comment.removed" });
    expect(await world.proposals.get(cleo, here)).toMatchObject({ comments: 0 });
    expect((await world.topics()).filter((topic) => topic === "comment.removed")).toHaveLength(2);
  });

  it("end with the vote; removing does not", async () => {
    const { world, cleo, proposal, say, here, comments } = await discussed();
    const { id } = await say(cleo, "Before");
    await world.proposals.open(world.ben, of(world, proposal));
    await say(cleo, "During the vote");
    await world.later(8 * 24);
    await expect(say(cleo, "After")).rejects.toMatchObject({ code: "proposal.wrong_state" });
    await expect(comments.edit(cleo, { ...here, comment: id, body: "After" })).rejects.toMatchObject({ code: "proposal.wrong_state" });
    expect(await comments.remove(cleo, { ...here, comment: id })).toMatchObject({ removed: { by: "author" } });
  });

  it("are bounded for all and for one, and removing makes no room for one person's flood", async () => {
    const { world, cleo, say, here, comments } = await discussed({ limits: { proposalCommentsMax: 3, commentsPerAuthorMax: 2 } });
    const { id } = await say(cleo, "1");
    await say(cleo, "2");
    await expect(say(cleo, "3")).rejects.toMatchObject({ code: "comment.too_many", params: { limit: 2, whose: "yours" } });
    await comments.remove(cleo, { ...here, comment: id });
    await expect(say(cleo, "3")).rejects.toMatchObject({ code: "comment.too_many" });
    await say(world.ben, "3");
    await say(world.ada, "4");
    await expect(say(world.ben, "5")).rejects.toMatchObject({ code: "comment.too_many", params: { limit: 3, whose: "everybody's" } });
  });

  it("pass filter and restriction, as do their edits", async () => {
    const { world, cleo, say, here, comments } = await discussed();
    world.asked.length = 0;
    world.filter = ({ body }) => ({ body: String(body).replace("fool", "friend") });
    const { id, body } = await say(cleo, "You fool");
    expect(body).toBe("You friend");
    expect(await comments.edit(cleo, { ...here, comment: id, body: "fool!" })).toMatchObject({ body: "friend!" });
    expect(world.asked.map(({ point }) => point)).toEqual(["comment.before_create", "comment.before_create"]);
    world.filter = () => ({ body: " \n" });
    await expect(say(cleo, "x")).rejects.toMatchObject({ code: "request.invalid" });
    world.muted.add(cleo.endpoint);
    for (const act of [() => say(cleo, "x"), () => comments.edit(cleo, { ...here, comment: id, body: "x" })])
      await expect(act()).rejects.toMatchObject({ code: "moderation.muted" });
  });

  it("counts right when many speak at a time on two hubs", async () => {
    const { world, cleo, say, here } = await discussed();
    const second = world.secondHub();
    await Promise.all([
      ...[1, 2, 3].map((n) => say(cleo, `${n}`)),
      ...[4, 5, 6].map((n) => second.proposals.comments.add(world.ben, { ...here, body: `${n}` })),
    ]);
    expect(await world.proposals.get(cleo, here)).toMatchObject({ comments: 6 });
  });

  it.each(["", "  \n", "a\u0000", "\u202e", "x".repeat(10_001)])("%j is no comment", (body) => {
    expect(commentBodySchema.safeParse(body).success).toBe(false);
  });
});

describe("amendments", () => {
  const amendment = (proposal: Proposal, more: object = {}) =>
    amendProposalSchema.parse({
      title: "Water at dawn",
      body: proposal.body,
      options: [...proposal.options.slice(0, 1), { text: "Peas" }],
      why: "Cooler.",
      ...more,
    });

  it("become a version that names its author and the amendment, with ids for what is new", async () => {
    const { world, cleo, proposal, here, amendments } = await discussed();
    const made = await amendments.propose(cleo, { ...here, ...amendment(proposal) });
    expect(made).toMatchObject({ base: 1, state: "open", why: "Cooler.", options: [{ id: "o1", text: "Roses" }, { text: "Peas" }] });
    await expect(amendments.decide(cleo, { ...here, amendment: made.id, accept: true })).rejects.toMatchObject({ code: "auth.forbidden" });
    expect(await amendments.decide(world.ben, { ...here, amendment: made.id, accept: true })).toMatchObject({
      state: "accepted",
      version: 2,
    });
    expect(await world.proposals.get(cleo, here)).toMatchObject({
      ...{ title: "Water at dawn", version: 2, amendments: 1, author: world.ben.endpoint },
      options: [
        { id: "o1", text: "Roses" },
        { id: "o3", text: "Peas" },
      ],
    });
    expect(await world.proposals.version(cleo, { ...here, version: 2 })).toMatchObject({ author: cleo.endpoint, amendment: made.id });
    await expect(amendments.decide(world.ben, { ...here, amendment: made.id, accept: true })).rejects.toMatchObject({
      code: "amendment.decided",
      params: { state: "accepted" },
    });
    expect((await world.topics()).slice(-3)).toEqual(["proposal.amendment_proposed", "proposal.changed", "proposal.amendment_decided"]);
  });

  it("are turned down with a reason, by who runs it or by their own author", async () => {
    const { world, cleo, proposal, here, amendments } = await discussed();
    const [one, two] = [
      await amendments.propose(cleo, { ...here, ...amendment(proposal) }),
      await amendments.propose(cleo, { ...here, ...amendment(proposal) }),
    ];
    await expect(amendments.decide(world.ben, { ...here, amendment: one.id, accept: false })).rejects.toMatchObject({
      code: "proposal.reason_missing",
    });
    await amendments.decide(world.ben, { ...here, amendment: one.id, accept: false, reason: "Dawn is too early." });
    await amendments.decide(cleo, { ...here, amendment: two.id, accept: false, reason: "The same again." });
    const { amendments: found } = await amendments.list(world.ada, { ...here, ...page });
    expect(found).toMatchObject([{ state: "declined", reason: "Dawn is too early." }, { state: "declined" }]);
    expect(found[0]).not.toHaveProperty("body");
    expect(await world.proposals.get(cleo, here)).toMatchObject({ version: 1 });
  });

  it("that follow an older version are taken only as somebody merged them", async () => {
    const { world, cleo, proposal, here, amendments } = await discussed();
    const made = await amendments.propose(cleo, { ...here, ...amendment(proposal) });
    await world.proposals.edit(world.ben, { ...here, title: proposal.title, body: "Every morning.", options: proposal.options });
    const decide = (text?: object) =>
      amendments.decide(world.ben, {
        ...here,
        amendment: made.id,
        accept: true,
        ...(text === undefined ? {} : { text: { title: "Merged", body: "Every morning.", options: [], ...text } }),
      });
    await expect(decide()).rejects.toMatchObject({ code: "amendment.stale", params: { base: 1, version: 2 } });
    world.asked.length = 0;
    await decide({});
    expect(world.asked, "merged words are new words").toHaveLength(1);
    expect(await world.proposals.version(cleo, { ...here, version: 3 })).toMatchObject({
      title: "Merged",
      author: world.ben.endpoint,
      amendment: made.id,
    });
  });

  it("are taken once when two decide at a time", async () => {
    const { world, cleo, proposal, here, amendments } = await discussed();
    const made = await amendments.propose(cleo, { ...here, ...amendment(proposal) });
    const second = world.secondHub();
    const results = await Promise.allSettled([
      amendments.decide(world.ben, { ...here, amendment: made.id, accept: true }),
      second.proposals.amendments.decide(world.ada, { ...here, amendment: made.id, accept: false, reason: "No" }),
      amendments.decide(world.ben, { ...here, amendment: made.id, accept: true }),
    ]);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect((await world.topics()).filter((topic) => topic === "proposal.amendment_decided")).toHaveLength(1);
  });

  it("belong to the discussion, know their options and are bounded", async () => {
    const { world, cleo, proposal, here, amendments } = await discussed({ limits: { proposalAmendmentsMax: 1 } });
    await expect(
      amendments.propose(cleo, { ...here, ...amendment(proposal, { options: [{ id: "o9", text: "x" }] }) }),
    ).rejects.toMatchObject({
      code: "proposal.option_unknown",
    });
    const made = await amendments.propose(cleo, { ...here, ...amendment(proposal) });
    await expect(amendments.propose(cleo, { ...here, ...amendment(proposal) })).rejects.toMatchObject({ code: "amendment.too_many" });
    await expect(amendments.get(cleo, { ...here, amendment: world.garden })).rejects.toMatchObject({ code: "amendment.not_found" });
    await world.proposals.open(world.ben, here);
    await expect(amendments.decide(world.ben, { ...here, amendment: made.id, accept: true })).rejects.toMatchObject({
      code: "proposal.wrong_state",
    });
    expect(await amendments.decide(world.ben, { ...here, amendment: made.id, accept: false, reason: "The vote is open." })).toMatchObject({
      state: "declined",
    });
    expect(await amendments.get(cleo, { ...here, amendment: made.id })).toMatchObject({ title: "Water at dawn" });
  });
});
