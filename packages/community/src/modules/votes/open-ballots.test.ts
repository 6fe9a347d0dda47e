/**
 * Secret votes: the trustee's key, sealed ballots, their opening step by step, and what happens when somebody does not do their part.
 */
import type { VoteChoice } from "@althing/contract";
import { identityFromPhrase, makeBallotKey, newRecoveryPhrase, sealBallot } from "@althing/crypto";
import { openMemoryStore } from "@althing/store";
import { recount } from "@althing/tally";
import { describe, expect, it } from "vitest";
import { openVoteWorld, secondHub, type VoteWorld } from "../../../test/vote-world.ts";

const yes: VoteChoice = { choice: "yes" };
const no: VoteChoice = { choice: "no" };
const secret = { rule: { secret: true } } as const;
const of = (world: VoteWorld, proposal: string) => ({ community: world.garden, proposal });
const dayMs = 24 * 60 * 60_000;

async function counts(world: VoteWorld, proposal: string) {
  const { sealed, urns, published, keys, openings } = world.rows;
  const lists = await Promise.all([sealed, urns, published].map((rows) => rows.list({ prefix: [world.garden, proposal], limit: 1_000 })));
  const [key, opening] = [await keys.get([world.garden, proposal]), await openings.get([world.garden, proposal])];
  return {
    sealed: lists[0]?.records.length,
    urns: lists[1]?.records.length,
    published: lists[2]?.records.length,
    key: key !== undefined,
    opening: opening !== undefined,
  };
}

describe("a secret vote", () => {
  it("is opened by its trustee: everybody finds their receipt, and nothing sealed is left", async () => {
    const world = await openVoteWorld();
    const voters = await world.members("bob", "cid", "dan");
    const vote = await world.running(secret);
    const receipts: string[] = [];
    for (const [at, voter] of voters.entries()) receipts.push(await world.castSealed(voter, vote, at === 0 ? no : yes));
    await world.close();
    expect(await counts(world, vote)).toEqual({ sealed: 0, urns: 3, published: 0, key: true, opening: true });
    expect(await world.open(vote)).toBe(0);
    expect(await counts(world, vote)).toEqual({ sealed: 0, urns: 0, published: 3, key: false, opening: false });
    expect(await world.report(vote)).toMatchObject({ outcome: "passed", ballots: 3, eligible: 4, totals: { yes: 2, no: 1 } });
    const { ballots } = await world.plane.votes.records.ballots(world.ada, { ...of(world, vote), limit: 10, after: "secret" });
    expect(ballots.map(({ nonce }) => nonce)).toEqual(receipts.toSorted());
    expect(ballots.find(({ nonce }) => nonce === receipts[0])?.choice).toEqual(no);
    const topics = (await world.plane.events.read(world.garden, 0, 100)).map(({ topic }) => topic);
    expect(topics.slice(-2)).toEqual(["vote.opened", "proposal.decided"]);
  });

  it("a ballot is replaced in place, opened ballots beside sealed ones, one a voter", async () => {
    const world = await openVoteWorld();
    const [bob] = await world.members("bob");
    if (bob === undefined) throw new Error("nobody");
    const vote = await world.running(secret);
    const first = await world.castSealed(bob, vote, no);
    const second = await world.castSealed(bob, vote, yes);
    expect(first).not.toBe(second);
    await expect(world.cast(bob, vote, yes)).rejects.toMatchObject({ code: "vote.must_be_sealed" });
    await world.plane.votes.casting.cast(bob, { ...of(world, vote), choice: no, open: true });
    expect(await counts(world, vote)).toMatchObject({ sealed: 0 });
    await world.castSealed(bob, vote, yes);
    expect(await world.rows.ballots.get([world.garden, vote, bob.endpoint])).toBeUndefined();
    await world.plane.votes.casting.cast(world.ada, { ...of(world, vote), choice: no, open: true });
    expect((await world.plane.votes.casting.paper(bob, of(world, vote))).ballots).toBe(2);
    await world.close();
    await world.open(vote);
    expect(await world.report(vote)).toMatchObject({ ballots: 2, totals: { yes: 1, no: 1 } });
  });

  it("takes ballots of one length only, and none that are not sealed to be one", async () => {
    const world = await openVoteWorld();
    const vote = await world.running({ rule: { secret: true, method: "score" }, options: ["Roses", "Beans", "Kale"] });
    const { publicKey } = await world.plane.votes.casting.paper(world.ada, of(world, vote));
    if (publicKey === undefined) throw new Error("no key");
    const context = await world.contextOf(vote);
    const [all, none] = await Promise.all([
      sealBallot(publicKey, context, { scores: Object.fromEntries(context.options.map(({ id }) => [id, 5])) }),
      sealBallot(publicKey, context, { scores: {} }),
    ]);
    expect(all.sealed.ct.length).toBe(none.sealed.ct.length);
    const casting = world.plane.votes.casting;
    await expect(casting.castSealed(world.ada, { ...of(world, vote), ...all.sealed, ct: `${all.sealed.ct}AAAA` })).rejects.toMatchObject({
      code: "ballot.invalid",
    });
    await expect(casting.castSealed(world.ada, { ...of(world, vote), ...all.sealed, ct: all.sealed.ct.slice(4) })).rejects.toMatchObject({
      code: "ballot.invalid",
    });
    const open = await world.running();
    await expect(casting.castSealed(world.ada, { ...of(world, open), ...all.sealed })).rejects.toMatchObject({ code: "vote.not_secret" });
  });

  it("spoilt ballots are told, not counted: rubbish, another vote's, a choice that does not fit, a copy", async () => {
    const world = await openVoteWorld();
    const [bob, cid, dan, eve] = await world.members("bob", "cid", "dan", "eve");
    if (bob === undefined || cid === undefined || dan === undefined || eve === undefined) throw new Error("nobody");
    const [vote, other] = [await world.running(secret), await world.running(secret)];
    await world.castSealed(world.ada, vote, yes);
    const { publicKey } = await world.plane.votes.casting.paper(bob, of(world, vote));
    if (publicKey === undefined) throw new Error("no key");
    const casting = world.plane.votes.casting;
    const foreign = await sealBallot(publicKey, await world.contextOf(other), yes);
    await casting.castSealed(bob, { ...of(world, vote), ...foreign.sealed });
    const rubbish = { enc: foreign.sealed.enc, ct: "A".repeat(foreign.sealed.ct.length) };
    await casting.castSealed(cid, { ...of(world, vote), ...rubbish });
    const copied = await sealBallot(publicKey, await world.contextOf(vote), no);
    await casting.castSealed(dan, { ...of(world, vote), ...copied.sealed });
    await casting.castSealed(eve, { ...of(world, vote), ...copied.sealed });
    await world.close();
    expect(await world.open(vote)).toBe(3);
    expect(await world.report(vote)).toMatchObject({ ballots: 2, eligible: 5, totals: { yes: 1, no: 1 } });
    expect((await world.plane.votes.records.head(world.ada, of(world, vote))).spoilt).toBe(3);
  });
});

describe("the trustee's key", () => {
  it("is made by the trustee, before the vote, and no vote opens without it", async () => {
    const world = await openVoteWorld();
    const [bob] = await world.members("bob");
    if (bob === undefined) throw new Error("nobody");
    const vote = await world.discussed(secret);
    await expect(world.proposals.open(world.ada, of(world, vote))).rejects.toMatchObject({ code: "vote.no_trustee_key" });
    const key = await makeBallotKey(world.trusteeKeys, await world.contextOf(vote));
    const { putKey } = world.plane.votes.opening;
    await expect(putKey(bob, { ...of(world, vote), ...key })).rejects.toMatchObject({ code: "vote.not_trustee" });
    const weak = { ...key, publicKey: "00".repeat(32) as typeof key.publicKey };
    await expect(putKey(world.ada, { ...of(world, vote), ...weak })).rejects.toMatchObject({ code: "vote.key_invalid" });
    await putKey(world.ada, { ...of(world, vote), ...key });
    await world.proposals.open(world.ada, of(world, vote));
    await expect(putKey(world.ada, { ...of(world, vote), ...key })).rejects.toMatchObject({ code: "vote.key_fixed" });
    const open = await world.discussed();
    await expect(putKey(world.ada, { ...of(world, open), ...key })).rejects.toMatchObject({ code: "vote.not_secret" });
  });

  it("of an earlier trustee does not stand for the one the rule names now", async () => {
    const world = await openVoteWorld();
    const [bob] = await world.members("bob");
    if (bob === undefined) throw new Error("nobody");
    const vote = await world.discussed(secret);
    await world.plane.votes.opening.putKey(world.ada, {
      ...of(world, vote),
      ...(await makeBallotKey(world.trusteeKeys, await world.contextOf(vote))),
    });
    const row = await world.proposals.get(world.ada, of(world, vote));
    await world.proposals.edit(world.ada, {
      ...of(world, vote),
      title: row.title,
      body: "",
      options: [],
      rule: { ...row.rule, trustee: bob.endpoint },
    });
    await expect(world.proposals.open(world.ada, of(world, vote))).rejects.toMatchObject({ code: "vote.no_trustee_key" });
    expect((await world.plane.votes.casting.paper(world.ada, of(world, vote))).publicKey).toBeUndefined();
  });

  it("is refused where the rule, the trustee or the community does not allow a secret vote", async () => {
    const world = await openVoteWorld();
    const stranger = world.person("stranger");
    for (const [rule, code] of [
      [{ secret: true, trustee: stranger.endpoint }, "vote.rule_invalid"],
      [{ method: "irv" }, "vote.rule_invalid"],
      [{ quorum: "3/2" }, "vote.rule_invalid"],
    ] as const)
      await expect((async () => world.proposals.open(world.ada, of(world, await world.discussed({ rule }))))()).rejects.toMatchObject({
        code,
      });
    const bob = await world.member(world.garden, "bob");
    const orphan = await world.discussed({ rule: { secret: true, trustee: bob.endpoint } });
    await world.plane.communities.removeMember(world.ada, { community: world.garden, endpoint: bob.endpoint });
    await expect(world.proposals.open(world.ada, of(world, orphan))).rejects.toMatchObject({ code: "vote.rule_invalid" });
    const vote = await world.discussed(secret);
    await world.plane.modules.change(world.ada, { community: world.garden, module: "voting", settings: { secretBallots: false } });
    await expect(world.proposals.open(world.ada, of(world, vote))).rejects.toMatchObject({ code: "vote.secret_forbidden" });
  });
});

describe("the opening", () => {
  it("is the trustee's alone, after the end, and shows nothing before the count", async () => {
    const world = await openVoteWorld();
    const [bob] = await world.members("bob");
    if (bob === undefined) throw new Error("nobody");
    const vote = await world.running(secret);
    await world.castSealed(bob, vote, yes);
    const { opening, records } = world.plane.votes;
    await expect(opening.start(world.ada, of(world, vote))).rejects.toMatchObject({ code: "vote.not_opening" });
    await expect(opening.sealedBallots(world.ada, { ...of(world, vote), limit: 10 })).rejects.toMatchObject({ code: "vote.not_opening" });
    world.clock.ms += 7 * dayMs;
    await world.plane.agenda.tick();
    await expect(opening.start(bob, of(world, vote))).rejects.toMatchObject({ code: "vote.not_trustee" });
    await opening.start(world.ada, of(world, vote));
    const made = { nonce: "A".repeat(43), choice: yes };
    await opening.publish(world.ada, { ...of(world, vote), ballots: [made] });
    await expect(records.ballots(bob, { ...of(world, vote), limit: 10 })).rejects.toMatchObject({ code: "vote.still_running" });
    await expect(records.head(bob, of(world, vote))).rejects.toMatchObject({ code: "vote.still_running" });
    const open = await world.running();
    await expect(opening.start(world.ada, of(world, open))).rejects.toMatchObject({ code: "vote.not_secret" });
  });

  it("counts must match: none left out, none made up, none that do not fit", async () => {
    const world = await openVoteWorld();
    const [bob] = await world.members("bob");
    if (bob === undefined) throw new Error("nobody");
    const vote = await world.running(secret);
    for (const voter of [bob, world.ada]) await world.castSealed(voter, vote, yes);
    await world.close();
    const { opening } = world.plane.votes;
    await opening.start(world.ada, of(world, vote));
    const made = (letter: string) => ({ nonce: letter.repeat(42) + "A", choice: yes });
    const finish = (published: number, spoilt: number) => opening.finish(world.ada, { ...of(world, vote), published, spoilt });
    await expect(finish(2, 0)).rejects.toMatchObject({ code: "vote.count_mismatch" });
    await opening.publish(world.ada, { ...of(world, vote), ballots: [made("B")] });
    await opening.publish(world.ada, { ...of(world, vote), ballots: [made("B")] });
    await expect(finish(2, 0)).rejects.toMatchObject({ code: "vote.count_mismatch" });
    await expect(finish(1, 0)).rejects.toMatchObject({ code: "vote.count_mismatch" });
    const bad = { nonce: made("C").nonce, choice: { approvals: [] } };
    await expect(opening.publish(world.ada, { ...of(world, vote), ballots: [bad] })).rejects.toMatchObject({ code: "ballot.invalid" });
    await expect(opening.publish(world.ada, { ...of(world, vote), ballots: [made("C"), made("C")] })).rejects.toMatchObject({
      code: "ballot.invalid",
    });
    await expect(opening.publish(world.ada, { ...of(world, vote), ballots: [made("C"), made("D")] })).rejects.toMatchObject({
      code: "ballot.invalid",
    });
    await opening.restart(world.ada, of(world, vote));
    expect(await counts(world, vote)).toMatchObject({ published: 0, urns: 2 });
    expect(await world.open(vote)).toBe(0);
    await expect(finish(2, 0)).rejects.toMatchObject({ code: "vote.not_opening" });
  });

  it("goes on where a dead hub left it, at every write", async () => {
    const plain = await tally(undefined);
    for (let dies = 1; ; dies++) {
      const { report, hasDied } = await tally(dies);
      expect(report).toEqual(plain.report);
      if (!hasDied) break;
    }
  });

  it("two hubs that part ballots from voters at a time lose none", async () => {
    const world = await openVoteWorld();
    const voters = await world.members(...Array.from({ length: 40 }, (_, at) => `v${at}`));
    const vote = await world.running(secret);
    for (const voter of voters) await world.castSealed(voter, vote, yes);
    world.clock.ms += 7 * dayMs;
    await world.plane.agenda.tick();
    const other = secondHub(world);
    await Promise.all([world.plane.agenda.tick(), other.plane.agenda.tick(), world.plane.votes.opening.start(world.ada, of(world, vote))]);
    expect(await counts(world, vote)).toMatchObject({ sealed: 0, urns: 40 });
    await world.open(vote);
    expect(await world.report(vote)).toMatchObject({ ballots: 40 });
  });

  it("the export of a secret vote names no voter of a sealed ballot, and counts again to the same", async () => {
    const world = await openVoteWorld();
    const [bob, cid] = await world.members("bob", "cid");
    if (bob === undefined || cid === undefined) throw new Error("nobody");
    await world.plane.delegations.give(cid, { community: world.garden, to: bob.endpoint });
    const vote = await world.running(secret);
    await world.castSealed(bob, vote, no);
    await world.plane.votes.casting.cast(world.ada, { ...of(world, vote), choice: yes, open: true });
    await world.close();
    await world.open(vote);
    const { records } = world.plane.votes;
    const head = await records.head(bob, of(world, vote));
    const { electorate } = await records.page(bob, { ...of(world, vote), part: "electorate" });
    const { delegations } = await records.page(bob, { ...of(world, vote), part: "delegations" });
    const open = await records.ballots(bob, { ...of(world, vote), limit: 10 });
    const hidden = await records.ballots(bob, { ...of(world, vote), limit: 10, after: open.next });
    expect(hidden.ballots.map((ballot) => "voter" in ballot)).toEqual([false]);
    // Cid's vote went to Bob, whose ballot is sealed: it carries nobody else.
    expect(head.report).toMatchObject({ ballots: 2, weight: 2, eligible: 3 });
    const { electorate: _count, delegations: _edges, ...rest } = head;
    const exported = { format: "althing/vote/v1", ...rest, electorate, delegations, ballots: [...open.ballots, ...hidden.ballots] };
    expect(recount(exported)).toMatchObject({ agrees: true });
  });
});

/** The same secret vote; the store fails once at the given batch of the opening. */
async function tally(dies: number | undefined) {
  const world = await openVoteWorld({ store: openMemoryStore() });
  const voters = await world.members("bob", "cid", "dan");
  const vote = await world.running(secret);
  for (const [at, voter] of voters.entries()) await world.castSealed(voter, vote, at === 0 ? no : yes);
  const { batch } = world.store;
  let batches = 0;
  let hasDied = false;
  world.store.batch = (...args) => {
    batches += 1;
    if (batches !== dies) return batch.apply(world.store, args);
    hasDied = true;
    return Promise.reject(new Error("the process was killed"));
  };
  world.clock.ms += 7 * dayMs;
  for (let attempt = 0; ; attempt++) {
    await secondHub(world).plane.agenda.tick();
    const { state } = await world.proposals.get(world.ada, of(world, vote));
    if (state === "decided") break;
    if (attempt > 10) throw new Error(`still ${state}`);
    if (state === "opening") await openAnew(world, vote).catch(() => undefined);
  }
  expect(await counts(world, vote)).toEqual({ sealed: 0, urns: 0, published: 3, key: false, opening: false });
  return { report: { ...(await world.report(vote)), ties: [] }, hasDied };
}

async function openAnew(world: VoteWorld, vote: string): Promise<void> {
  await world.plane.votes.opening.restart(world.ada, of(world, vote));
  await world.open(vote);
}

describe("a trustee who is gone", () => {
  it("the vote may be declared void after the time, by who runs proposals, and everything sealed is purged", async () => {
    const world = await openVoteWorld();
    const [bob, cid] = await world.members("bob", "cid");
    if (bob === undefined || cid === undefined) throw new Error("nobody");
    const vote = await world.running(secret);
    await world.castSealed(bob, vote, yes);
    const { opening, records } = world.plane.votes;
    await expect(opening.declareVoid(world.ada, of(world, vote))).rejects.toMatchObject({ code: "vote.not_opening" });
    await world.close();
    await expect(opening.declareVoid(world.ada, of(world, vote))).rejects.toMatchObject({ code: "vote.not_yet_void" });
    world.clock.ms += 7 * dayMs;
    await expect(opening.declareVoid(bob, of(world, vote))).rejects.toMatchObject({ code: "auth.forbidden" });
    await opening.start(world.ada, of(world, vote));
    await opening.publish(world.ada, { ...of(world, vote), ballots: [{ nonce: "A".repeat(43), choice: no }] });
    await opening.declareVoid(world.ada, of(world, vote));
    expect(await counts(world, vote)).toEqual({ sealed: 0, urns: 0, published: 0, key: false, opening: false });
    const report = await world.report(vote);
    expect(report).toMatchObject({ outcome: "failed", winners: [], ballots: 0, eligible: 3 });
    expect(report.rounds?.[0]?.note).toContain("not opened");
    await expect(records.head(world.ada, of(world, vote))).rejects.toMatchObject({ code: "vote.void" });
    expect((await world.plane.events.read(world.garden, 0, 100)).map(({ topic }) => topic)).toContain("vote.voided");
    const open = await world.running();
    await expect(opening.declareVoid(world.ada, of(world, open))).rejects.toMatchObject({ code: "vote.not_secret" });
  });

  it("another identity than the trustee's cannot open the key", async () => {
    const { openBallotKey } = await import("@althing/crypto");
    const world = await openVoteWorld();
    const vote = await world.running(secret);
    await world.close();
    const key = await world.plane.votes.opening.start(world.ada, of(world, vote));
    const other = await identityFromPhrase(newRecoveryPhrase());
    await expect(openBallotKey(other, await world.contextOf(vote), key)).rejects.toMatchObject({ code: "ballot.key_forged" });
  });

  it("a vote that is given up is purged, also when it is already being opened", async () => {
    const world = await openVoteWorld();
    const [bob] = await world.members("bob");
    if (bob === undefined) throw new Error("nobody");
    const [running, ended] = [await world.running(secret), await world.running(secret)];
    for (const vote of [running, ended]) await world.castSealed(bob, vote, yes);
    await world.proposals.withdraw(world.ada, { ...of(world, running), reason: "a mistake" });
    await world.close();
    await world.proposals.withdraw(world.ada, { ...of(world, ended), reason: "a mistake" });
    await world.plane.agenda.tick();
    for (const vote of [running, ended])
      expect(await counts(world, vote)).toEqual({ sealed: 0, urns: 0, published: 0, key: false, opening: false });
  });
});
