import { beforeAll, describe, expect, it } from "vitest";
import { hasCode } from "@althing/contract";
import { fc } from "../test/property.ts";
import { messageId, now, person, room, roomName, type Person } from "../test/people.ts";
import { fromBase64url, toBase64url } from "./bytes.ts";
import { decodeInvite, encodeInvite, verifyInvite, type InviteToState } from "./invite.ts";

const invalid = expect.objectContaining({ code: "room.invite_invalid" });
const recordHash = toBase64url(new Uint8Array(32).fill(4));
let alice: Person;
let bob: Person;
let statement: InviteToState;

beforeAll(async () => {
  [alice, bob] = await Promise.all([person("alice"), person("bob")]);
  statement = { room, name: roomName, epoch: 3, recordHash, invitee: bob.identity.endpoint, at: new Date(now).toISOString() };
});

describe("a statement of invitation", () => {
  it("of a room without encryption names no record", async () => {
    const invite = decodeInvite(await encodeInvite(alice.identity, { ...statement, epoch: 0, recordHash: null }));
    expect(invite).toMatchObject({ epoch: 0, recordHash: null });
    expect(await verifyInvite(invite)).toBe(true);
  });

  it("is not made in another's name, nor with an epoch but no record, nor for no room", async () => {
    const wrong: Partial<InviteToState>[] = [
      { inviter: bob.identity.endpoint },
      { inviterSignPub: bob.identity.signPub },
      { recordHash: null },
      { epoch: 0 },
      { room: "garden" as typeof room },
      { at: "now" },
    ];
    for (const change of wrong) await expect(encodeInvite(alice.identity, { ...statement, ...change })).rejects.toThrow(invalid);
    expect(
      await encodeInvite(alice.identity, { ...statement, inviter: alice.identity.endpoint, inviterSignPub: alice.identity.signPub }),
    ).toBeTypeOf("string");
  });

  it("any changed byte is refused or fails the signature", async () => {
    const bytes = fromBase64url(await encodeInvite(alice.identity, statement));
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.map((byte, index) => (index === at ? byte ^ 0x41 : byte));
      try {
        expect(await verifyInvite(decodeInvite(toBase64url(changed)), alice.identity.signPub)).toBe(false);
      } catch (error) {
        expect(hasCode(error, "room.invite_invalid")).toBe(true);
      }
    }
  });

  it("one that mallory signed and pinned to alice is refused by alice's key", async () => {
    const mallory = await person("mallory");
    const invite = decodeInvite(await encodeInvite(mallory.identity, statement));
    expect(await verifyInvite(invite)).toBe(true);
    expect(await verifyInvite(invite, alice.identity.signPub)).toBe(false);
    expect(await verifyInvite({ ...invite, inviter: alice.identity.endpoint }, alice.identity.signPub)).toBe(false);
  });

  it("junk is room.invite_invalid and nothing else", () => {
    fc.assert(
      fc.property(fc.oneof(fc.base64String(), fc.string(), fc.constant(messageId)), (text) => {
        expect(() => decodeInvite(text)).toThrow(invalid);
      }),
      { numRuns: 500 },
    );
    expect(() => decodeInvite("A".repeat(4_000))).toThrow(invalid);
  });
});
