/**
 * Moderation over a real store: every act with its reason in the ledger and in the chain, power that ends at one's own, appeals by others, mutes that end.
 */
import type { Caller } from "@althing/bus";
import { verifyChain } from "@althing/crypto";
import type { CommunityId, LedgerEntry } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { openCommunityWorld, type CommunityWorld } from "../../../test/community-world.ts";
import { openProposalCollections } from "../proposals/proposal-collections.ts";
import { ledgerDigest } from "./ledger-digest.ts";

const hour = 60 * 60_000;
const reason = "Three times the same insult";

async function open() {
  const muted: string[] = [];
  const world = openCommunityWorld({ changes: { onMute: (_community, endpoint) => void muted.push(endpoint) } });
  const community = await world.found();
  const [mo, mia, bob, cleo] = await Promise.all([
    world.member(community, "mo", "moderator"),
    world.member(community, "mia", "moderator"),
    world.member(community, "bob"),
    world.member(community, "cleo"),
  ]);
  const ada = world.person("ada");
  const { moderation } = world.plane;
  const mute = (by: Caller, of: Caller, hours = 2) => moderation.act(by, { community, kind: "mute", member: of.endpoint, hours, reason });
  return { ...world, world, community, ada, mo, mia, bob, cleo, moderation, mute, muted };
}

const code = (value: string) => expect.objectContaining({ code: value });
const eventsOf = async (world: CommunityWorld, community: CommunityId) => world.plane.events.read(community, 0, 500);

async function withComment({ store, community, bob }: Awaited<ReturnType<typeof open>>) {
  const { proposals, comments } = openProposalCollections(store);
  const [proposal, comment] = ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"];
  const at = "2026-01-05T12:00:00.000Z";
  await proposals.put([community, proposal], {
    ...{ id: proposal, community, author: bob.endpoint, title: "t", body: "", options: [], state: "discussion", version: 1 },
    ...{ createdAt: at, discussionOpenedAt: at, comments: 1, ballots: 0 },
    rule: {
      ...{ method: "yes_no", seats: 1, scoreMax: 5, credits: 100, block: "counts_as_no", quorum: "0/1", secret: false },
      threshold: { share: "1/2", of: "yes_and_no", reached: false },
    },
  });
  await comments.put([community, proposal, comment], { id: comment, author: bob.endpoint, body: "rude words", at });
  const read = async () => (await comments.get([community, proposal, comment]))?.value;
  const counted = async () => (await proposals.get([community, proposal]))?.value.comments;
  return { target: { proposal, comment }, read, counted };
}

describe("an action", () => {
  it("stands in the ledger with its reason for every member, and the chain covers it without a name", async () => {
    const { moderation, world, community, mo, bob, cleo } = await open();
    const made = await moderation.act(mo, { community, kind: "warning", member: bob.endpoint, reason });
    const { entries } = await moderation.ledger(cleo, { community, limit: 10 });
    expect(entries).toEqual([made]);
    expect(made).toMatchObject({ kind: "warning", member: bob.endpoint, by: mo.endpoint, reason, state: "standing" });
    const told = (await eventsOf(world, community)).at(-1);
    expect(told).toMatchObject({ topic: "moderation.acted", subject: `moderation/${made.id}` });
    expect(JSON.parse(told?.data ?? "")).toEqual({ action: made.id, kind: "warning", digest: made.digest });
    expect(await ledgerDigest(made)).toBe(made.digest);
    // An entry that is told otherwise later does not fit what the chain says.
    const others: Partial<LedgerEntry>[] = [
      { reason: "nothing" },
      { kind: "mute" },
      { at: "2026-01-01T00:00:00.000Z" },
      { expiresAt: made.at },
    ];
    for (const change of others) expect(await ledgerDigest({ ...made, ...change })).not.toBe(made.digest);
  });

  it("is refused against oneself, against who holds more, against a stranger, and by who may not", async () => {
    const { moderation, world, community, ada, mo, bob, cleo } = await open();
    const warn = (by: Caller, of: Caller) => moderation.act(by, { community, kind: "warning", member: of.endpoint, reason });
    await expect(warn(mo, mo)).rejects.toEqual(code("moderation.to_self"));
    await expect(warn(mo, ada)).rejects.toEqual(code("moderation.beyond_own"));
    await expect(warn(mo, world.person("stranger"))).rejects.toEqual(code("community.not_member"));
    await expect(warn(bob, cleo)).rejects.toEqual(code("auth.forbidden"));
    await expect(moderation.act(mo, { community, kind: "member_removal", member: ada.endpoint, reason })).rejects.toEqual(
      code("moderation.beyond_own"),
    );
    expect((await moderation.ledger(ada, { community, limit: 10 })).entries).toEqual([]);
  });

  it("is refused with the module off, while mutes that run go on", async () => {
    const { mute, plane, clock, community, ada, mo, bob, cleo, moderation } = await open();
    await mute(mo, bob);
    await plane.modules.change(ada, { community, module: "moderation", enabled: false });
    await expect(mute(mo, cleo)).rejects.toEqual(code("module.disabled"));
    await expect(moderation.ledger(ada, { community, limit: 10 })).rejects.toEqual(code("module.disabled"));
    await expect(plane.mutes.check(community, bob.endpoint, "proposals")).rejects.toEqual(code("moderation.muted"));
    clock.ms += 2 * hour + 1;
    await plane.agenda.tick();
    await plane.mutes.check(community, bob.endpoint, "proposals");
  });

  it("takes the words of a filter, and none of its targets", async () => {
    const world = openCommunityWorld({
      changes: {
        filters: {
          run: (_community, point, _actor, payload) =>
            Promise.resolve(point === "moderation.before_act" ? { ...payload, target: "somebody else", reason: "kinder words" } : payload),
        },
      },
    });
    const community = await world.found();
    const bob = await world.member(community, "bob");
    const made = await world.plane.moderation.act(world.person("ada"), { community, kind: "warning", member: bob.endpoint, reason });
    expect(made).toMatchObject({ member: bob.endpoint, reason: "kinder words" });
  });
});

describe("a mute", () => {
  it("holds until its time and not a moment longer, also before the agenda was carried out", async () => {
    const { mute, plane, world, clock, community, mo, bob, cleo, muted } = await open();
    const { expiresAt = "" } = await mute(mo, bob);
    expect(muted).toEqual([bob.endpoint]);
    expect(await plane.mutes.mutedUntil(community, bob.endpoint)).toBe(Date.parse(expiresAt));
    expect(await plane.mutes.mutedUntil(community, cleo.endpoint)).toBeUndefined();
    clock.ms = Date.parse(expiresAt) - 1;
    await plane.agenda.tick();
    await expect(plane.mutes.check(community, bob.endpoint, "rooms")).rejects.toMatchObject({
      code: "moderation.muted",
      params: { until: expiresAt },
    });
    clock.ms = Date.parse(expiresAt);
    await plane.mutes.check(community, bob.endpoint, "rooms");
    await plane.agenda.tick();
    await plane.agenda.tick();
    expect(muted).toEqual([bob.endpoint, bob.endpoint]);
    const lifted = (await eventsOf(world, community)).filter(({ topic }) => topic === "moderation.lifted");
    expect(lifted).toHaveLength(1);
  });

  it("is lifted by a moderator with a reason, once", async () => {
    const { mute, moderation, plane, community, mo, mia, bob } = await open();
    const { id } = await mute(mo, bob);
    const lifted = await moderation.lift(mia, { community, action: id, reason: "He said sorry" });
    expect(lifted).toMatchObject({ state: "lifted", lifted: { by: mia.endpoint, reason: "He said sorry" } });
    await plane.mutes.check(community, bob.endpoint, "rooms");
    await expect(moderation.lift(mia, { community, action: id, reason: "again" })).rejects.toEqual(code("moderation.not_standing"));
    const warning = await moderation.act(mo, { community, kind: "warning", member: bob.endpoint, reason });
    await expect(moderation.lift(mia, { community, action: warning.id, reason: "no" })).rejects.toEqual(code("moderation.not_standing"));
  });

  it("replaces the one before it, whose end changes nothing any more", async () => {
    const { mute, moderation, plane, clock, community, mo, bob } = await open();
    const first = await mute(mo, bob, 1);
    const second = await mute(mo, bob, 5);
    const { entries } = await moderation.ledger(bob, { community, limit: 10 });
    expect(entries.map(({ id, state }) => [id, state])).toEqual([
      [second.id, "standing"],
      [first.id, "lifted"],
    ]);
    clock.ms += 2 * hour;
    await plane.agenda.tick();
    await expect(plane.mutes.check(community, bob.endpoint, "rooms")).rejects.toEqual(code("moderation.muted"));
  });
});

describe("a removal", () => {
  it("of a comment takes its words out of sight, and an appeal brings them back", async () => {
    const opened = await open();
    const { moderation, community, mo, mia, bob } = opened;
    const { target, read, counted } = await withComment(opened);
    const removal = await moderation.act(mo, { community, kind: "comment_removal", ...target, reason });
    expect(await read()).toMatchObject({ body: "", removed: { by: "moderator", reason } });
    expect(await counted()).toBe(0);
    expect(JSON.stringify(await moderation.ledger(bob, { community, limit: 10 }))).not.toContain("rude words");
    await expect(moderation.act(mo, { community, kind: "comment_removal", ...target, reason })).rejects.toEqual(code("comment.removed"));
    await moderation.appeal(bob, { community, action: removal.id, text: "It was a quotation" });
    await moderation.decide(mia, { community, action: removal.id, upheld: false, reason: "It was" });
    expect(await read()).toMatchObject({ body: "rude words" });
    expect(await read()).not.toHaveProperty("removed");
    const told = (await eventsOf(opened.world, community)).filter(({ topic }) => topic.startsWith("comment."));
    expect(told.map(({ topic, data }) => [topic, JSON.parse(data)])).toEqual([
      ["comment.removed", target],
      ["comment.restored", target],
    ]);
    expect(await counted()).toBe(1);
  });

  it("of a member shuts them out at once; they can appeal, and come back as a plain member", async () => {
    const { moderation, plane, world, community, ada, mo, mia, bob } = await open();
    const removal = await moderation.act(mo, { community, kind: "member_removal", member: bob.endpoint, reason });
    await expect(plane.communities.get(bob, { community })).rejects.toEqual(code("community.not_found"));
    expect((await moderation.mine(bob, { community, limit: 10 })).entries.map(({ id }) => id)).toEqual([removal.id]);
    await expect(moderation.mine(world.person("stranger"), { community, limit: 10 })).rejects.toEqual(code("community.not_found"));
    await moderation.appeal(bob, { community, action: removal.id, text: "I was provoked" });
    await moderation.decide(mia, { community, action: removal.id, upheld: false, reason: "He was" });
    expect((await plane.communities.get(bob, { community })).roles).toEqual(["member"]);
    expect(await plane.communities.get(ada, { community })).toMatchObject({ members: 5 });
  });
});

describe("an appeal", () => {
  it("is decided by somebody who neither acted nor appealed, once", async () => {
    const { mute, moderation, plane, person, community, ada, mo, mia, bob, cleo } = await open();
    const { id } = await mute(mo, mia);
    await expect(moderation.appeal(cleo, { community, action: id, text: "unfair" })).rejects.toEqual(code("moderation.not_found"));
    await expect(moderation.decide(ada, { community, action: id, upheld: true, reason: "r" })).rejects.toEqual(
      code("moderation.no_appeal"),
    );
    await moderation.appeal(mia, { community, action: id, text: "unfair" });
    await expect(moderation.appeal(mia, { community, action: id, text: "unfair" })).rejects.toEqual(code("moderation.appealed"));
    await expect(moderation.appeal(person("stranger"), { community, action: id, text: "let me" })).rejects.toEqual(
      code("community.not_found"),
    );
    const decide = (by: Caller, upheld: boolean) => moderation.decide(by, { community, action: id, upheld, reason: "r" });
    await expect(decide(mo, true)).rejects.toEqual(code("moderation.own_decision"));
    await expect(decide(mia, false)).rejects.toEqual(code("moderation.own_decision"));
    await expect(decide(bob, false)).rejects.toEqual(code("auth.forbidden"));
    const [first, second] = await Promise.allSettled([decide(ada, false), decide(ada, false)]);
    expect([first.status, second.status].sort()).toEqual(["fulfilled", "rejected"]);
    await plane.mutes.check(community, mia.endpoint, "rooms");
    expect((await moderation.ledger(cleo, { community, limit: 10 })).entries[0]).toMatchObject({
      state: "overturned",
      appeal: { text: "unfair", decision: { upheld: false, by: ada.endpoint } },
    });
  });

  it("that fails leaves the action; one that comes after its days is late", async () => {
    const { mute, moderation, plane, clock, community, ada, mo, bob, cleo } = await open();
    const { id } = await mute(mo, bob, 24 * 30);
    await moderation.appeal(bob, { community, action: id, text: "unfair" });
    expect(await moderation.decide(ada, { community, action: id, upheld: true, reason: "No" })).toMatchObject({ state: "standing" });
    await expect(plane.mutes.check(community, bob.endpoint, "rooms")).rejects.toEqual(code("moderation.muted"));
    const other = await mute(mo, cleo, 24 * 30);
    clock.ms += 20 * 24 * hour + 1;
    await expect(moderation.appeal(cleo, { community, action: other.id, text: "late" })).rejects.toEqual(code("moderation.appeal_late"));
  });
});

describe("what is erased", () => {
  it("leaves the ledger and a chain that verifies, without the person", async () => {
    const { mute, moderation, plane, world, community, ada, mo, bob } = await open();
    const { id } = await mute(mo, bob);
    await moderation.appeal(bob, { community, action: id, text: "my private trouble" });
    await plane.erasure.erase(bob, { community, endpoint: bob.endpoint });
    const { entries } = await moderation.ledger(ada, { community, limit: 10 });
    expect(entries).toMatchObject([{ id, member: null, by: mo.endpoint, reason }]);
    const events = await eventsOf(world, community);
    const everything = JSON.stringify([entries, events]);
    expect(everything).not.toContain(bob.endpoint);
    expect(everything).not.toContain("my private trouble");
    expect((await verifyChain(events)).fault).toBeUndefined();
    await world.plane.agenda.tick();
  });
});
