/**
 * The count and what is kept of it: large communities in bounded records, erased people under one pseudonym, the end of a community.
 */
import type { Caller } from "@althing/bus";
import type { EndpointId, Handle, SignPub, VoteChoice } from "@althing/contract";
import { openSqliteStore, storeLimits, type Write } from "@althing/store";
import { tempDir } from "@althing/testkit";
import { recount } from "@althing/tally";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openVoteWorld, type VoteWorld } from "../../../test/vote-world.ts";
import { openDelegationCollections, givenKey } from "../delegation/delegation-collections.ts";

const yes: VoteChoice = { choice: "yes" };
const of = (world: VoteWorld, proposal: string) => ({ community: world.garden, proposal });
const recordMaxBytes = 512 * 1024;

/** Members, ballots and delegations as many acts would have left them. */
async function fill(world: VoteWorld, vote: string, count: number): Promise<void> {
  const members = world.deps.collections.members;
  const { given } = openDelegationCollections(world.store);
  const since = new Date(world.clock.ms - 10_000).toISOString();
  const names = Array.from({ length: count }, (_, at) => createHash("sha256").update(`member ${at}`).digest("base64url") as EndpointId);
  for (let start = 0; start < count; start += 300) {
    const writes: Write[] = [];
    for (const [at, name] of names.slice(start, start + 300).entries()) {
      const place = start + at;
      writes.push(
        members.toPut([world.garden, name], {
          handle: `m${place}` as Handle,
          signPub: "ab".repeat(32) as SignPub,
          roles: ["member"],
          since,
        }),
      );
      // Every third votes; the others give to the one before them.
      const before = names[place - 1];
      if (place % 3 === 0) writes.push(world.rows.ballots.toPut([world.garden, vote, name], { choice: yes }));
      else if (before !== undefined)
        writes.push(given.toPut(givenKey(world.garden, name, undefined), { to: before, givenAt: new Date(world.clock.ms).toISOString() }));
    }
    await world.store.batch(writes);
  }
}

describe("a large community", () => {
  it("is counted whole, in one batch of records that each fit", async () => {
    const world = await openVoteWorld();
    const vote = await world.running();
    await fill(world, vote, 12_000);
    const { batch } = world.store;
    let largest = 0;
    let writes = 0;
    world.store.batch = (given, ...rest) => {
      if (given.some(({ collection }) => collection === "vote-electorates")) {
        writes = given.length;
        largest = Math.max(...given.map((write) => (write.op === "put" ? Buffer.byteLength(JSON.stringify(write.value)) : 0)));
      }
      return batch.call(world.store, given, ...rest);
    };
    await world.close();
    expect(await world.report(vote)).toMatchObject({ ballots: 4_000, weight: 12_000, eligible: 12_001, totals: { yes: 12_000 } });
    expect(writes).toBeLessThan(storeLimits.batchWritesMax / 10);
    expect(largest).toBeLessThan(recordMaxBytes);
    const exported = await exportOf(world, vote, world.ada);
    expect(exported.electorate).toHaveLength(12_001);
    expect(recount(exported)).toMatchObject({ agrees: true, differences: [] });
  }, 60_000);

  it("a full page of names or of delegations fits a record, at the largest community", () => {
    const names = { voters: Array.from({ length: 4_000 }, () => "A".repeat(43)) };
    const edges = { edges: Array.from({ length: 10_000 }, () => [100_000, 100_000, 1]) };
    for (const page of [names, edges]) expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThan(recordMaxBytes);
  });
});

describe("an erased voter", () => {
  it("stays counted under one pseudonym in every list of a vote, and under another in the next", async () => {
    const world = await openVoteWorld();
    const [bob, cid] = await world.members("bob", "cid");
    if (bob === undefined || cid === undefined) throw new Error("nobody");
    await world.plane.delegations.give(cid, { community: world.garden, to: bob.endpoint });
    const votes = [await world.running(), await world.running()];
    for (const vote of votes) await world.cast(bob, vote, yes);
    await world.close();
    const before = await exportOf(world, votes[0] ?? "", world.ada);
    await world.plane.erasure.erase(bob, { community: world.garden, endpoint: bob.endpoint });
    const [first, second] = [await exportOf(world, votes[0] ?? "", world.ada), await exportOf(world, votes[1] ?? "", world.ada)];
    expect(JSON.stringify([first, second])).not.toContain(bob.endpoint);
    const pseudonym = first.ballots[0]?.voter ?? "";
    expect(pseudonym).toMatch(/^erased-[0-9a-f]{32}$/);
    expect(first.electorate).toContain(pseudonym);
    expect(first.delegations).toEqual([{ from: cid.endpoint, to: pseudonym }]);
    expect(second.ballots[0]?.voter).not.toBe(pseudonym);
    expect(before.electorate).toHaveLength(first.electorate.length);
    expect(recount(first)).toMatchObject({ agrees: true });
    expect((await world.plane.delegations.list(cid, { community: world.garden, limit: 10 })).delegations).toEqual([]);
  });

  it("of a vote that still runs is counted at its end, open or sealed", async () => {
    const world = await openVoteWorld();
    const [bob] = await world.members("bob");
    if (bob === undefined) throw new Error("nobody");
    const [open, secret] = [await world.running(), await world.running({ rule: { secret: true } })];
    await world.cast(bob, open, yes);
    await world.castSealed(bob, secret, yes);
    await world.plane.erasure.erase(bob, { community: world.garden, endpoint: bob.endpoint });
    await world.close();
    await world.open(secret);
    for (const vote of [open, secret]) expect(await world.report(vote)).toMatchObject({ ballots: 1, eligible: 2, totals: { yes: 1 } });
  });
});

describe("the end of a community", () => {
  it("leaves no record of its votes", async () => {
    const world = await openVoteWorld();
    const [bob] = await world.members("bob");
    if (bob === undefined) throw new Error("nobody");
    await world.plane.delegations.give(bob, { community: world.garden, to: world.ada.endpoint });
    const [open, secret] = [await world.running(), await world.running({ rule: { secret: true } })];
    await world.cast(world.ada, open, yes);
    await world.castSealed(bob, secret, yes);
    await world.close();
    await world.plane.communities.delete(world.ada, { community: world.garden });
    const { proposals: _theirs, ...own } = world.rows;
    const delegations = openDelegationCollections(world.store);
    for (const collection of [...Object.values(own), ...Object.values(delegations)])
      expect((await collection.list({ prefix: [world.garden] })).records).toEqual([]);
  });
});

describe("casting on SQLite", () => {
  it("takes many voters at a time, each once", async () => {
    await using folder = await tempDir();
    const store = await openSqliteStore({ path: join(folder.path, "state.db"), migrations: [] });
    try {
      const world = await openVoteWorld({ store });
      const voters = await world.members(...Array.from({ length: 60 }, (_, at) => `v${at}`));
      const vote = await world.running();
      await Promise.all(voters.map((voter) => world.cast(voter, vote, yes)));
      await world.close();
      expect(await world.report(vote)).toMatchObject({ ballots: 60, weight: 60, eligible: 61 });
    } finally {
      await store.close();
    }
  });
});

async function exportOf(world: VoteWorld, vote: string, caller: Caller) {
  const { records } = world.plane.votes;
  const { electorate: _people, delegations: _edges, ...head } = await records.head(caller, of(world, vote));
  const electorate: string[] = [];
  const delegations: { from: string; to: string; topic?: string }[] = [];
  const ballots: { voter?: string | undefined; nonce?: string | undefined; choice: VoteChoice }[] = [];
  for (const part of ["electorate", "delegations"] as const) {
    for (let after: string | undefined = "0"; after !== undefined;) {
      const page: Awaited<ReturnType<typeof records.page>> = await records.page(caller, { ...of(world, vote), part, after });
      electorate.push(...(page.electorate ?? []));
      delegations.push(...(page.delegations ?? []));
      after = page.next;
    }
  }
  for (let after: string | undefined = "open"; after !== undefined;) {
    const page: Awaited<ReturnType<typeof records.ballots>> = await records.ballots(caller, { ...of(world, vote), limit: 700, after });
    ballots.push(...page.ballots);
    after = page.next;
  }
  return { format: "althing/vote/v1", ...head, electorate, delegations, ballots };
}
