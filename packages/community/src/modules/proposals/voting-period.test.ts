/**
 * The vote as a span of time: opened once, ended once, whatever clicks, dies or is cast at the same moment.
 */
import { describe, expect, it } from "vitest";
import type { Proposal, VotingRule } from "@althing/contract";
import { openProposalsWorld, type ProposalsWorld } from "../../../test/proposals-world.ts";
import { decisionOf } from "./decision.ts";

const of = (world: ProposalsWorld, { id }: { id: string }) => ({ community: world.garden, proposal: id });
const settled = async (acts: readonly Promise<unknown>[]) => (await Promise.allSettled(acts)).map(({ status }) => status).sort();
const yes = { choice: "yes" } as const;
const count = (topics: readonly string[], topic: string): number => topics.filter((one) => one === topic).length;

async function voting(world: ProposalsWorld, rule?: Partial<VotingRule> & { method: VotingRule["method"] }): Promise<Proposal> {
  const made = await world.create(world.ben, { discuss: true, ...(rule === undefined ? {} : { rule }) });
  return world.proposals.open(world.ben, of(world, made));
}

describe("opening the vote", () => {
  it("goes from discussion only, waits for discussionDays, and says when it can open", async () => {
    const world = await openProposalsWorld();
    const { proposals, ben, ada, garden } = world;
    await world.plane.modules.change(ada, { community: garden, module: "proposals", settings: { discussionDays: 3, votingDays: 2 } });
    const draft = await world.create(ben);
    await expect(proposals.open(ben, of(world, draft))).rejects.toMatchObject({ code: "proposal.wrong_state", params: { state: "draft" } });
    await proposals.discuss(ben, of(world, draft));
    await expect(proposals.discuss(ben, of(world, draft))).rejects.toMatchObject({ code: "proposal.wrong_state" });
    await world.later(71);
    for (const who of [ben, ada])
      await expect(proposals.open(who, of(world, draft))).rejects.toMatchObject({
        code: "proposal.discussion_too_short",
        params: { days: 3, opensAt: "2026-01-08T12:00:00.000Z" },
        retryAfterSeconds: 3_600,
      });
    await world.later(1);
    expect(await proposals.open(ben, of(world, draft), { ifMatch: 1 })).toMatchObject({
      ...{ state: "voting", votingOpenedAt: "2026-01-08T12:00:00.000Z", closesAt: "2026-01-10T12:00:00.000Z" },
    });
  });

  it("opens once when it is clicked twice, and the text is fixed from then on", async () => {
    const world = await openProposalsWorld();
    const made = await world.create(world.ben, { discuss: true });
    const second = world.secondHub();
    expect(
      await settled([
        world.proposals.open(world.ben, of(world, made)),
        world.proposals.open(world.ben, of(world, made)),
        second.proposals.open(world.ada, of(world, made)),
      ]),
    ).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(count(await world.topics(), "proposal.voting_opened")).toBe(1);
    const edit = { ...of(world, made), title: "Other", body: "", options: [] };
    for (const who of [world.ben, world.ada])
      await expect(world.proposals.edit(who, edit)).rejects.toMatchObject({ code: "proposal.wrong_state" });
  });

  it("refuses a version that the opener has not seen, and a rule that the ballots refuse", async () => {
    const world = await openProposalsWorld();
    const made = await world.create(world.ben, { discuss: true, rule: { method: "irv" } });
    await expect(world.proposals.open(world.ben, of(world, made), { ifMatch: 2 })).rejects.toMatchObject({
      code: "request.precondition_failed",
    });
    await expect(world.proposals.open(world.ben, of(world, made))).rejects.toMatchObject({ code: "request.invalid" });
    expect(await world.proposals.get(world.ben, of(world, made))).toMatchObject({ state: "discussion" });
  });

  it.each(["2026-01-05T12:00:30Z", "2026-01-01T00:00:00Z", "2026-04-06T12:00:01Z", "9999-12-31T23:59:59Z"])(
    "refuses an end at %s",
    async (closesAt) => {
      const world = await openProposalsWorld();
      const made = await world.create(world.ben, { discuss: true });
      await expect(world.proposals.open(world.ben, { ...of(world, made), closesAt })).rejects.toMatchObject({
        code: "proposal.closes_at_invalid",
      });
    },
  );
});

describe("the end of a vote", () => {
  it("comes at its time with one notice before and the whole result after", async () => {
    const world = await openProposalsWorld();
    const cleo = await world.member(world.garden, "cleo");
    const proposal = await voting(world);
    for (const who of [world.ada, world.ben]) await world.cast(who, proposal, yes);
    await world.cast(cleo, proposal, { choice: "no" });
    await world.later(6 * 24 - 1);
    expect(count(await world.topics(), "proposal.closing_soon")).toBe(0);
    await world.later(2);
    await world.later(1);
    expect(count(await world.topics(), "proposal.closing_soon")).toBe(1);
    await world.later(24);
    const decided = await world.proposals.get(cleo, of(world, proposal));
    expect(decided).toMatchObject({
      ...{ state: "decided", ballots: 3 },
      report: { outcome: "passed", winners: ["yes"], totals: { yes: 2, no: 1 }, eligible: 3, quorum: { met: true } },
    });
    expect((await world.topics()).slice(-1)).toEqual(["proposal.decided"]);
    const [last] = await world.plane.events.read(world.garden, (await world.plane.events.head(world.garden)).index - 1, 1);
    expect(last).toMatchObject({ actor: "system", subject: `proposal/${proposal.id}` });
    await world.later(24 * 30);
    expect(count(await world.topics(), "proposal.decided")).toBe(1);
    expect(
      (await world.proposals.list(cleo, { community: world.garden, mine: "false", limit: 5, state: "decided" })).proposals,
    ).toMatchObject([{ id: proposal.id, outcome: "passed", winners: ["yes"] }]);
  });

  it("comes once on two hubs at a time", async () => {
    const world = await openProposalsWorld();
    const proposal = await voting(world);
    const second = world.secondHub();
    world.clock.ms += 8 * 24 * 3_600_000;
    await Promise.all([world.plane.agenda.tick(), second.tick(), second.tick()]);
    expect(await world.proposals.get(world.ben, of(world, proposal))).toMatchObject({
      state: "decided",
      report: { outcome: "failed", ballots: 0 },
    });
    expect(count(await world.topics(), "proposal.decided")).toBe(1);
    expect(count(await world.topics(), "proposal.closing_soon"), "the vote was over before its notice was told").toBe(0);
    expect(world.lines).toEqual([]);
  });

  it("takes a ballot that is cast at that moment whole, or refuses it", async () => {
    for (let round = 0; round < 10; round++) {
      const world = await openProposalsWorld();
      const proposal = await voting(world);
      world.clock.ms += 8 * 24 * 3_600_000;
      const second = world.secondHub();
      const [, cast] = await Promise.allSettled([second.tick(), world.cast(world.ben, proposal, yes), world.plane.agenda.tick()]);
      const { report, ballots } = await world.proposals.get(world.ben, of(world, proposal));
      expect(report?.ballots).toBe(cast.status === "fulfilled" ? 1 : 0);
      expect(ballots).toBe(report?.ballots);
    }
  });

  it("comes with the module off, with the author gone, and after a crash of who was to end it", async () => {
    const world = await openProposalsWorld();
    const proposal = await voting(world);
    await world.cast(world.ben, proposal, yes);
    await world.plane.modules.change(world.ada, { community: world.garden, module: "proposals", enabled: false });
    await world.plane.communities.removeMember(world.ada, { community: world.garden, endpoint: world.ben.endpoint });
    world.clock.ms += 8 * 24 * 3_600_000;
    await world.secondHub().tick();
    await world.plane.modules.change(world.ada, { community: world.garden, module: "proposals", enabled: true });
    expect(await world.proposals.get(world.ada, of(world, proposal))).toMatchObject({ state: "decided", report: { ballots: 1 } });
  });

  it("leaves a secret vote to its trustee", async () => {
    const world = await openProposalsWorld();
    const proposal = await voting(world, { method: "yes_no", secret: true, trustee: world.ada.endpoint });
    await world.later(8 * 24);
    expect(await world.proposals.get(world.ben, of(world, proposal))).toMatchObject({ state: "opening" });
    expect((await world.topics()).slice(-1)).toEqual(["proposal.voting_closed"]);
    const opened = (await world.proposals.list(world.ben, { community: world.garden, mine: "false", limit: 5, state: "opening" }))
      .proposals;
    expect(opened).toHaveLength(1);
    expect(await world.proposals.withdraw(world.ada, { ...of(world, proposal), reason: "The key is lost." })).toMatchObject({
      ...{ state: "withdrawn", withdrawn: { by: "manager", reason: "The key is lost." } },
    });
    expect(world.discarded).toEqual([proposal.id]);
  });
});

describe("before its time", () => {
  it("a vote ends by who manages when nobody voted, or everybody has, and else goes on", async () => {
    const world = await openProposalsWorld();
    const { proposals, ada, ben } = world;
    const empty = await voting(world);
    await expect(proposals.close(ben, of(world, empty))).rejects.toMatchObject({ code: "auth.forbidden" });
    expect(await settled([proposals.close(ada, of(world, empty)), proposals.close(ada, of(world, empty))])).toEqual([
      "fulfilled",
      "rejected",
    ]);
    expect(await proposals.get(ben, of(world, empty))).toMatchObject({ state: "decided", report: { outcome: "failed", ballots: 0 } });
    const full = await voting(world);
    await world.cast(ben, full, yes);
    await expect(proposals.close(ada, of(world, full))).rejects.toMatchObject({ code: "proposal.votes_cast", params: { ballots: 1 } });
    await world.cast(ada, full, yes);
    expect(await proposals.close(ada, of(world, full))).toMatchObject({ state: "decided", report: { outcome: "passed" } });
    const secret = await voting(world, { method: "yes_no", secret: true, trustee: ada.endpoint });
    await world.cast(ben, secret, yes);
    await world.cast(ada, secret, yes);
    await expect(proposals.close(ada, of(world, secret))).rejects.toMatchObject({ code: "proposal.votes_cast" });
  });

  it("leaves nothing on the agenda that would speak of it again", async () => {
    const world = await openProposalsWorld();
    const first = await voting(world);
    await world.proposals.close(world.ada, of(world, first));
    const second = await voting(world);
    await world.proposals.withdraw(world.ada, { ...of(world, second), reason: "No." });
    const before = await world.topics();
    await world.later(24 * 30);
    expect(await world.topics()).toEqual(before);
    expect((await world.store.collection({ name: "agenda", schema: (await import("zod")).z.unknown() }).list()).records).toEqual([]);
  });

  it("a vote is extended for everybody to see and never shortened", async () => {
    const world = await openProposalsWorld();
    const { proposals, ada, ben } = world;
    const proposal = await voting(world);
    const extend = (closesAt: string, who = ada) => proposals.extend(who, { ...of(world, proposal), closesAt });
    await expect(extend("2026-01-20T12:00:00Z", ben)).rejects.toMatchObject({ code: "auth.forbidden" });
    const invalid = { code: "proposal.closes_at_invalid" };
    for (const closesAt of ["2026-01-12T12:00:00Z", "2026-01-06T12:00:00Z", "2026-04-06T12:00:01Z"])
      await expect(extend(closesAt), closesAt).rejects.toMatchObject(invalid);
    expect(await extend("2026-01-20T12:00:00Z")).toMatchObject({ state: "voting", closesAt: "2026-01-20T12:00:00.000Z" });
    await world.later(8 * 24);
    expect(await proposals.get(ben, of(world, proposal)), "the old end says nothing").toMatchObject({ state: "voting" });
    world.clock.ms += 8 * 24 * 3_600_000;
    await expect(extend("2026-01-30T12:00:00Z"), "over, though no hub has ended it yet").rejects.toMatchObject(invalid);
    await world.plane.agenda.tick();
    expect(await proposals.get(ben, of(world, proposal))).toMatchObject({ state: "decided" });
    const told = (await world.topics()).filter((topic) => topic.startsWith("proposal."));
    expect(told.slice(2)).toEqual(["proposal.voting_opened", "proposal.extended", "proposal.decided"]);
  });

  it("an extension moves the notice, also onto the time that it had", async () => {
    const world = await openProposalsWorld();
    const proposal = await voting(world);
    await world.plane.modules.change(world.ada, { community: world.garden, module: "proposals", settings: { closingSoonHours: 48 } });
    await world.proposals.extend(world.ada, { ...of(world, proposal), closesAt: "2026-01-13T12:00:00Z" });
    await world.later(6 * 24);
    expect(count(await world.topics(), "proposal.closing_soon")).toBe(1);
  });

  it("is withdrawn by its author before the vote, then by who manages with a reason, then by nobody", async () => {
    const world = await openProposalsWorld();
    const { proposals, ada, ben } = world;
    const cleo = await world.member(world.garden, "cleo");
    const discussed = await world.create(ben, { discuss: true });
    await expect(proposals.withdraw(cleo, of(world, discussed))).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(proposals.withdraw(ada, of(world, discussed))).rejects.toMatchObject({ code: "proposal.reason_missing" });
    expect(await proposals.withdraw(ben, of(world, discussed))).toMatchObject({ state: "withdrawn", withdrawn: { by: "author" } });
    const voted = await voting(world);
    await expect(proposals.withdraw(ben, { ...of(world, voted), reason: "Changed my mind" })).rejects.toMatchObject({
      code: "auth.forbidden",
    });
    await proposals.withdraw(ada, { ...of(world, voted), reason: "It is against the law." });
    expect(world.discarded).toEqual([voted.id]);
    await expect(proposals.withdraw(ada, { ...of(world, voted), reason: "Again" })).rejects.toMatchObject({ code: "proposal.wrong_state" });
    await expect(world.cast(ben, voted, yes)).rejects.toMatchObject({ code: "vote.not_open" });
    const decided = await voting(world);
    await world.later(8 * 24);
    await expect(proposals.withdraw(ada, { ...of(world, decided), reason: "Too late" })).rejects.toMatchObject({
      code: "proposal.wrong_state",
    });
  });
});

describe("decisionOf", () => {
  it("changes state, report and the time of a vote that had none, and nothing else", async () => {
    const world = await openProposalsWorld();
    const { revision: _revision, ...row } = await voting(world);
    const report = { method: "yes_no", outcome: "failed", winners: [], ballots: 0, weight: 0, eligible: 1, ties: [] } as const;
    const full = { ...report, winners: [], ties: [], quorum: { share: "0/1", needed: 0, observed: 0, met: true } };
    expect(decisionOf(row, full, 0)).toEqual({
      row: { ...row, state: "decided", closedAt: "1970-01-01T00:00:00.000Z", report: full },
      event: expect.objectContaining({ topic: "proposal.decided", data: { proposal: row.id, outcome: "failed", winners: [] } }),
    });
    const closedAt = "2026-01-01T00:00:00.000Z";
    expect(decisionOf({ ...row, closedAt }, full, 0).row.closedAt).toBe(closedAt);
  });
});
