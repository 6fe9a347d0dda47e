/**
 * Rooms from record to message, as one suite that runs over either back end of `#primitives`.
 */
import { beforeAll, describe, expect, it } from "vitest";
import type { EpochProposal, RoomPolicy, SealedKey } from "@althing/contract";
import {
  createFrameSealer,
  decodeEpoch,
  decodeInvite,
  decodeProposal,
  encodeInvite,
  fromBase64url,
  identityFromPhrase,
  openBlob,
  openEpochKey,
  openFrame,
  openLink,
  parseFrame,
  proposeEpoch,
  safetyNumber,
  sealBlob,
  utf8,
  verifyEpochSignature,
  verifyInvite,
  verifyKeyCard,
  type EpochKey,
  type FrameSealer,
  type ProposedEpoch,
} from "../src/index.ts";
import { encrypted, messageId, now, person, room, roomName, shared, subject, type Person } from "./people.ts";

/** A message of the fixed identity, key and stream of the last test. */
const fixedFrame = [
  "jQFjbXNneBowMUo5WlE0WTZUOFYwVzJYM1k0WjVBNkI3Q3RzLjMubUowbnExeFhrMnNWNVl0OAFYIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  "WCCmQEBLj2bMKEECd-M-TLEFIEznV5TxykXYeLWQvXsvnFAAAAAAAAAAAAAAAAAAAAAAAHgaMDFKOVpRNFk2VDhWMFcyWDNZNFo1QTZCN0X2VQOwY0rS-e1w",
  "Jk5vKxpo0yQSUs27YlhA1mN6UlQrRN5NWCmMD1fIyXH07oRyIRqJ36LW0RUEbDCNO2bz0AvEi54VZJubXFRWjcZ5atlS-heP7xwmMRqYCg",
].join("");

function copyFor(proposal: EpochProposal, who: Person): SealedKey {
  return proposal.sealed.find((sealed) => sealed.endpoint === who.identity.endpoint) as SealedKey;
}

function keyOf({ record, hash, key }: ProposedEpoch): EpochKey {
  return { epoch: record.epoch, key, recordHash: hash };
}

export function describeProtocol(backEnd: string): void {
  describe(`rooms over ${backEnd}`, () => {
    let alice: Person;
    let bob: Person;
    let carol: Person;
    beforeAll(async () => {
      [alice, bob, carol] = await Promise.all([person("alice"), person("bob"), person("carol")]);
    });

    const founded = (policy: RoomPolicy = encrypted): Promise<ProposedEpoch> =>
      proposeEpoch({
        room,
        name: roomName,
        policy,
        members: [alice.as("owner"), bob.as("member")],
        reason: "create",
        identity: alice.identity,
        now,
        link: false,
      });
    const renewed = (previous: ProposedEpoch, policy: RoomPolicy): Promise<ProposedEpoch> =>
      proposeEpoch({
        previous,
        room,
        name: roomName,
        policy,
        members: previous.record.members,
        reason: "rekey",
        identity: bob.identity,
        now,
        link: true,
      });
    const sealerOf = (who: Person, policy: RoomPolicy, epoch: EpochKey | null): FrameSealer =>
      createFrameSealer({ identity: who.identity, room, subject, policy, epoch });

    it("each member opens the same key from its own copy; the record verifies by its maker alone", async () => {
      const made = await founded();
      const decoded = decodeProposal(made.proposal);
      expect(decoded).toMatchObject({ record: made.record, hash: made.hash });
      expect(await verifyEpochSignature(decoded, alice.identity.signPub)).toBe(true);
      expect(await verifyEpochSignature(decoded, bob.identity.signPub)).toBe(false);
      for (const who of [alice, bob]) expect(await openEpochKey(who.identity, decoded, copyFor(made.proposal, who))).toEqual(made.key);
    });

    it("a message travels from one member to another", async () => {
      const made = await founded();
      const bobsKey: EpochKey = {
        epoch: 1,
        recordHash: made.hash,
        key: await openEpochKey(bob.identity, decodeProposal(made.proposal), copyFor(made.proposal, bob)),
      };
      const sealer = sealerOf(alice, encrypted, keyOf(made));
      for (let counter = 0; counter < 3; counter++) {
        const bytes = await sealer.seal({ type: "msg", id: messageId, payload: utf8(`hello ${counter}`) });
        const open = await openFrame(parseFrame(bytes), {
          room,
          subject,
          policy: encrypted,
          senderSignPub: alice.identity.signPub,
          epochKey: bobsKey,
        });
        expect(open).toMatchObject({
          type: "msg",
          room,
          subject,
          epoch: 1,
          epochHash: made.hash,
          sender: alice.identity.endpoint,
          counter,
          id: messageId,
          authenticated: true,
        });
        expect(open.payload).toEqual(utf8(`hello ${counter}`));
      }
    });

    it("a removed member can neither open the next key nor the next message", async () => {
      const made = await founded();
      const next = await proposeEpoch({
        previous: made,
        room,
        name: roomName,
        policy: encrypted,
        members: [alice.as("owner")],
        reason: "kick",
        identity: alice.identity,
        now,
        link: true,
      });
      expect(next.proposal.sealed.map((sealed) => sealed.endpoint)).toEqual([alice.identity.endpoint]);
      expect(next.proposal.link).toBeUndefined();
      const stolen: SealedKey = { ...(next.proposal.sealed[0] as SealedKey), endpoint: bob.identity.endpoint };
      await expect(openEpochKey(bob.identity, decodeProposal(next.proposal), stolen)).rejects.toThrow(
        expect.objectContaining({ code: "epoch.forged" }),
      );
      await expect(openEpochKey(bob.identity, decodeProposal(next.proposal), next.proposal.sealed[0] as SealedKey)).rejects.toThrow(
        expect.objectContaining({ code: "epoch.no_key" }),
      );
      const frame = await sealerOf(alice, encrypted, keyOf(next)).seal({ type: "msg", id: messageId, payload: utf8("without bob") });
      const oldKeyUnderNewName: EpochKey = { epoch: 2, recordHash: next.hash, key: made.key };
      await expect(
        (async () =>
          openFrame(parseFrame(frame), {
            room,
            subject,
            policy: encrypted,
            senderSignPub: alice.identity.signPub,
            epochKey: oldKeyUnderNewName,
          }))(),
      ).rejects.toThrow(expect.objectContaining({ code: "frame.forged" }));
    });

    it("shared history: the newest key leads back to the first, from-join history: no link is made", async () => {
      const first = await founded(shared);
      const second = await renewed(first, shared);
      const third = await renewed(second, shared);
      const [one, two, three] = [first, second, third].map(({ proposal }) => decodeProposal(proposal));
      const keyTwo = await openLink(fromBase64url(third.proposal.link as string), third.key, three as never, two);
      expect(keyTwo).toEqual(second.key);
      expect(await openLink(fromBase64url(second.proposal.link as string), keyTwo, two as never, one)).toEqual(first.key);
      expect((await renewed(await founded(), encrypted)).proposal.link).toBeUndefined();
    });

    it("rooms without encryption carry the payload in clear, signed; rooms without signatures leave messages unsigned and control signed", async () => {
      const clear: RoomPolicy = { ...encrypted, encrypt: false };
      const context = { room, subject, senderSignPub: alice.identity.signPub, epochKey: null };
      const plain = parseFrame(await sealerOf(alice, clear, null).seal({ type: "msg", id: messageId, payload: utf8("in clear") }));
      expect(plain).toMatchObject({ epoch: 0, epochHash: null, content: utf8("in clear") });
      expect(await openFrame(plain, { ...context, policy: clear })).toMatchObject({ authenticated: true, payload: utf8("in clear") });
      const unsigned: RoomPolicy = { ...clear, sign: false };
      const sealer = sealerOf(alice, unsigned, null);
      const message = parseFrame(await sealer.seal({ type: "msg", id: messageId, payload: utf8("x") }));
      expect(message.sig).toBeNull();
      expect(await openFrame(message, { ...context, policy: unsigned })).toMatchObject({ authenticated: false });
      for (const type of ["invite", "join", "leave", "kick", "ack", "receipt", "redact"] as const) {
        const control = parseFrame(await sealer.seal({ type, id: messageId, payload: utf8("x") }));
        expect(await openFrame(control, { ...context, policy: unsigned })).toMatchObject({ authenticated: true, type });
      }
    });

    it("an encrypted room without signatures still encrypts", async () => {
      const quiet: RoomPolicy = { ...encrypted, sign: false };
      const made = await founded(quiet);
      const frame = parseFrame(await sealerOf(alice, quiet, keyOf(made)).seal({ type: "msg", id: messageId, payload: utf8("secret") }));
      expect(frame.sig).toBeNull();
      expect(Buffer.from(frame.signed).includes("secret")).toBe(false);
      expect(
        await openFrame(frame, { room, subject, policy: quiet, senderSignPub: alice.identity.signPub, epochKey: keyOf(made) }),
      ).toMatchObject({ authenticated: false, payload: utf8("secret") });
    });

    it("one stream goes on counting over epochs under fresh content keys", async () => {
      const first = await founded();
      const second = await renewed(first, encrypted);
      const sealer = sealerOf(alice, encrypted, keyOf(first));
      const before = parseFrame(await sealer.seal({ type: "msg", id: messageId, payload: utf8("same") }));
      sealer.useEpoch(keyOf(second));
      const after = parseFrame(await sealer.seal({ type: "msg", id: messageId, payload: utf8("same") }));
      expect([before.counter, after.counter, before.epoch, after.epoch]).toEqual([0, 1, 1, 2]);
      expect(after.stream).toEqual(before.stream);
      expect(
        await openFrame(after, { room, subject, policy: encrypted, senderSignPub: alice.identity.signPub, epochKey: keyOf(second) }),
      ).toMatchObject({ payload: utf8("same") });
    });

    it("an invitation verifies for what it says and for nobody else", async () => {
      const made = await founded();
      const text = await encodeInvite(alice.identity, {
        room,
        name: roomName,
        epoch: 1,
        recordHash: made.hash,
        invitee: carol.identity.endpoint,
        at: made.record.at,
      });
      const invite = decodeInvite(text);
      expect(invite).toMatchObject({
        room,
        name: roomName,
        epoch: 1,
        recordHash: made.hash,
        invitee: carol.identity.endpoint,
        inviter: alice.identity.endpoint,
        inviterSignPub: alice.identity.signPub,
      });
      expect(await verifyInvite(invite)).toBe(true);
      expect(await verifyInvite(invite, bob.identity.signPub)).toBe(false);
      expect(await verifyInvite({ ...invite, sig: invite.sig.map((byte, index) => (index === 5 ? byte ^ 1 : byte)) })).toBe(false);
    });

    it("blobs open with their key and hash only", async () => {
      const { ciphertext, key, hash } = await sealBlob(utf8("a picture"));
      expect(await openBlob(ciphertext, key, hash)).toEqual(utf8("a picture"));
      const other = await sealBlob(utf8("a picture"));
      expect(other.hash).not.toBe(hash);
      for (const [bytes, with_, by] of [
        [other.ciphertext, key, hash],
        [ciphertext, other.key, hash],
        [ciphertext, key.subarray(1), hash],
      ] as const) {
        await expect(openBlob(bytes, with_, by)).rejects.toThrow(expect.objectContaining({ code: "client.bad_answer" }));
      }
      const long = await sealBlob(new Uint8Array(1_000_000));
      expect(await openBlob(long.ciphertext, long.key, long.hash)).toEqual(new Uint8Array(1_000_000));
    });

    it("phrases, cards and safety numbers are those of every other back end", async () => {
      const identity = await identityFromPhrase("legal winner thank year wave sausage worth useful legal winner thank yellow");
      expect([identity.endpoint, identity.kexPub]).toEqual([
        "1xuVhSIoWuAFz7wh2EnLK9PlhcAmAlOu5DvUgk8asXU",
        "6f2159d11791dff39e8236992d64d99e56c91bc831cc1560f0993dd310856d43",
      ]);
      expect(await verifyKeyCard(identity.signPub, identity.card)).toBe(true);
      expect(safetyNumber(identity, alice.identity)).toBe("43202 76183 40017 05947 15605 84512 79237 13087 54737 06551 22949 24454");
    });

    it("a record's bytes and a frame's are those of every other back end", async () => {
      const made = await founded();
      const again = decodeEpoch(fromBase64url(made.proposal.record));
      expect(again.record.members.map((member) => member.handle)).toEqual(["bob", "alice"]);
      const sealer = createFrameSealer({
        identity: alice.identity,
        room,
        subject,
        policy: encrypted,
        epoch: { epoch: 1, key: new Uint8Array(32), recordHash: "A".repeat(43) },
        stream: new Uint8Array(16),
      });
      expect(Buffer.from(await sealer.seal({ type: "msg", id: messageId, payload: utf8("fixed") })).toString("base64url")).toBe(fixedFrame);
    });
  });
}
