/**
 * Ballots that only their trustee opens, for one vote, and that all look alike.
 */
import { ballotPlainBytes, sealedBallotBytes, type CommunityId, type KexPub, type VoteChoice } from "@althing/contract";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { concat, fromBase64url, fromHex, toBase64url } from "./bytes.ts";
import { encodeCbor } from "./canonical.ts";
import { sealTo } from "./hpke.ts";
import { identityFromPhrase, type Identity } from "./identity.ts";
import { newRecoveryPhrase } from "./recovery-phrase.ts";
import { isBallotKey, makeBallotKey, openBallot, openBallotKey, sealBallot, type BallotContext } from "./secret-ballot.ts";

const context: BallotContext = {
  community: "01ARZ3NDEKTSV4RRFFQ69G5FAV" as CommunityId,
  proposal: "01BX5ZZKBKACTAV9WEVGEMMVRZ",
  options: [{ id: "roses" }, { id: "beans" }, { id: "kale" }],
};
const elsewhere: BallotContext = { ...context, proposal: "01BX5ZZKBKACTAV9WEVGEMMVS0" };
let trustee: Identity;
let stranger: Identity;

beforeAll(async () => {
  [trustee, stranger] = await Promise.all([identityFromPhrase(newRecoveryPhrase()), identityFromPhrase(newRecoveryPhrase())]);
});

describe("a sealed ballot", () => {
  it("opens for the trustee to its choice and receipt", async () => {
    const key = await makeBallotKey(trustee, context);
    const choice: VoteChoice = { scores: { roses: 5, kale: 0 } };
    const { sealed, nonce } = await sealBallot(key.publicKey, context, choice);
    expect(await openBallot(await openBallotKey(trustee, context, key), context, sealed)).toEqual({ nonce, choice });
    expect(fromBase64url(nonce)).toHaveLength(32);
  });

  it("has one length whatever it says, and room for every choice of fifty options", async () => {
    const options = Array.from({ length: 50 }, (_, at) => ({ id: `option-${String(at).padStart(25, "x")}` }));
    const wide = { ...context, options };
    const { publicKey } = await makeBallotKey(trustee, wide);
    const ids = options.map(({ id }) => id);
    const choices: VoteChoice[] = [
      { choice: "no" },
      { approvals: ids },
      { scores: Object.fromEntries(ids.map((id) => [id, 100])) },
      { votes: Object.fromEntries(ids.map((id) => [id, -100])) },
      { ranking: ids.map((id) => [id]) },
      { ranking: [ids] },
    ];
    const lengths = await Promise.all(
      choices.map(async (choice) => fromBase64url((await sealBallot(publicKey, wide, choice)).sealed.ct).length),
    );
    expect(new Set(lengths)).toEqual(new Set([sealedBallotBytes(options)]));
    await expect(sealBallot(publicKey, context, { approvals: ids })).rejects.toMatchObject({ code: "ballot.invalid" });
  });

  it("is another each time, and shows nothing of its choice", async () => {
    const { publicKey } = await makeBallotKey(trustee, context);
    const made = await Promise.all(Array.from({ length: 20 }, () => sealBallot(publicKey, context, { choice: "yes" })));
    expect(new Set(made.map(({ sealed }) => sealed.ct)).size).toBe(20);
    expect(new Set(made.map(({ nonce }) => nonce)).size).toBe(20);
  });

  it("opens for no other vote, no other community, no other key", async () => {
    const [key, other] = [await makeBallotKey(trustee, context), await makeBallotKey(trustee, context)];
    const { sealed } = await sealBallot(key.publicKey, context, { choice: "yes" });
    const opened = await openBallotKey(trustee, context, key);
    expect(await openBallot(opened, elsewhere, sealed)).toBeUndefined();
    expect(await openBallot(opened, { ...context, community: elsewhere.proposal as CommunityId }, sealed)).toBeUndefined();
    expect(await openBallot(await openBallotKey(trustee, context, other), context, sealed)).toBeUndefined();
  });

  it("that is altered or made up is spoilt, never an exception and never another choice", async () => {
    const key = await makeBallotKey(trustee, context);
    const opened = await openBallotKey(trustee, context, key);
    const { sealed } = await sealBallot(key.publicKey, context, { choice: "yes" });
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const ct = fromBase64url(sealed.ct);
        ct[at % ct.length] = (ct[at % ct.length] ?? 0) ^ mask;
        expect(await openBallot(opened, context, { ...sealed, ct: toBase64url(ct) })).toBeUndefined();
      }),
      { numRuns: 30 },
    );
    for (const enc of ["A".repeat(43), "not base64url"]) expect(await openBallot(opened, context, { ...sealed, enc })).toBeUndefined();
  });

  it("has one encoding: no rest after it, no other fields, no short nonce, no other length", async () => {
    const key = await makeBallotKey(trustee, context);
    const opened = await openBallotKey(trustee, context, key);
    const info = concat(new TextEncoder().encode("althing/ballot/v1\0"), encodeCbor([context.community, context.proposal]));
    const seal = async (said: Uint8Array, options: { length?: number; tail?: number; declared?: number } = {}) => {
      const plain = new Uint8Array(options.length ?? ballotPlainBytes(context.options));
      new DataView(plain.buffer).setUint32(0, options.declared ?? said.length);
      plain.set(said, 4);
      if (options.tail !== undefined) plain[plain.length - 1] = options.tail;
      const { enc, ct } = await sealTo(fromHex(key.publicKey), info, plain);
      return openBallot(opened, context, { enc: toBase64url(enc), ct: toBase64url(ct) });
    };
    const nonce = new Uint8Array(32);
    const good = encodeCbor({ choice: { choice: "yes" }, nonce });
    expect(await seal(good)).toMatchObject({ choice: { choice: "yes" } });
    expect(await seal(good, { tail: 1 })).toBeUndefined();
    expect(await seal(good, { length: ballotPlainBytes(context.options) + 64 })).toBeUndefined();
    expect(await seal(good, { declared: 0xffff_ffff })).toBeUndefined();
    expect(await seal(good, { declared: good.length + 1 })).toBeUndefined();
    expect(await seal(encodeCbor({ choice: { choice: "maybe" }, nonce }))).toBeUndefined();
    expect(await seal(encodeCbor({ choice: { choice: "yes" }, nonce, voter: "bob" }))).toBeUndefined();
    expect(await seal(encodeCbor({ choice: { choice: "yes" }, nonce: nonce.subarray(1) }))).toBeUndefined();
    expect(await seal(encodeCbor("yes"))).toBeUndefined();
    expect(await seal(encodeCbor(null))).toBeUndefined();
  });
});

describe("a ballot key", () => {
  it("opens for its trustee on any device, for nobody else and no other vote", async () => {
    const key = await makeBallotKey(trustee, context);
    await openBallotKey(trustee, context, key);
    await expect(openBallotKey(stranger, context, key)).rejects.toMatchObject({ code: "ballot.key_forged" });
    await expect(openBallotKey(trustee, elsewhere, key)).rejects.toMatchObject({ code: "ballot.key_forged" });
  });

  it("whose public half was exchanged is noticed", async () => {
    const [key, other] = [await makeBallotKey(trustee, context), await makeBallotKey(stranger, context)];
    await expect(openBallotKey(trustee, context, { ...key, publicKey: other.publicKey })).rejects.toMatchObject({
      code: "ballot.key_forged",
    });
  });

  it("of small order is sealed to by nobody", async () => {
    for (const weak of ["00".repeat(32), "01".padEnd(64, "0"), `ec${"ff".repeat(30)}7f`]) {
      expect(isBallotKey(weak as KexPub)).toBe(false);
      await expect(sealBallot(weak as KexPub, context, { choice: "yes" })).rejects.toMatchObject({ code: "ballot.key_forged" });
    }
  });
});
