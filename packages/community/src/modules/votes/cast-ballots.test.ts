/**
 * Casting: who may, what counts, what is told, and what happens when two things happen at a time.
 */
import type { VoteChoice } from "@althing/contract";
import { openMemoryStore } from "@althing/store";
import { describe, expect, it } from "vitest";
import { openVoteWorld, secondHub, type VoteWorld } from "../../../test/vote-world.ts";

const yes: VoteChoice = { choice: "yes" };
const no: VoteChoice = { choice: "no" };
const of = (world: VoteWorld, proposal: string) => ({ community: world.garden, proposal });
const people = async (world: VoteWorld, ...handles: string[]) => {
  const [first, second] = await world.members(...handles);
  if (first === undefined || second === undefined) throw new Error("two handles are needed");
  return [first, second] as const;
};

describe("an open ballot", () => {
  it("is cast, changed and taken back; the last one counts", async () => {
    const world = await openVoteWorld();
    const [bob, cid] = await people(world, "bob", "cid");
    const vote = await world.running();
    await world.cast(bob, vote, yes);
    await world.cast(bob, vote, no);
    await world.cast(cid, vote, yes);
    await world.cast(world.ada, vote, yes);
    await world.plane.votes.casting.withdraw(cid, of(world, vote));
    const paper = await world.plane.votes.casting.paper(bob, of(world, vote));
    expect(paper).toMatchObject({ ballots: 2, mine: { kind: "open", choice: no } });
    expect(paper.barred).toBeUndefined();
    await world.close();
    const report = await world.report(vote);
    expect(report).toMatchObject({ ballots: 2, weight: 2, eligible: 3, totals: { yes: 1, no: 1 } });
  });

  it("of somebody else is seen by nobody before the end, and by members after it", async () => {
    const world = await openVoteWorld();
    const [bob, cid] = await people(world, "bob", "cid");
    const vote = await world.running();
    await world.cast(bob, vote, yes);
    await expect(world.plane.votes.records.ballots(cid, { ...of(world, vote), limit: 10 })).rejects.toMatchObject({
      code: "vote.still_running",
    });
    const paper = await world.plane.votes.casting.paper(cid, of(world, vote));
    expect(paper).toMatchObject({ ballots: 1, mine: { kind: "none" } });
    await world.close();
    const shown = await world.plane.votes.records.ballots(cid, { ...of(world, vote), limit: 10 });
    expect(shown.ballots).toEqual([{ voter: bob.endpoint, choice: yes }]);
    const operator = world.person("operator", "admin");
    await expect(world.plane.votes.records.ballots(operator, { ...of(world, vote), limit: 10 })).rejects.toMatchObject({
      code: "auth.forbidden",
    });
  });

  it("is marked in the list of its voter, while it lasts and for nobody else", async () => {
    const world = await openVoteWorld();
    const [bob, cid] = await people(world, "bob", "cid");
    const vote = await world.running();
    const marks = async () => {
      const input = { community: world.garden, state: "voting", mine: "false", limit: 10 } as const;
      const lists = await Promise.all([bob, cid].map((who) => world.plane.proposals.list(who, input)));
      return lists.map(({ proposals }) => proposals.find(({ id }) => id === vote)?.voted);
    };
    expect(await marks()).toEqual([false, false]);
    await world.cast(bob, vote, yes);
    expect(await marks()).toEqual([true, false]);
    await world.plane.votes.casting.withdraw(bob, of(world, vote));
    expect(await marks()).toEqual([false, false]);
    await world.cast(bob, vote, yes);
    await world.close();
    const over = await world.plane.proposals.list(bob, { community: world.garden, mine: "false", limit: 10 });
    expect(over.proposals.find(({ id }) => id === vote)).not.toHaveProperty("voted");
  });

  it("is told in the log without what it says", async () => {
    const world = await openVoteWorld();
    const vote = await world.running();
    await world.cast(world.ada, vote, no);
    await world.plane.votes.casting.withdraw(world.ada, of(world, vote));
    const told = (await world.plane.events.read(world.garden, 0, 100)).filter(({ topic }) => topic.startsWith("vote."));
    expect(told.map(({ topic, data }) => [topic, JSON.parse(data)])).toEqual([
      ["vote.cast", { proposal: vote }],
      ["vote.withdrawn", { proposal: vote }],
    ]);
  });

  it("that does not fit the method is refused with the reason", async () => {
    const world = await openVoteWorld();
    const vote = await world.running({ rule: { method: "approval" }, options: ["Roses", "Beans"] });
    await expect(world.cast(world.ada, vote, { approvals: ["nowhere"] })).rejects.toMatchObject({ code: "ballot.invalid" });
    await expect(world.cast(world.ada, vote, yes)).rejects.toMatchObject({ code: "ballot.invalid" });
    await expect(world.plane.votes.casting.withdraw(world.ada, of(world, vote))).rejects.toMatchObject({ code: "ballot.not_found" });
  });
});

describe("who may vote", () => {
  it("not who came after the vote opened, not who lacks votes.cast, not a stranger", async () => {
    const world = await openVoteWorld();
    const vote = await world.running();
    world.clock.ms += 1;
    const late = await world.member(world.garden, "late");
    await expect(world.cast(late, vote, yes)).rejects.toMatchObject({ code: "vote.not_entitled" });
    expect((await world.plane.votes.casting.paper(late, of(world, vote))).barred).toContain("members since before");
    const watcher = await world.member(world.garden, "watcher", "observer");
    await expect(world.cast(watcher, vote, yes)).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(world.cast(world.person("stranger"), vote, yes)).rejects.toMatchObject({ code: "community.not_found" });
    await expect(world.cast(world.person("operator", "admin"), vote, yes)).rejects.toMatchObject({ code: "auth.forbidden" });
  });

  it("not before the opening, not at the end or after it, not where the module is off", async () => {
    const world = await openVoteWorld();
    const discussed = await world.discussed();
    await expect(world.cast(world.ada, discussed, yes)).rejects.toMatchObject({ code: "vote.not_open" });
    await expect(world.cast(world.ada, "01ARZ3NDEKTSV4RRFFQ69G5FAV", yes)).rejects.toMatchObject({ code: "proposal.not_found" });
    const vote = await world.running();
    await world.plane.modules.change(world.ada, { community: world.garden, module: "voting", enabled: false });
    await expect(world.cast(world.ada, vote, yes)).rejects.toMatchObject({ code: "module.disabled" });
    await world.plane.modules.change(world.ada, { community: world.garden, module: "voting", enabled: true });
    world.clock.ms += 7 * 24 * 60 * 60_000;
    await expect(world.cast(world.ada, vote, yes)).rejects.toMatchObject({ code: "vote.closed" });
    await world.plane.agenda.tick();
    await expect(world.cast(world.ada, vote, yes)).rejects.toMatchObject({ code: "vote.not_open" });
  });

  it("who was removed after voting stays counted, and cannot change the ballot by coming back", async () => {
    const world = await openVoteWorld();
    const [bob] = await people(world, "bob", "cid");
    const vote = await world.running();
    await world.cast(bob, vote, yes);
    await world.plane.communities.removeMember(world.ada, { community: world.garden, endpoint: bob.endpoint });
    world.clock.ms += 1;
    await world.member(world.garden, "bob");
    await expect(world.cast(bob, vote, no)).rejects.toMatchObject({ code: "vote.not_entitled" });
    await world.close();
    expect(await world.report(vote)).toMatchObject({ ballots: 1, eligible: 3, totals: { yes: 1, no: 0 } });
  });

  it("a role taken away in between holds for the ballot that is on its way", async () => {
    const world = await openVoteWorld();
    const [bob] = await people(world, "bob", "cid");
    const vote = await world.running();
    const { batch } = world.store;
    let isFirst = true;
    world.store.batch = async (...args) => {
      if (isFirst && JSON.stringify(args[0]).includes('"ballots"')) {
        isFirst = false;
        await world.deps.collections.members.put([world.garden, bob.endpoint], {
          ...(await memberRow(world, bob.endpoint)),
          roles: ["observer"],
        });
      }
      return batch.apply(world.store, args);
    };
    await expect(world.cast(bob, vote, yes)).rejects.toMatchObject({ code: "auth.forbidden" });
    expect(await world.rows.ballots.get([world.garden, vote, bob.endpoint])).toBeUndefined();
  });
});

async function memberRow(world: VoteWorld, endpoint: string) {
  const row = await world.deps.collections.members.get([world.garden, endpoint]);
  if (row === undefined) throw new Error("no member");
  return row.value;
}

describe("two at a time", () => {
  it("a double click is one ballot", async () => {
    const world = await openVoteWorld();
    const vote = await world.running();
    await Promise.all([world.cast(world.ada, vote, yes), world.cast(world.ada, vote, yes), world.cast(world.ada, vote, yes)]);
    expect((await world.plane.votes.casting.paper(world.ada, of(world, vote))).ballots).toBe(1);
    await world.close();
    expect(await world.report(vote)).toMatchObject({ ballots: 1, weight: 1 });
  });

  it("two hubs with the same voter and with many voters lose and double nothing", async () => {
    const world = await openVoteWorld({ store: openMemoryStore() });
    const voters = await world.members("v1", "v2", "v3", "v4", "v5", "v6");
    const vote = await world.running();
    const other = secondHub(world);
    await Promise.all(
      voters.flatMap((voter, at) => [
        world.cast(voter, vote, yes),
        other.plane.votes.casting.cast(voter, { ...of(world, vote), choice: at % 2 === 0 ? yes : no, open: false }),
      ]),
    );
    expect((await world.plane.votes.casting.paper(world.ada, of(world, vote))).ballots).toBe(6);
    await world.close();
    expect(await world.report(vote)).toMatchObject({ ballots: 6, weight: 6, eligible: 7 });
  });

  it("a ballot and the close conflict: it is counted or refused, never kept uncounted", async () => {
    for (let round = 0; round < 6; round++) {
      const world = await openVoteWorld();
      const [bob] = await people(world, "bob", "cid");
      const vote = await world.running();
      const other = secondHub(world);
      await world.cast(world.ada, vote, yes);
      const { closesAt = "" } = await world.plane.votes.casting.paper(bob, of(world, vote));
      // The other hub's clock is a moment behind: it still takes ballots when this one closes.
      Object.defineProperty(other.clock, "ms", { value: Date.parse(closesAt) - 1 });
      world.clock.ms = Date.parse(closesAt);
      const [cast] = await Promise.allSettled([
        other.plane.votes.casting.cast(bob, { ...of(world, vote), choice: yes, open: false }),
        world.plane.agenda.tick(),
      ]);
      await world.plane.agenda.tick();
      expect((await world.report(vote)).ballots).toBe(cast.status === "fulfilled" ? 2 : 1);
      if (cast.status === "rejected") expect(cast.reason).toMatchObject({ code: "vote.not_open" });
    }
  });
});

describe("filters", () => {
  it("may refuse a ballot, see an open choice and never a secret one, and change nothing", async () => {
    const seen: unknown[] = [];
    const world = await openVoteWorld({
      changes: {
        filters: {
          run: (_community, point, _actor, payload) => {
            if (point !== "vote.before_cast") return Promise.resolve(payload);
            seen.push(structuredClone(payload));
            return Promise.resolve(Object.assign(payload, { choice: no }));
          },
        },
      },
    });
    const open = await world.running();
    await world.cast(world.ada, open, yes);
    const secret = await world.running({ rule: { secret: true } });
    await world.castSealed(world.ada, secret, yes);
    expect(seen).toEqual([
      { proposal: open, method: "yes_no", secret: false, choice: yes },
      { proposal: secret, method: "yes_no", secret: true },
    ]);
    expect((await world.plane.votes.casting.paper(world.ada, of(world, open))).mine.choice).toEqual(yes);
  });
});
