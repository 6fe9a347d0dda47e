/**
 * Proposals as somebody attacks them who may make some.
 */
import { votingRuleSchema } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { openProposalsWorld } from "../../../test/proposals-world.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const hourMs = 60 * 60_000;

describe("somebody who makes and withdraws", () => {
  it("does not fill the store: so many a day, whatever became of them, and again the next day", async () => {
    const world = await openProposalsWorld({ limits: { proposalsPerAuthorDayMax: 3 } });
    const { proposals, ben, ada, garden: community, clock } = world;
    for (let made = 0; made < 3; made++) {
      const { id } = await world.create(ben);
      await proposals.withdraw(ben, { community, proposal: id });
      clock.ms += hourMs;
    }
    await expect(world.create(ben)).rejects.toEqual(code("proposal.too_many_today"));
    await expect(world.create(ada)).resolves.toBeDefined();
    clock.ms += 21 * hourMs + 1;
    await expect(world.create(ben)).resolves.toBeDefined();
    await expect(world.create(ben)).rejects.toEqual(code("proposal.too_many_today"));
  });
});

describe("a rule", () => {
  it("names no trustee who is no member: they could never have their name taken out", async () => {
    const world = await openProposalsWorld();
    const { proposals, plane, ada, ben, garden: community } = world;
    const secret = (trustee: typeof ben) => votingRuleSchema.parse({ method: "yes_no", secret: true, trustee: trustee.endpoint });
    const [cleo, stranger] = [await world.member(community, "cleo"), world.person("stranger")];
    await expect(world.create(ben, { rule: secret(stranger) })).rejects.toEqual(code("vote.rule_invalid"));
    const { id: proposal } = await world.create(ben, { rule: secret(cleo) });
    const edit = (rule: ReturnType<typeof secret>, title: string) =>
      proposals.edit(ben, { community, proposal, title, body: "", options: [], rule });
    await expect(edit(secret(stranger), "Water")).rejects.toEqual(code("vote.rule_invalid"));
    // Who left since may stand until somebody names another; the vote does not open with them.
    await plane.communities.removeMember(ada, { community, endpoint: cleo.endpoint });
    await expect(edit(secret(cleo), "Water the beds twice")).resolves.toMatchObject({ version: 2 });
  });
});
