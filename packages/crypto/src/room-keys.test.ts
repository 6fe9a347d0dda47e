import { beforeAll, describe, expect, it } from "vitest";
import type { SealedKey } from "@althing/contract";
import { encrypted, now, otherRoom, person, room, roomName, shared, type Person } from "../test/people.ts";
import { fromBase64url, toBase64url } from "./bytes.ts";
import { decodeProposal, openEpochKey, openLink, proposeEpoch, type ProposedEpoch, type ProposeEpoch } from "./room-keys.ts";

const forged = expect.objectContaining({ code: "epoch.forged" });
let alice: Person;
let bob: Person;

beforeAll(async () => {
  [alice, bob] = await Promise.all([person("alice"), person("bob")]);
});

function propose(changes: Partial<ProposeEpoch> = {}): Promise<ProposedEpoch> {
  return proposeEpoch({
    room,
    name: roomName,
    policy: shared,
    members: [alice.as("owner"), bob.as("member")],
    reason: "create",
    identity: alice.identity,
    now,
    link: true,
    ...changes,
  });
}

function next(previous: ProposedEpoch, changes: Partial<ProposeEpoch> = {}): Promise<ProposedEpoch> {
  return propose({ previous, reason: "rekey", policy: previous.record.policy, ...changes });
}

const copyOf = ({ proposal }: ProposedEpoch, { identity }: Person) =>
  proposal.sealed.find(({ endpoint }) => endpoint === identity.endpoint) as SealedKey;

describe("proposing", () => {
  it("draws a fresh key each time and says when", async () => {
    const [a, b] = [await propose(), await propose()];
    expect(a.key).not.toEqual(b.key);
    expect(a.hash).not.toBe(b.hash);
    expect(a.record.at).toBe(new Date(now).toISOString());
  });

  it("what the maker may not do is not even made", async () => {
    const first = await propose();
    await expect(next(first, { identity: bob.identity, reason: "kick", members: [bob.as("member")] })).rejects.toThrow(forged);
    await expect(propose({ reason: "invite" })).rejects.toThrow(forged);
  });
});

describe("a sealed key", () => {
  it("opens for its recipient, record and epoch only", async () => {
    const made = await propose();
    const again = await propose();
    const decoded = decodeProposal(made.proposal);
    expect(await openEpochKey(bob.identity, decoded, copyOf(made, bob))).toEqual(made.key);
    await expect(openEpochKey(bob.identity, decoded, copyOf(made, alice))).rejects.toThrow(
      expect.objectContaining({ code: "epoch.no_key" }),
    );
    await expect(openEpochKey(bob.identity, decoded, { ...copyOf(made, alice), endpoint: bob.identity.endpoint })).rejects.toThrow(forged);
    // The copy of another proposal for the same room, epoch and maker opens, but is not the key this record commits to.
    await expect(openEpochKey(bob.identity, decoded, copyOf(again, bob))).rejects.toThrow(forged);
    const elsewhere = await propose({ room: otherRoom });
    await expect(openEpochKey(bob.identity, decodeProposal(elsewhere.proposal), copyOf(made, bob))).rejects.toThrow(forged);
    const second = await next(made);
    await expect(openEpochKey(bob.identity, decodeProposal(second.proposal), copyOf(made, bob))).rejects.toThrow(forged);
  });

  it("of junk is epoch.forged", async () => {
    const made = await propose();
    const good = copyOf(made, bob);
    const junk = [
      { ...good, enc: "" },
      { ...good, enc: "!!" },
      { ...good, ct: good.ct.slice(4) },
      { ...good, enc: toBase64url(new Uint8Array(32)) },
      { ...good, ct: good.ct.replace(/^./, (head) => (head === "A" ? "B" : "A")) },
    ];
    for (const sealed of junk) await expect(openEpochKey(bob.identity, decodeProposal(made.proposal), sealed)).rejects.toThrow(forged);
  });

  it("a maker cannot give members different keys: the one that does not fit the commitment is noticed", async () => {
    const made = await propose();
    const decoded = decodeProposal(made.proposal);
    const lied = { ...decoded, record: { ...decoded.record, keyCheck: toBase64url(new Uint8Array(32)) } };
    await expect(openEpochKey(bob.identity, lied, copyOf(made, bob))).rejects.toThrow(forged);
  });
});

describe("a link", () => {
  it("opens with its own key and leads to the record before only", async () => {
    const first = await propose();
    const second = await next(first);
    const fork = await next(first);
    const [one, two] = [decodeProposal(first.proposal), decodeProposal(second.proposal)];
    const link = fromBase64url(second.proposal.link as string);
    expect(await openLink(link, second.key, two, one)).toEqual(first.key);
    await expect(openLink(link, fork.key, two, one)).rejects.toThrow(forged);
    await expect(openLink(link, second.key, two, decodeProposal(fork.proposal))).rejects.toThrow(forged);
    await expect(
      openLink(
        link.map((byte, index) => (index === 3 ? byte ^ 1 : byte)),
        second.key,
        two,
        one,
      ),
    ).rejects.toThrow(forged);
    await expect(openLink(new Uint8Array(5), second.key, two)).rejects.toThrow(forged);
    await expect(openLink(link, second.key, one)).rejects.toThrow(forged);
  });

  it("that a maker made to another key is noticed by the commitment of the record before", async () => {
    const first = await propose();
    const second = await next({ ...first, key: new Uint8Array(32) });
    const link = fromBase64url(second.proposal.link as string);
    await expect(openLink(link, second.key, decodeProposal(second.proposal), decodeProposal(first.proposal))).rejects.toThrow(forged);
  });

  it("is neither made nor opened in a from-join room, nor made without the key before, nor unasked", async () => {
    const first = await propose({ policy: encrypted });
    const second = await next(first);
    expect(second.proposal.link).toBeUndefined();
    await expect(openLink(new Uint8Array(48), second.key, decodeProposal(second.proposal))).rejects.toThrow(forged);
    const { record, hash } = await propose();
    expect((await propose({ previous: { record, hash }, reason: "rekey" })).proposal.link).toBeUndefined();
    expect((await next(await propose(), { link: false })).proposal.link).toBeUndefined();
  });
});

describe("a proposal of junk", () => {
  it.each(["", "!!!", "AAAA", "A"])("%j is epoch.forged", (record) => {
    expect(() => decodeProposal({ record, sealed: [] })).toThrow(forged);
  });
});
