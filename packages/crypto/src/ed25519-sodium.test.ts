/**
 * Is libsodium's verdict node:crypto's and WebCrypto's, whoever made the signature?
 */
import { createRequire } from "node:module";
import { describe, expect, it, vi } from "vitest";
import { add, base, encodePoint, littleEndian, order, responseOf, times, torsion, type Point } from "../test/edwards.ts";
import { fromHex, utf8 } from "./bytes.ts";
import * as plain from "./ed25519-node.ts";
import { createSodiumEd25519, isFit, loadSodium, type Sodium } from "./ed25519-sodium.ts";
import * as web from "./primitives-web.ts";
import { isSoundSignPub } from "./weak-points.ts";

const real = createRequire(import.meta.url)("sodium-native") as Sodium;
const onSodium = createSodiumEd25519(real);

interface Case {
  readonly name: string;
  readonly key: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

const secret = 123_456_789n;
const nonce = 987_654_321n;

function signed(name: string, key: Uint8Array, rBytes: Uint8Array, r: bigint, message: Uint8Array, more = 0n): Case {
  const response = responseOf(r, secret, rBytes, key, message) + more;
  return { name, key, message, signature: Buffer.concat([rBytes, littleEndian(response)]) };
}

/** Key and R each with every point of small order added: some of these only a verification with the cofactor takes. */
function mixedOrders(): Case[] {
  const small = Array.from({ length: 8 }, (_, index) => times(torsion, BigInt(index)));
  const [publicPoint, noncePoint] = [times(base, secret), times(base, nonce)];
  return small.flatMap((inKey, i) =>
    small.flatMap((inR, j) =>
      [0, 1, 2].map((index) => {
        const [key, r] = [encodePoint(add(publicPoint, inKey)), encodePoint(add(noncePoint, inR))];
        return signed(`A+${i}T R+${j}T ${index}`, key, r, nonce, utf8(`message ${index}`));
      }),
    ),
  );
}

/** R of small order; with S = h·a the equation of RFC 8032 holds for the neutral one. */
function smallOrderR(): Case[] {
  const key = encodePoint(times(base, secret));
  return Array.from({ length: 8 }, (_, index) => signed(`R=${index}T`, key, encodePoint(times(torsion, BigInt(index))), 0n, utf8("small")));
}

/** R in a form that no encoder writes: y + p, and a sign where x is zero. */
function nonCanonicalR(): Case[] {
  const key = encodePoint(times(base, secret));
  return [
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000080",
  ].map((hex) => signed(`R=${hex}`, key, fromHex(hex), 0n, utf8("form")));
}

function otherForms(): Case[] {
  const point: Point = times(base, secret);
  const key = encodePoint(point);
  const r = encodePoint(times(base, nonce));
  const good = signed("good", key, r, nonce, utf8("m"));
  return [
    good,
    signed("S + L", key, r, nonce, utf8("m"), order),
    signed("S + 2L", key, r, nonce, utf8("m"), 2n * order),
    { ...good, name: "no R", signature: Buffer.concat([Buffer.alloc(32, 0xff), good.signature.subarray(32)]) },
    { ...good, name: "S = 0", signature: Buffer.concat([good.signature.subarray(0, 32), Buffer.alloc(32)]) },
    { ...good, name: "other message", message: utf8("n") },
    { ...good, name: "nothing signed", message: new Uint8Array(0) },
    { ...good, name: "no point as key", key: Buffer.alloc(32, 2) },
    { ...good, name: "short", signature: good.signature.subarray(1) },
    { ...good, name: "long", signature: Buffer.concat([good.signature, Buffer.alloc(1)]) },
  ];
}

const cases = [...mixedOrders(), ...smallOrderR(), ...nonCanonicalR(), ...otherForms()];

/** What verifying ends in, refusals to import the key among it. */
async function verdictOf(importKey: typeof plain.importVerifyKey | typeof web.importVerifyKey, { key, message, signature }: Case) {
  try {
    return await (await importKey(key)).verify(message, signature);
  } catch {
    return false;
  }
}

describe("libsodium", () => {
  it("takes nothing that node:crypto refuses", () => {
    let taken = 0;
    for (const one of cases.filter(({ signature }) => signature.length === 64)) {
      if (!real.crypto_sign_verify_detached(one.signature, one.message, one.key)) continue;
      taken += 1;
      expect([one.name, plain.importVerifyKey(one.key).verify(one.message, one.signature)]).toEqual([one.name, true]);
    }
    expect(taken).toBeGreaterThan(10);
  });

  it("with node:crypto asked again gives node:crypto's and WebCrypto's verdict for every sound key", async () => {
    let good = 0;
    for (const one of cases) {
      expect([one.name, isSoundSignPub(one.key)]).toEqual([one.name, true]);
      const wanted = await verdictOf(plain.importVerifyKey, one);
      expect([one.name, await verdictOf(onSodium.importVerifyKey, one), await verdictOf(web.importVerifyKey, one)]).toEqual([
        one.name,
        wanted,
        wanted,
      ]);
      if (wanted) good += 1;
    }
    expect(good).toBeGreaterThan(10);
  });

  it("has no last word: what it refuses is asked of node:crypto again", () => {
    const strict = createSodiumEd25519({ ...real, crypto_sign_verify_detached: () => false });
    for (const one of otherForms().filter(({ name }) => name !== "no point as key"))
      expect([one.name, strict.importVerifyKey(one.key).verify(one.message, one.signature)]).toEqual([one.name, one.name === "good"]);
  });

  it("is not used when it verifies with the cofactor, takes all, refuses all, or cannot be loaded", () => {
    expect(isFit(real)).toBe(true);
    expect(loadSodium(() => real)).toBe(real);
    const other = (verify: Sodium["crypto_sign_verify_detached"]): Sodium => ({ ...real, crypto_sign_verify_detached: verify });
    expect(loadSodium(() => other(() => true))).toBeUndefined();
    expect(loadSodium(() => other(() => false))).toBeUndefined();
    expect(
      loadSodium(() => {
        throw new Error("Cannot load native addon because loading addons is disabled.");
      }),
    ).toBeUndefined();
    expect(loadSodium(() => ({}))).toBeUndefined();
  });

  it("locks the memory of a bounded number of keys; further ones sign the same on node:crypto", () => {
    const malloc = vi.fn<Sodium["sodium_malloc"]>((bytes) => new Uint8Array(bytes));
    const counting = createSodiumEd25519({ ...real, sodium_malloc: malloc, sodium_mprotect_readonly: () => undefined });
    const seed = new Uint8Array(32).fill(3);
    const keys = Array.from({ length: 300 }, () => counting.importSignKey(seed));
    expect(malloc).toHaveBeenCalledTimes(256);
    const [first, last] = [keys[0], keys.at(-1)];
    expect(first?.publicKey).toEqual(last?.publicKey);
    expect(first?.sign(utf8("x"))).toEqual(last?.sign(utf8("x")));
  });
});
