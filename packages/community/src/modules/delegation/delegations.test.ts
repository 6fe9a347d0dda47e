/**
 * Delegations: who may give to whom, what goes round, what a ballot counts, and that no vote is counted twice whatever people do meanwhile.
 */
import type { Caller } from "@althing/bus";
import type { EndpointId, Handle, VoteChoice } from "@althing/contract";
import { recount } from "@althing/tally";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openVoteWorld, secondHub, type VoteWorld } from "../../../test/vote-world.ts";

const yes: VoteChoice = { choice: "yes" };
const no: VoteChoice = { choice: "no" };

async function peopleOf(world: VoteWorld) {
  const [bob, cid, dan] = await world.members("bob", "cid", "dan");
  if (bob === undefined || cid === undefined || dan === undefined) throw new Error("nobody");
  return { bob, cid, dan };
}

const give = (world: VoteWorld, from: Caller, to: Caller, topic?: string) =>
  world.plane.delegations.give(from, { community: world.garden, to: to.handle, topic });
const revoke = (world: VoteWorld, from: Caller, topic?: string) => world.plane.delegations.revoke(from, { community: world.garden, topic });
const weight = async (world: VoteWorld, who: Caller, more: { topic?: string; proposal?: string } = {}) =>
  (await world.plane.delegations.weight(who, { community: world.garden, ...more })).weight;
const withTopics = (world: VoteWorld, ...topics: string[]) =>
  world.plane.modules.change(world.ada, { community: world.garden, module: "delegation", settings: { topics } });

describe("giving", () => {
  it("is told, listed for both, replaced and ended", async () => {
    const world = await openVoteWorld();
    const { bob, cid, dan } = await peopleOf(world);
    expect(await give(world, bob, cid)).toMatchObject({ from: bob.endpoint, to: cid.endpoint });
    await give(world, bob, dan);
    const { list } = world.plane.delegations;
    const all = { community: world.garden, limit: 10 };
    expect((await list(cid, { ...all, from: bob.endpoint })).delegations.map(({ to }) => to)).toEqual([dan.endpoint]);
    expect((await list(cid, { ...all, to: cid.endpoint })).delegations).toEqual([]);
    expect((await list(cid, { ...all, to: dan.endpoint })).delegations.map(({ from }) => from)).toEqual([bob.endpoint]);
    await revoke(world, bob);
    expect((await list(cid, all)).delegations).toEqual([]);
    await expect(revoke(world, bob)).rejects.toMatchObject({ code: "delegation.not_found" });
    const told = (await world.plane.events.read(world.garden, 0, 100)).filter(({ topic }) => topic.startsWith("delegation."));
    expect(told.map(({ topic, personal }) => [topic, personal["to"]?.value ?? ""])).toEqual([
      ["delegation.given", cid.endpoint],
      ["delegation.given", dan.endpoint],
      ["delegation.revoked", ""],
    ]);
  });

  it("is listed page by page, with any topic in the cursor", async () => {
    const world = await openVoteWorld();
    const { bob, cid } = await peopleOf(world);
    await withTopics(world, "a/b, 100 %", "ü");
    for (const topic of [undefined, "a/b, 100 %", "ü"]) await give(world, bob, cid, topic);
    for (const side of [{}, { from: bob.endpoint }, { to: cid.endpoint }]) {
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await world.plane.delegations.list(cid, { community: world.garden, limit: 1, after, ...side });
        seen.push(...page.delegations.map(({ topic }) => topic ?? "everything"));
        after = page.next;
      } while (after !== undefined);
      expect(seen.toSorted()).toEqual(["a/b, 100 %", "everything", "ü"]);
    }
    for (const after of ["%", "a//b", `${"x".repeat(300)}`, "a%00b"])
      await expect(world.plane.delegations.list(cid, { community: world.garden, limit: 1, after })).rejects.toMatchObject({
        code: "request.invalid",
      });
  });

  it("is refused to oneself, to who may not vote, to strangers, for topics that nobody set, where the module is off", async () => {
    const world = await openVoteWorld();
    const { bob, cid } = await peopleOf(world);
    const watcher = await world.member(world.garden, "watcher", "observer");
    await expect(give(world, bob, bob)).rejects.toMatchObject({ code: "delegation.to_self" });
    await expect(give(world, bob, watcher)).rejects.toMatchObject({ code: "delegation.no_vote" });
    await expect(give(world, bob, world.person("stranger"))).rejects.toMatchObject({ code: "delegation.no_vote" });
    await expect(give(world, watcher, bob)).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(give(world, bob, cid, "budget")).rejects.toMatchObject({ code: "delegation.topic_unknown" });
    const unknown = world.plane.delegations.give(bob, { community: world.garden, to: "nobody-at-all" as Handle });
    await expect(unknown).rejects.toMatchObject({ code: "user.not_found" });
    await give(world, bob, cid);
    await world.plane.modules.change(world.ada, { community: world.garden, module: "delegation", enabled: false });
    await expect(give(world, cid, world.ada)).rejects.toMatchObject({ code: "module.disabled" });
    expect(await weight(world, cid)).toBe(1);
    await revoke(world, bob);
  });
});

describe("what would go round", () => {
  it("is refused with the way it goes, directly, far around, and through a topic", async () => {
    const world = await openVoteWorld();
    const { bob, cid, dan } = await peopleOf(world);
    await withTopics(world, "budget");
    await give(world, bob, cid);
    await expect(give(world, cid, bob)).rejects.toMatchObject({ code: "delegation.cycle", params: { chain: "cid → bob → cid" } });
    await give(world, cid, dan);
    await expect(give(world, dan, bob)).rejects.toMatchObject({ code: "delegation.cycle", params: { chain: "dan → bob → cid → dan" } });
    // Only the budget goes from Dan to Bob, and there Bob's and Cid's general ones are followed.
    await expect(give(world, dan, bob, "budget")).rejects.toMatchObject({ code: "delegation.cycle" });
    await give(world, cid, world.ada, "budget");
    await give(world, dan, bob, "budget");
    // Ada's general one would be followed for the budget.
    await expect(give(world, world.ada, dan)).rejects.toMatchObject({ code: "delegation.cycle" });
    // An end is never refused, even where the general one behind it closes a circle: whoever of it votes carries the others.
    await revoke(world, cid, "budget");
    for (const one of [bob, cid, dan]) expect(await weight(world, one, { topic: "budget" })).toBe(3);
  });

  it("cannot be closed by two hubs at a time", async () => {
    const world = await openVoteWorld();
    const { bob, cid } = await peopleOf(world);
    const other = secondHub(world);
    other.person("bob");
    const results = await Promise.allSettled([
      give(world, bob, cid),
      other.plane.delegations.give(cid, { community: world.garden, to: bob.endpoint }),
    ]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const refused = results.find((result) => result.status === "rejected");
    expect(refused?.reason).toMatchObject({ code: "delegation.cycle" });
  });

  it("and is there all the same, because roles came back, loses those votes and no others", async () => {
    const world = await openVoteWorld();
    const { bob, cid, dan } = await peopleOf(world);
    await give(world, bob, cid);
    const roles = (who: Caller, ...names: string[]) =>
      world.plane.communities.setRoles(world.ada, { community: world.garden, endpoint: who.endpoint, roles: names });
    await roles(bob, "observer");
    // Bob's delegation holds no more, so this is no circle now.
    await give(world, cid, dan);
    await give(world, dan, bob).catch((error: unknown) => expect(error).toMatchObject({ code: "delegation.no_vote" }));
    await roles(bob, "member");
    await revoke(world, cid);
    await roles(cid, "observer");
    await give(world, dan, bob);
    await roles(cid, "member");
    await expect(give(world, cid, dan)).rejects.toMatchObject({ code: "delegation.cycle" });
  });
});

describe("what a ballot counts", () => {
  it("goes down the chain to who votes; a ballot of one's own overrides; a topic's delegation goes before the general one", async () => {
    const world = await openVoteWorld();
    const { bob, cid, dan } = await peopleOf(world);
    await withTopics(world, "budget");
    await give(world, bob, cid);
    await give(world, cid, dan);
    await give(world, bob, world.ada, "budget");
    expect(await weight(world, dan)).toBe(3);
    expect(await weight(world, dan, { topic: "budget" })).toBe(2);
    expect(await weight(world, world.ada, { topic: "budget" })).toBe(2);
    expect(await world.plane.delegations.weight(bob, { community: world.garden })).toMatchObject({ to: cid.endpoint });

    const vote = await world.running();
    await world.cast(dan, vote, yes);
    await world.cast(world.ada, vote, no);
    expect(await weight(world, dan, { proposal: vote })).toBe(3);
    await world.cast(cid, vote, no);
    expect(await weight(world, dan, { proposal: vote })).toBe(1);
    expect(await weight(world, cid, { proposal: vote })).toBe(2);
    await world.close();
    expect(await world.report(vote)).toMatchObject({ ballots: 3, weight: 4, eligible: 4, totals: { yes: 1, no: 3 } });

    const money = await world.running({ topic: "budget" });
    await world.cast(dan, money, yes);
    await world.cast(world.ada, money, no);
    await world.close();
    expect(await world.report(money)).toMatchObject({ ballots: 2, weight: 4, totals: { yes: 2, no: 2 } });
  });

  it("counts delegations as they stand at the close: given, revoked, and gone with who left", async () => {
    const world = await openVoteWorld();
    const { bob, cid, dan } = await peopleOf(world);
    await give(world, bob, world.ada);
    await give(world, cid, world.ada);
    const vote = await world.running();
    await world.cast(world.ada, vote, yes);
    await world.cast(dan, vote, no);
    await revoke(world, cid);
    await give(world, cid, dan);
    await world.plane.communities.removeMember(bob, { community: world.garden, endpoint: bob.endpoint });
    world.clock.ms += 1;
    // Back again, but not a member without a break: what was given before does not hold any more.
    await world.member(world.garden, "bob");
    await world.close();
    expect(await world.report(vote)).toMatchObject({ ballots: 2, weight: 3, eligible: 3, totals: { yes: 1, no: 2 } });
    expect(await weight(world, world.ada)).toBe(1);
  });

  it("of one who voted and was removed counts once, and carries nobody", async () => {
    const world = await openVoteWorld();
    const { bob, cid } = await peopleOf(world);
    await give(world, cid, bob);
    const vote = await world.running();
    await world.cast(bob, vote, yes);
    await world.plane.communities.removeMember(world.ada, { community: world.garden, endpoint: bob.endpoint });
    await world.close();
    expect(await world.report(vote)).toMatchObject({ ballots: 1, weight: 1, eligible: 4 });
  });

  it("does not count delegations where the module was switched off", async () => {
    const world = await openVoteWorld();
    const { bob } = await peopleOf(world);
    await give(world, bob, world.ada);
    const vote = await world.running();
    await world.cast(world.ada, vote, yes);
    await world.plane.modules.change(world.ada, { community: world.garden, module: "delegation", enabled: false });
    await world.close();
    expect(await world.report(vote)).toMatchObject({ weight: 1, eligible: 4 });
  });
});

describe("whatever people do meanwhile", () => {
  const person = fc.integer({ min: 0, max: 6 });
  const step = fc.oneof(
    fc.record({ act: fc.constant("give" as const), who: person, to: person, topic: fc.boolean() }),
    fc.record({
      act: fc.constantFrom("revoke" as const, "yes" as const, "no" as const, "withdraw" as const),
      who: person,
      topic: fc.boolean(),
    }),
    fc.record({ act: fc.constantFrom("leave" as const, "back" as const, "observe" as const, "vote" as const), who: person }),
  );

  it("each who is entitled counts once, by the ballot that a plain walk along the chains finds, and the export says the same", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, isSecret) => {
        const world = await openVoteWorld();
        await withTopics(world, "budget");
        const people = await world.members("p0", "p1", "p2", "p3", "p4", "p5", "p6");
        const vote = await world.running({ topic: "budget", rule: { secret: isSecret } });
        for (const each of steps) {
          world.clock.ms += 1_000;
          await take(world, people, vote, each).catch((error: unknown) => {
            if (!(error instanceof Error && "code" in error)) throw error;
          });
        }
        const expected = await walked(world, people, vote, isSecret);
        for (const [voter, carried] of expected.weights)
          if (await isMember(world, voter)) expect(await weight(world, callerOf(world, people, voter), { proposal: vote })).toBe(carried);
        await world.close();
        if (isSecret) await world.open(vote);
        const report = await world.report(vote);
        expect(report.weight).toBe([...expected.weights.values()].reduce((sum, one) => sum + one, 0) + expected.sealed);
        expect(report.eligible).toBe(expected.electorate.length);
        expect(report.weight).toBeLessThanOrEqual(report.eligible);
        expect(recount(await exported(world, vote)).differences).toEqual([]);
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});

type Step = { act: string; who: number; to?: number; topic?: boolean };

async function take(world: VoteWorld, people: readonly Caller[], vote: string, { act, who, to = 0, topic = false }: Step): Promise<void> {
  const [caller, other] = [people[who], people[to]];
  if (caller === undefined || other === undefined) return;
  const of = { community: world.garden, proposal: vote };
  const one = { community: world.garden, endpoint: caller.endpoint };
  const named = topic ? "budget" : undefined;
  const { rule } = await world.plane.votes.casting.paper(world.ada, of);
  if (act === "give") await give(world, caller, other, named);
  else if (act === "revoke") await revoke(world, caller, named);
  else if (act === "withdraw") await world.plane.votes.casting.withdraw(caller, of);
  else if (act === "leave") await world.plane.communities.removeMember(caller, one);
  else if (act === "back") await world.member(world.garden, caller.handle);
  else if (act === "observe" || act === "vote")
    await world.plane.communities.setRoles(world.ada, { ...one, roles: [act === "vote" ? "member" : "observer"] });
  else if (rule.secret && topic) await world.castSealed(caller, vote, act === "yes" ? yes : no);
  else await world.plane.votes.casting.cast(caller, { ...of, choice: act === "yes" ? yes : no, open: true });
}

/** The same by the words of the rules, from the records. */
async function walked(world: VoteWorld, people: readonly Caller[], vote: string, isSecret: boolean) {
  const everybody = [world.ada, ...people].map(({ endpoint }) => endpoint);
  const row = (await world.rows.proposals.get([world.garden, vote]))?.value;
  const since = new Map<EndpointId, string>();
  for (const who of everybody) {
    const member = (await world.deps.collections.members.get([world.garden, who]))?.value;
    if (member !== undefined && !member.roles.includes("observer") && member.since <= (row?.votingOpenedAt ?? ""))
      since.set(who, member.since);
  }
  const open = new Set<EndpointId>();
  const sealed = new Set<EndpointId>();
  for (const who of everybody) {
    if ((await world.rows.ballots.get([world.garden, vote, who])) !== undefined) open.add(who);
    if ((await world.rows.sealed.get([world.garden, vote, who])) !== undefined) sealed.add(who);
  }
  const { delegations } = await world.plane.delegations.list(world.ada, { community: world.garden, limit: 1_000 });
  const holds = delegations.filter(({ from, to, givenAt }) => [from, to].every((who) => (since.get(who) ?? "9") <= givenAt));
  const next = (who: EndpointId) =>
    (
      holds.find(({ from, topic }) => from === who && topic === "budget") ??
      holds.find(({ from, topic }) => from === who && topic === undefined)
    )?.to;
  const weights = new Map([...open].map((who) => [who, 1]));
  for (const who of since.keys()) {
    if (open.has(who) || sealed.has(who)) continue;
    const seen = new Set<EndpointId>();
    let at: EndpointId | undefined = who;
    while (at !== undefined && !open.has(at) && !sealed.has(at) && !seen.has(at)) {
      seen.add(at);
      at = next(at);
    }
    if (at !== undefined && open.has(at)) weights.set(at, (weights.get(at) ?? 0) + 1);
  }
  if (!isSecret) expect(sealed.size).toBe(0);
  return { weights, sealed: sealed.size, electorate: [...new Set([...since.keys(), ...open, ...sealed])] };
}

const isMember = async (world: VoteWorld, who: EndpointId) => {
  const row = await world.rows.proposals.list({ prefix: [world.garden] });
  const opened = row.records[0]?.value.votingOpenedAt ?? "";
  const member = (await world.deps.collections.members.get([world.garden, who]))?.value;
  return member !== undefined && !member.roles.includes("observer") && member.since <= opened;
};

function callerOf(world: VoteWorld, people: readonly Caller[], who: EndpointId): Caller {
  return [world.ada, ...people].find(({ endpoint }) => endpoint === who) ?? world.ada;
}

async function exported(world: VoteWorld, vote: string) {
  const of = { community: world.garden, proposal: vote };
  const { records } = world.plane.votes;
  const { electorate: _people, delegations: _edges, ...head } = await records.head(world.ada, of);
  const [{ electorate }, { delegations }] = await Promise.all([
    records.page(world.ada, { ...of, part: "electorate" }),
    records.page(world.ada, { ...of, part: "delegations" }),
  ]);
  const pages = await Promise.all([undefined, "secret"].map((after) => records.ballots(world.ada, { ...of, limit: 100, after })));
  return { format: "althing/vote/v1", ...head, electorate, delegations, ballots: pages.flatMap(({ ballots }) => ballots) };
}
