import { beforeAll, describe, expect, it } from "vitest";
import { hasCode, limits, type RoomName, type SignPub } from "@althing/contract";
import { fc } from "../test/property.ts";
import { encrypted, now, person, room, roomName, type Person } from "../test/people.ts";
import { fromBase64url, toBase64url } from "./bytes.ts";
import { decodeCbor, encodeCbor, type CborValue } from "./canonical.ts";
import { decodeEpoch, encodeEpoch, sortMembers, verifyEpochSignature, type EpochRecord } from "./epoch.ts";

const forged = expect.objectContaining({ code: "epoch.forged" });
const keyCheck = toBase64url(new Uint8Array(32).fill(9));

let alice: Person;
let bob: Person;
let record: EpochRecord;
let bytes: Uint8Array;

beforeAll(async () => {
  [alice, bob] = await Promise.all([person("alice"), person("bob")]);
  record = {
    version: 1,
    suite: "hpke-v1",
    room,
    name: roomName,
    policy: encrypted,
    epoch: 1,
    previous: null,
    reason: "create",
    members: sortMembers([alice.as("owner"), bob.as("member")]),
    maker: alice.identity.endpoint,
    at: new Date(now).toISOString(),
    keyCheck,
    prevMessages: 3,
  };
  bytes = (await encodeEpoch(record, alice.identity)).bytes;
});

/** Another body, signed rightly by alice: what a hostile member can make. */
async function resigned(change: (body: Record<string, CborValue>) => CborValue): Promise<Uint8Array> {
  const [body] = decodeCbor(bytes) as [Uint8Array];
  const changed = encodeCbor(change(decodeCbor(body) as Record<string, CborValue>));
  return encodeCbor([changed, await alice.identity.sign("epoch", changed)]);
}

describe("an epoch record", () => {
  it("comes back as it was made, with the hash of its body", async () => {
    const decoded = decodeEpoch(bytes);
    expect(decoded.record).toEqual(record);
    expect(decoded.hash).toBe((await encodeEpoch(record, alice.identity)).hash);
    expect(fromBase64url(decoded.hash)).toHaveLength(32);
  });

  it("has another hash for any other content", async () => {
    const hashes = await Promise.all(
      [record, { ...record, epoch: 2 }, { ...record, name: "meadow" as RoomName }].map(
        async (one) => (await encodeEpoch(one, alice.identity)).hash,
      ),
    );
    expect(new Set(hashes).size).toBe(3);
  });

  it("is not made in another's name, nor with an endpoint that is not of its key", async () => {
    await expect(encodeEpoch(record, bob.identity)).rejects.toThrow(forged);
    const swapped = record.members.map((member) => ({ ...member, signPub: bob.identity.signPub }));
    await expect(encodeEpoch({ ...record, members: swapped }, alice.identity)).rejects.toThrow(forged);
  });

  it("any changed byte is refused or fails the signature", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = new Uint8Array(bytes);
        changed[at % changed.length] = (changed[at % changed.length] as number) ^ flip;
        try {
          expect(await verifyEpochSignature(decodeEpoch(changed), alice.identity.signPub)).toBe(false);
        } catch (error) {
          expect(hasCode(error, "epoch.forged")).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("cut, extended or junk is epoch.forged and nothing else", () => {
    for (let length = 0; length < bytes.length; length += 7) expect(() => decodeEpoch(bytes.subarray(0, length))).toThrow(forged);
    expect(() => decodeEpoch(new Uint8Array([...bytes, 0]))).toThrow(forged);
    expect(() => decodeEpoch(new Uint8Array(1024 * 1024 + 1))).toThrow(forged);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (junk) => {
        expect(() => decodeEpoch(junk)).toThrow(forged);
      }),
      { numRuns: 500 },
    );
  });

  type Body = Record<string, CborValue>;
  const members = (body: Body) => body["members"] as CborValue[][];
  it.each<[string, (body: Body) => CborValue]>([
    ["an unknown version", (body) => ({ ...body, v: 2 })],
    ["an unknown suite", (body) => ({ ...body, suite: "none" })],
    ["an unknown reason", (body) => ({ ...body, reason: "coup" })],
    ["an unknown field", (body) => ({ ...body, note: 1 })],
    ["a missing field", ({ maker: _maker, ...body }) => body],
    ["epoch 0", (body) => ({ ...body, epoch: 0 })],
    ["a negative epoch", (body) => ({ ...body, epoch: -1 })],
    ["a room that is no ULID", (body) => ({ ...body, room: "garden" })],
    ["a name with capitals", (body) => ({ ...body, name: "Garden" })],
    ["a short previous hash", (body) => ({ ...body, previous: new Uint8Array(31) })],
    ["a short key check", (body) => ({ ...body, keyCheck: new Uint8Array(31) })],
    ["a policy with a number", (body) => ({ ...body, policy: { ...(body["policy"] as Body), encrypt: 1 } })],
    ["a policy with more", (body) => ({ ...body, policy: { ...(body["policy"] as Body), secret: true } })],
    ["a policy of unknown history", (body) => ({ ...body, policy: { ...(body["policy"] as Body), history: "none" } })],
    ["a time that is none", (body) => ({ ...body, at: "yesterday" })],
    ["a time that cannot be", (body) => ({ ...body, at: "2026-13-40T00:00:00Z" })],
    ["a negative count of messages", (body) => ({ ...body, prevMessages: -1 })],
    ["no members", (body) => ({ ...body, members: [] })],
    ["unsorted members", (body) => ({ ...body, members: members(body).toReversed() })],
    ["a member twice", (body) => ({ ...body, members: [members(body)[0] as CborValue, ...members(body)] })],
    ["a member with an unknown role", (body) => ({ ...body, members: members(body).map(([s, k, h]) => [s, k, h, "king"] as CborValue) })],
    ["a member with a bad handle", (body) => ({ ...body, members: members(body).map(([s, k, , r]) => [s, k, "A B", r] as CborValue) })],
    [
      "a member with a small-order signing key",
      (body) => ({ ...body, members: [[new Uint8Array(32), (members(body)[0] as CborValue[])[1], "x", "member"] as CborValue] }),
    ],
    [
      "a member with a low-order kex key",
      (body) => ({ ...body, members: members(body).map(([s, , h, r]) => [s, new Uint8Array(32), h, r] as CborValue) }),
    ],
    ["a body that is a list", () => []],
  ])("with %s does not decode, though rightly signed", async (_what, change) => {
    const made = await resigned(change);
    expect(() => decodeEpoch(made)).toThrow(forged);
  });

  it("more members than a room takes does not decode", async () => {
    const many = await resigned((body) => ({
      ...body,
      members: Array.from({ length: limits.roomMembersMax + 1 }, () => (body["members"] as CborValue[])[0] as CborValue),
    }));
    expect(() => decodeEpoch(many)).toThrow(forged);
  });

  it("verifies by no key but its maker's, and by no junk", async () => {
    const decoded = decodeEpoch(bytes);
    expect(await verifyEpochSignature(decoded, alice.identity.signPub)).toBe(true);
    expect(await verifyEpochSignature(decoded, bob.identity.signPub)).toBe(false);
    expect(await verifyEpochSignature(decoded, "00".repeat(32) as SignPub)).toBe(false);
    expect(await verifyEpochSignature({ ...decoded, record: { ...record, maker: bob.identity.endpoint } }, bob.identity.signPub)).toBe(
      false,
    );
  });
});
