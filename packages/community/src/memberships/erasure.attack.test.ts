/**
 * One person does everything that a community lets them do and is erased: afterwards no record of any collection, under no key and in no field, holds their
 * endpoint id, handle, signing key, or the words that go with them.
 */
import { openMemoryStore, type Key, type Store } from "@althing/store";
import { makeBallotKey, verifyChain } from "@althing/crypto";
import { votingRuleSchema } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openVoteWorld, type VoteWorld } from "../../test/vote-world.ts";

/** The same store, which remembers every collection that was ever opened. */
function watched(store: Store): { readonly store: Store; everything(): Promise<{ key: Key; text: string }[]> } {
  const names = new Set<string>();
  const noting: Store = {
    ...store,
    collection(def) {
      names.add(def.name);
      return store.collection(def);
    },
  };
  return {
    store: noting,
    async everything() {
      const found: { key: Key; text: string }[] = [];
      for (const name of names) {
        const collection = store.collection({ name, schema: z.unknown() });
        let after: Key | undefined;
        do {
          const page = await collection.list({ limit: 1_000, ...(after === undefined ? {} : { after }) });
          for (const { key, value } of page.records) found.push({ key: [name, ...key], text: JSON.stringify([key, value]) });
          after = page.next;
        } while (after !== undefined);
      }
      return found;
    },
  };
}

async function doEverything(world: VoteWorld): Promise<void> {
  const { plane, garden, ada, clock } = world;
  const community = garden;
  const [ben, cleo] = await world.members("ben", "cleo");
  const eve = world.person("eve");
  if (ben === undefined || cleo === undefined) throw new Error("nobody");
  await plane.modules.change(ada, {
    ...{ community, module: "welcome" },
    settings: { rules: "Be kind", questions: [{ id: "why", text: "Why?", required: true }] },
  });
  await plane.modules.change(ada, { community, module: "delegation", settings: { topics: ["water"] } });
  await plane.communities.change(ada, { community, registration: "approval" });
  const { rulesVersion } = await plane.door.door(eve, { community });
  await plane.joining.join(eve, { community, rulesVersion, answers: { why: "words of a request" } });
  await plane.joining.approve(ada, { community, endpoint: eve.endpoint, roles: ["admin"] });
  await plane.invitations.invite(eve, { community, roles: ["member"], uses: 3, expiresInHours: 24 });
  await plane.roles.create(eve, { community, role: "gardener", description: "", permissions: ["proposals.create"] });
  await plane.modules.change(eve, { community, module: "voting", settings: {} });
  await plane.announcements.post(eve, { community, text: "Spring" });
  await plane.delegations.give(eve, { community, to: ben.handle, topic: "water" });
  await plane.delegations.give(cleo, { community, to: eve.handle });

  // Proposals: author, trustee of a version that another one replaced, amender, commenter.
  const secret = votingRuleSchema.parse({ method: "yes_no", secret: true, trustee: eve.endpoint });
  const own = await plane.proposals.create(eve, { community, title: "One", body: "", options: [], discuss: true, rule: secret });
  const key = await makeBallotKey(world.trusteeKeys, { community, proposal: own.id, options: [] });
  await plane.votes.opening.putKey(eve, { community, proposal: own.id, ...key });
  const rule = votingRuleSchema.parse({ method: "yes_no" });
  await plane.proposals.edit(eve, { community, proposal: own.id, title: "One", body: "more", options: [], rule });
  const other = await plane.proposals.create(ben, { community, title: "Two", body: "", options: [], discuss: true, rule: secret });
  await plane.proposals.edit(ben, { community, proposal: other.id, title: "Two", body: "", options: [], rule });
  const { id: amendment } = await plane.proposals.amendments.propose(eve, {
    ...{ community, proposal: other.id, title: "Two and a half", body: "", options: [], why: "" },
  });
  await plane.proposals.amendments.decide(ben, { community, proposal: other.id, amendment, accept: true });
  for (const body of ["A first thought", "words that a moderator removes"])
    await plane.proposals.comments.add(eve, { community, proposal: other.id, body });
  const { comments } = await plane.proposals.comments.list(ada, { community, proposal: other.id, limit: 10 });
  await plane.moderation.act(ada, {
    ...{ community, kind: "comment_removal", proposal: other.id, comment: comments[1]?.id ?? "", reason: "rude" },
  });

  // Moderation on both sides of it.
  const warned = await plane.moderation.act(ada, { community, kind: "warning", member: eve.endpoint, reason: "loud" });
  await plane.moderation.appeal(eve, { community, action: warned.id, text: "words of an appeal" });
  const mute = await plane.moderation.act(eve, { community, kind: "mute", member: cleo.endpoint, hours: 2, reason: "loud too" });
  await plane.moderation.lift(eve, { community, action: mute.id, reason: "enough" });
  const bens = await plane.moderation.act(ada, { community, kind: "warning", member: ben.endpoint, reason: "late" });
  await plane.moderation.appeal(ben, { community, action: bens.id, text: "not late" });
  await plane.moderation.decide(eve, { community, action: bens.id, upheld: false, reason: "right" });
  await plane.moderation.act(ada, { community, kind: "mute", member: eve.endpoint, hours: 200, reason: "very loud" });

  // Votes: decided, running, and waiting for their trustee.
  const decided = await world.running();
  const opening = await world.running({ rule: { secret: true } });
  await world.cast(eve, decided, { choice: "yes" });
  await world.castSealed(eve, opening, { choice: "no" });
  await world.castSealed(ben, opening, { choice: "yes" });
  await world.close();
  const running = await world.running({ topic: "water" });
  const sealed = await world.running({ rule: { secret: true } });
  await world.cast(eve, running, { choice: "yes" });
  await world.castSealed(eve, sealed, { choice: "no" });
  clock.ms += 60_000;
}

describe("a person who did everything", () => {
  it("is in no record any more when their traces are erased, and every vote is still counted", async () => {
    const seen = watched(openMemoryStore());
    const world = await openVoteWorld({ store: seen.store });
    await doEverything(world);
    const eve = world.person("eve");
    const words = ["words of a request", "words that a moderator removes", "words of an appeal"];
    const traces = [eve.endpoint, eve.signPub, '"eve"', ...words];
    const before = (await seen.everything()).map(({ text }) => text).join("\n");
    for (const trace of traces) expect(before, trace).toContain(trace);

    await world.plane.erasure.erase(eve, { community: world.garden, endpoint: eve.endpoint });
    const left = (await seen.everything()).filter(({ text }) => traces.some((trace) => text.includes(trace)));
    expect(left).toEqual([]);
    expect(await verifyChain(await world.plane.events.read(world.garden, 0, 1_000))).not.toHaveProperty("fault");

    // What was cast stays cast; whoever comes back begins anew.
    await world.close();
    expect((await seen.everything()).filter(({ text }) => text.includes(eve.endpoint))).toEqual([]);
    const { entries } = await world.plane.moderation.ledger(world.ada, { community: world.garden, limit: 50 });
    expect(entries.map(({ kind }) => kind).toSorted()).toEqual(["comment_removal", "mute", "mute", "warning", "warning"]);
  });
});
