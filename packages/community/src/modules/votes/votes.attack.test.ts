/**
 * Votes as somebody attacks them who has the source and an ordinary member's, a manager's or a trustee's rights.
 */
import type { Caller } from "@althing/bus";
import type { VoteChoice } from "@althing/contract";
import { recount } from "@althing/tally";
import { openMemoryStore, type Store, type Write } from "@althing/store";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openVoteWorld, secondHub, type VoteWorld } from "../../../test/vote-world.ts";

const yes: VoteChoice = { choice: "yes" };
const no: VoteChoice = { choice: "no" };
const code = (value: string) => expect.objectContaining({ code: value });
const of = ({ garden }: VoteWorld, proposal: string) => ({ community: garden, proposal });

/** A store that lets something else happen right before a batch is written. */
function interrupted(before: (writes: readonly Write[]) => Promise<void>): Store {
  const store = openMemoryStore();
  return {
    ...store,
    async batch(writes, requestId) {
      await before(writes);
      return store.batch(writes, requestId);
    },
  };
}

async function exported({ plane, garden, ada }: VoteWorld, proposal: string) {
  const at = { community: garden, proposal };
  const { electorate: _many, delegations: _some, ...head } = await plane.votes.records.head(ada, at);
  const { electorate = [] } = await plane.votes.records.page(ada, { ...at, part: "electorate" });
  const { delegations = [] } = await plane.votes.records.page(ada, { ...at, part: "delegations" });
  const open = await plane.votes.records.ballots(ada, { ...at, limit: 100 });
  const secret = await plane.votes.records.ballots(ada, { ...at, limit: 100, after: "secret" });
  return { format: "althing/vote/v1", ...head, electorate, delegations, ballots: [...open.ballots, ...secret.ballots] };
}

async function opened(store?: Store): Promise<{ world: VoteWorld; bob: Caller; cid: Caller; dan: Caller }> {
  const world = await openVoteWorld(store === undefined ? {} : { store });
  const [bob, cid, dan] = await world.members("bob", "cid", "dan");
  if (bob === undefined || cid === undefined || dan === undefined) throw new Error("nobody");
  return { world, bob, cid, dan };
}

describe("what is no member's to see", () => {
  it("a draft that was withdrawn shows its title and options to nobody by the way of its ballot paper", async () => {
    const { world, bob, cid } = await opened();
    const { plane, garden: community } = world;
    const draft = await plane.proposals.create(bob, {
      ...{ community, title: "Remove cid", body: "", discuss: false, options: [] },
    });
    await plane.proposals.withdraw(bob, { community, proposal: draft.id });
    for (const ask of [
      () => plane.votes.casting.paper(cid, of(world, draft.id)),
      () => plane.votes.records.ballots(cid, { ...of(world, draft.id), limit: 1 }),
      () => plane.delegations.weight(cid, { community, proposal: draft.id }),
      () => plane.proposals.get(cid, of(world, draft.id)),
    ])
      await expect(ask()).rejects.toEqual(code("proposal.not_found"));
    expect((await plane.votes.casting.paper(bob, of(world, draft.id))).title).toBe("Remove cid");
  });

  it("a proposal of one community is none in another, whatever is asked of it", async () => {
    const { world, bob } = await opened();
    const { plane, ada } = world;
    const other = await world.found("orchard");
    await world.member(other, "bob", "admin");
    const vote = await world.running();
    const secret = await world.running({ rule: { secret: true } });
    for (const proposal of [vote, secret]) {
      const at = { community: other, proposal };
      const { casting, opening, records } = plane.votes;
      const key = { publicKey: "ab".repeat(32) as never, sealedSecret: { enc: "A".repeat(43), ct: "A".repeat(64) } };
      for (const ask of [
        () => casting.paper(bob, at),
        () => casting.cast(bob, { ...at, choice: yes, open: true }),
        () => casting.castSealed(bob, { ...at, enc: "A".repeat(43), ct: "AAAA" }),
        () => casting.withdraw(bob, at),
        () => records.ballots(bob, { ...at, limit: 1 }),
        () => records.head(bob, at),
        () => records.page(bob, { ...at, part: "electorate" }),
        () => opening.putKey(ada, { ...at, ...key }),
        () => opening.start(ada, at),
        () => opening.sealedBallots(ada, { ...at, limit: 1 }),
        () => opening.publish(ada, { ...at, ballots: [{ nonce: "A".repeat(43), choice: yes }] }),
        () => opening.finish(ada, { ...at, published: 0, spoilt: 0 }),
        () => opening.restart(ada, at),
        () => opening.declareVoid(bob, at),
        () => plane.proposals.get(bob, at),
        () => plane.proposals.close(bob, at),
        () => plane.proposals.withdraw(bob, { ...at, reason: "not mine" }),
        () => plane.proposals.extend(bob, { ...at, closesAt: "2026-03-01T00:00:00Z" }),
        () => plane.proposals.comments.add(bob, { ...at, body: "hello" }),
        () => plane.proposals.comments.list(bob, { ...at, limit: 1 }),
        () => plane.proposals.amendments.list(bob, { ...at, limit: 1 }),
        () => plane.delegations.weight(bob, at),
      ])
        await expect(ask()).rejects.toEqual(code("proposal.not_found"));
    }
  });
});

describe("weight", () => {
  it("is never made of somebody removed, of an outsider, or of a circle, and the export counts the same", async () => {
    const { world, bob, cid, dan } = await opened();
    const { plane, garden: community, ada } = world;
    const [eve, fay] = await world.members("eve", "fay");
    if (eve === undefined || fay === undefined) throw new Error("nobody");
    world.clock.ms += 1_000;
    // dan → cid → bob, fay → eve; eve leaves and comes back, dan is removed, and both circles are tried at once.
    await plane.delegations.give(cid, { community, to: bob.endpoint });
    await plane.delegations.give(dan, { community, to: cid.endpoint });
    await plane.delegations.give(fay, { community, to: eve.endpoint });
    const both = await Promise.allSettled([
      plane.delegations.give(bob, { community, to: dan.endpoint }),
      secondHub(world).plane.delegations.give(bob, { community, to: cid.endpoint }),
    ]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await expect(plane.delegations.give(bob, { community, to: world.person("mallory").endpoint })).rejects.toEqual(
      code("delegation.no_vote"),
    );
    const vote = await world.running();
    await plane.communities.removeMember(ada, { community, endpoint: dan.endpoint });
    await plane.communities.removeMember(eve, { community, endpoint: eve.endpoint });
    world.clock.ms += 1_000;
    await world.member(community, "eve");
    await world.cast(bob, vote, yes);
    await expect(world.cast(eve, vote, no)).rejects.toEqual(code("vote.not_entitled"));
    await world.close();
    // bob and cid; dan is gone, and fay's vote went to somebody who left.
    expect(await world.report(vote)).toMatchObject({ ballots: 1, weight: 2, eligible: 4 });
    expect(recount(await exported(world, vote))).toMatchObject({ agrees: true });
  });

  it("of a sealed and an open ballot of one voter only the later one counts, also from two devices at once", async () => {
    const { world, bob, cid } = await opened();
    const { plane } = world;
    const vote = await world.running({ rule: { secret: true } });
    const second = secondHub(world);
    await world.castSealed(cid, vote, yes);
    const at = of(world, vote);
    for (let round = 0; round < 3; round++) {
      await Promise.allSettled([
        world.castSealed(bob, vote, yes),
        second.plane.votes.casting.cast(bob, { ...at, choice: no, open: true }),
        plane.votes.casting.cast(bob, { ...at, choice: yes, open: true }),
        second.plane.votes.casting.withdraw(bob, at),
      ]);
      const [open, sealed] = [
        await world.rows.ballots.get([at.community, vote, bob.endpoint]),
        await world.rows.sealed.get([at.community, vote, bob.endpoint]),
      ];
      expect([open, sealed].filter((ballot) => ballot !== undefined).length).toBeLessThanOrEqual(1);
      expect((await plane.proposals.get(world.ada, at)).ballots).toBe(1 + (open === undefined && sealed === undefined ? 0 : 1));
    }
    await world.castSealed(bob, vote, no);
    await world.close();
    await world.open(vote);
    expect(await world.report(vote)).toMatchObject({ ballots: 2, weight: 2, totals: { yes: 1, no: 1 } });
  });
});

describe("a trustee who cheats", () => {
  it("cannot make a count whose ballots are gone, by throwing them away while it is made", async () => {
    const purged = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<void>();
    const memory = openMemoryStore();
    const touches = (writes: readonly Write[], op: Write["op"], collection: string) =>
      writes.some((write) => write.op === op && write.collection === collection);
    const store: Store = {
      ...memory,
      async batch(writes, requestId) {
        // The count has read all ballots; then they go; then it is written down.
        if (touches(writes, "put", "vote-openings") && JSON.stringify(writes).includes('"last"')) await purged.promise;
        const revision = await memory.batch(writes, requestId);
        if (!touches(writes, "delete", "published-ballots")) return revision;
        purged.resolve();
        await finished.promise;
        return revision;
      },
    };
    const { world, bob, cid } = await opened(store);
    const { plane, ada } = world;
    const vote = await world.running({ rule: { secret: true } });
    for (const voter of [bob, cid]) await world.castSealed(voter, vote, no);
    await world.close();
    const at = of(world, vote);
    await plane.votes.opening.start(ada, at);
    const ballots = ["A", "B"].map((letter) => ({ nonce: letter.repeat(42) + "A", choice: yes }));
    await plane.votes.opening.publish(ada, { ...at, ballots });
    const finish = plane.votes.opening.finish(ada, { ...at, published: 2, spoilt: 0 }).finally(() => finished.resolve());
    await Promise.allSettled([finish, plane.votes.opening.restart(ada, at)]);
    await expect(finish).rejects.toEqual(code("vote.count_mismatch"));
    await plane.votes.opening.publish(ada, { ...at, ballots });
    await plane.votes.opening.finish(ada, { ...at, published: 2, spoilt: 0 });
    expect(recount(await exported(world, vote))).toMatchObject({ agrees: true });
  });
});

describe("an erasure while a vote ends", () => {
  it("leaves no name in the electorate and no ballot of somebody who is not in it", async () => {
    let meddle: (() => Promise<unknown>) | undefined;
    const store = interrupted(async (writes) => {
      const ends = writes.some(({ collection }) => collection === "vote-electorates");
      const now = ends ? meddle : undefined;
      meddle = ends ? undefined : meddle;
      await now?.();
    });
    const { world, bob, cid } = await opened(store);
    const { plane, garden: community } = world;
    const vote = await world.running();
    for (const voter of [bob, cid]) await world.cast(voter, vote, yes);
    await plane.communities.removeMember(bob, { community, endpoint: bob.endpoint });
    meddle = () => plane.votes.forget.erase(community, bob.endpoint);
    await world.close();
    const record = await exported(world, vote);
    expect(JSON.stringify(record)).not.toContain(bob.endpoint);
    expect(recount(record)).toMatchObject({ agrees: true, differences: [] });
    expect(record.report).toMatchObject({ ballots: 2, eligible: 4 });
  });
});

describe("somebody who joins and erases themselves again and again", () => {
  it("does not make the hub walk through every electorate of votes that were over before they came", async () => {
    const memory = openMemoryStore();
    let read = 0;
    const store: Store = {
      ...memory,
      collection(def) {
        const collection = memory.collection(def);
        if (def.name !== "vote-electorates") return collection;
        return { ...collection, list: (options) => ((read += 1), collection.list(options)) };
      },
    };
    const { world, bob, dan } = await opened(store);
    const { plane, garden: community } = world;
    for (let vote = 0; vote < 5; vote++) {
      await world.cast(bob, await world.running(), yes);
      await world.close();
    }
    world.clock.ms += 2 * 60 * 60_000;
    const eve = await world.member(community, "eve");
    await plane.erasure.erase(eve, { community, endpoint: eve.endpoint });
    expect(read).toBe(0);
    // Whoever was there is taken out of all of them.
    await plane.erasure.erase(dan, { community, endpoint: dan.endpoint });
    expect(read).toBe(5);
    await plane.erasure.erase(bob, { community, endpoint: bob.endpoint });
    const { records } = await memory.collection({ name: "vote-electorates", schema: z.unknown() }).list({ limit: 100 });
    expect(records).toHaveLength(5);
    for (const name of [bob, dan]) expect(JSON.stringify(records)).not.toContain(name.endpoint);
  });
});
