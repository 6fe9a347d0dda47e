/**
 * Proposals where they live: in the community plane, with its real ballots, mutes, erasure, export and end.
 */
import { describe, expect, it } from "vitest";
import { createProposalSchema, votingRuleSchema } from "@althing/contract";
import { z } from "zod";
import { openCommunityWorld } from "../../../test/community-world.ts";

async function garden() {
  const world = openCommunityWorld();
  const community = await world.found();
  const [ada, ben] = [world.person("ada"), await world.member(community, "ben")];
  const input = { community, ...createProposalSchema.parse({ title: "Water the beds", discuss: true }) };
  const made = await world.plane.proposals.create(ben, input);
  return { world, plane: world.plane, community, ada, ben, input, made, here: { community, proposal: made.id } };
}

describe("in the plane", () => {
  it("a proposal is voted on and decided at its time", async () => {
    const { world, plane, ada, ben, here } = await garden();
    await plane.proposals.open(ben, here);
    for (const who of [ada, ben]) await plane.votes.casting.cast(who, { ...here, choice: { choice: "yes" }, open: false });
    expect(await plane.proposals.get(ben, here)).toMatchObject({ state: "voting", ballots: 2 });
    world.clock.ms += 8 * 24 * 3_600_000;
    await plane.tick();
    expect(await plane.proposals.get(ben, here)).toMatchObject({
      state: "decided",
      report: { outcome: "passed", ballots: 2, eligible: 2 },
    });
    expect(world.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  it("a vote ends early when the real count says that everybody voted", async () => {
    const { plane, ada, ben, here } = await garden();
    await plane.proposals.open(ben, here);
    await plane.votes.casting.cast(ben, { ...here, choice: { choice: "no" }, open: false });
    await expect(plane.proposals.close(ada, here)).rejects.toMatchObject({ code: "proposal.votes_cast" });
    await plane.votes.casting.cast(ada, { ...here, choice: { choice: "no" }, open: false });
    expect(await plane.proposals.close(ada, here)).toMatchObject({ state: "decided", report: { outcome: "failed" } });
  });

  it("a rule that cannot be held is refused at the opening, with the reason", async () => {
    const { plane, ben, input } = await garden();
    const { id } = await plane.proposals.create(ben, { ...input, rule: votingRuleSchema.parse({ method: "irv" }) });
    await expect(plane.proposals.open(ben, { community: input.community, proposal: id })).rejects.toMatchObject({
      code: "vote.rule_invalid",
    });
  });

  it("a member who is muted says nothing there and still votes", async () => {
    const { plane, ada, ben, here, input } = await garden();
    await plane.moderation.act(ada, { community: input.community, kind: "mute", member: ben.endpoint, reason: "Shouting", hours: 1 });
    await expect(plane.proposals.create(ben, input)).rejects.toMatchObject({ code: "moderation.muted" });
    await expect(plane.proposals.comments.add(ben, { ...here, body: "x" })).rejects.toMatchObject({ code: "moderation.muted" });
    await plane.proposals.open(ben, here);
    await plane.votes.casting.cast(ben, { ...here, choice: { choice: "yes" }, open: false });
  });

  it("an author who has their traces erased is named nowhere in it", async () => {
    const { plane, community, ada, ben, here, world } = await garden();
    await plane.proposals.comments.add(ben, { ...here, body: "Mine" });
    await plane.erasure.erase(ben, { community, endpoint: ben.endpoint });
    expect(await plane.proposals.get(ada, here)).toMatchObject({ author: null });
    for (const name of ["proposals", "proposal-versions", "proposal-comments", "proposal-authors"])
      expect(JSON.stringify((await world.store.collection({ name, schema: z.unknown() }).list()).records), name).not.toContain(
        ben.endpoint,
      );
  });

  it("an export has every record, and the end of the community takes them along", async () => {
    const { plane, community, ada, ben, here, world } = await garden();
    await plane.proposals.comments.add(ben, { ...here, body: "Mine" });
    await plane.proposals.open(ben, here);
    const read = async (section: string) => {
      const records: unknown[] = [];
      for (let after: string | undefined; ;) {
        const page = await plane.exporter.read(ada, { community, section, after, limit: 1 });
        records.push(...page.records);
        if (page.next?.section !== section || page.next.after === undefined) return records;
        after = page.next.after;
      }
    };
    expect(await read("proposals")).toMatchObject([{ id: here.proposal, author: ben.endpoint }]);
    expect(await read("proposal-versions")).toMatchObject([{ proposal: here.proposal, version: 1 }]);
    expect(await read("proposal-comments")).toMatchObject([{ proposal: here.proposal, body: "Mine" }]);
    await plane.communities.delete(ada, { community });
    for (const name of ["proposals", "proposal-versions", "proposal-comments", "proposal-authors", "proposal-groups"])
      expect((await world.store.collection({ name, schema: z.unknown() }).list()).records, name).toEqual([]);
  });
});
