/**
 * One suite over all back ends: they must give the same bytes and verdicts, and those of the Wycheproof vectors.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { fromHex, toHex, utf8 } from "./bytes.ts";
import * as plainEd25519 from "./ed25519-node.ts";
import { createSodiumEd25519, type Sodium } from "./ed25519-sodium.ts";
import type { Primitives } from "./primitives.ts";
import * as nodePrimitives from "./primitives-node.ts";
import * as webPrimitives from "./primitives-web.ts";
import { isSoundKexPub, isSoundSignPub } from "./weak-points.ts";

/** The platform's own choice is libsodium wherever its addon loads; here it must, or the suite would say less than its name. */
const libsodium = createSodiumEd25519(createRequire(import.meta.url)("sodium-native") as Sodium);
const { importSignKey, importVerifyKey } = plainEd25519;
const backEnds: Record<string, Primitives> = {
  "node:crypto": { ...nodePrimitives, importSignKey, importVerifyKey },
  "node:crypto and libsodium": { ...nodePrimitives, ...libsodium },
  "what Node has chosen": nodePrimitives,
  WebCrypto: webPrimitives,
};

function vectors<T>(name: string): T[] {
  return (JSON.parse(readFileSync(new URL(`../test/vectors/wycheproof/${name}.json`, import.meta.url), "utf8")) as { cases: T[] }).cases;
}

async function outcome<T>(run: () => T | Promise<T>): Promise<T | "refused"> {
  try {
    return await run();
  } catch {
    return "refused";
  }
}

interface Common {
  id: number;
  flags: string[];
}

describe.each(Object.entries(backEnds))("primitives on %s", (_name, primitives) => {
  it("exports exactly the agreed functions", () => {
    expect(Object.keys(primitives).sort()).toEqual(Object.keys(nodePrimitives).sort());
  });

  it("gives every Wycheproof verdict of Ed25519, S above the order and junk lengths among them", async () => {
    const cases = vectors<Common & { publicKey: string; message: string; signature: string; valid: boolean }>("ed25519");
    expect(cases.length).toBeGreaterThan(140);
    for (const { id, publicKey, message, signature, valid } of cases) {
      const key = await primitives.importVerifyKey(fromHex(publicKey));
      expect([id, await key.verify(fromHex(message), fromHex(signature))]).toEqual([id, valid]);
      expect([id, await key.verifyApart(fromHex(message), fromHex(signature))]).toEqual([id, valid]);
    }
  });

  it("seals and opens under nonces that count up, repeat, leap and only look like counters, each as if it were the only one", async () => {
    const raw = new Uint8Array(32).fill(9);
    const counting = await primitives.importAeadKey(raw);
    const [aad, text] = [utf8("about"), utf8("a text of some length")];
    const nonces = [0, 1, 2, 2, 3, 4, 9, 10, 11, 4, 5, 0xffff_fffe, 0xffff_ffff, 0, 1].map((counter) => {
      const nonce = new Uint8Array(12);
      new DataView(nonce.buffer).setUint32(8, counter);
      return nonce;
    });
    // The next counter in the last four bytes, and something before them.
    const disguised = Uint8Array.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
    for (const nonce of [...nonces, disguised, Uint8Array.of(1, 2, 3), new Uint8Array(12)]) {
      const reference = await outcome(async () => (await primitives.importAeadKey(raw)).seal(nonce, aad, text));
      const sealed = await outcome(() => counting.seal(nonce, aad, text));
      expect(sealed).toEqual(reference);
      if (sealed === "refused") continue;
      expect(await counting.open(nonce, aad, sealed)).toEqual(text);
      expect(await counting.open(nonce, utf8("another"), sealed)).toBeUndefined();
      expect(await counting.open(nonce, aad, sealed)).toEqual(text);
      // What is made ahead is made now.
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it("agrees with every Wycheproof secret of X25519 and refuses low-order points", async () => {
    const cases = vectors<Common & { publicKey: string; privateKey: string; shared: string; result: string }>("x25519");
    for (const { id, flags, publicKey, privateKey, shared, result } of cases) {
      const secret = await outcome(() => primitives.x25519(fromHex(privateKey), fromHex(publicKey)));
      const got = secret === "refused" ? secret : toHex(secret);
      if (flags.includes("ZeroSharedSecret")) expect([id, got, isSoundKexPub(fromHex(publicKey))]).toEqual([id, "refused", false]);
      else if (result === "valid") expect([id, got, isSoundKexPub(fromHex(publicKey))]).toEqual([id, shared, true]);
      else expect([shared, "refused"]).toContain(got);
    }
  });

  it("gives every Wycheproof result of AES-256-GCM", async () => {
    const cases = vectors<Common & { key: string; nonce: string; aad: string; plaintext: string; sealed: string; valid: boolean }>(
      "aes-256-gcm",
    );
    for (const { id, key, nonce, aad, plaintext, sealed, valid } of cases) {
      const aead = await primitives.importAeadKey(fromHex(key));
      const opened = await aead.open(fromHex(nonce), fromHex(aad), fromHex(sealed));
      expect([id, opened === undefined ? undefined : toHex(opened)]).toEqual([id, valid ? plaintext : undefined]);
      if (valid) expect(toHex(await aead.seal(fromHex(nonce), fromHex(aad), fromHex(plaintext)))).toBe(sealed);
    }
  });

  it("gives every Wycheproof result of HKDF-SHA-256", async () => {
    const cases = vectors<Common & { ikm: string; salt: string; info: string; lengthBytes: number; okm: string; valid: boolean }>(
      "hkdf-sha256",
    );
    for (const { id, ikm, salt, info, lengthBytes, okm, valid } of cases) {
      const output = await outcome(() => primitives.hkdfSha256(fromHex(ikm), fromHex(salt), fromHex(info), lengthBytes));
      expect([id, output === "refused" ? output : toHex(output)]).toEqual([id, valid ? okm : "refused"]);
    }
  });

  it("signs as RFC 8032 §7.1 test 2 does", async () => {
    const key = await primitives.importSignKey(fromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
    expect(toHex(key.publicKey)).toBe("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    expect(toHex(await key.sign(Uint8Array.of(0x72)))).toBe(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
  });

  it("hashes short and long content alike, at once and later", async () => {
    expect(toHex(primitives.sha256Now(utf8("abc")))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (const length of [0, 1, 4_096, 4_097, 70_000]) {
      const content = new Uint8Array(length).fill(7);
      expect(await primitives.sha256(content)).toEqual(nodePrimitives.sha256Now(content));
      expect(await primitives.sha512(content)).toEqual(nodePrimitives.sha512Now(content));
      expect(primitives.sha512Now(content)).toEqual(nodePrimitives.sha512Now(content));
    }
  });

  it("refuses keys of wrong length and short sealed bytes", async () => {
    for (const make of [primitives.importSignKey, primitives.importVerifyKey, primitives.importAeadKey]) {
      for (const length of [0, 31, 33, 64]) expect(await outcome(() => make(new Uint8Array(length)))).toBe("refused");
    }
    const aead = await primitives.importAeadKey(new Uint8Array(32));
    expect(await aead.open(new Uint8Array(12), new Uint8Array(0), new Uint8Array(15))).toBeUndefined();
  });
});

describe("weak public keys", () => {
  const smallOrder = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  ];
  const nonCanonical = [
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ];

  it("no signing key of small order or non-canonical form is sound", () => {
    for (const hex of [...smallOrder, ...nonCanonical]) expect([hex, isSoundSignPub(fromHex(hex))]).toEqual([hex, false]);
  });

  it("a forger with a small-order key, whose signature of zeros verifies for every message it can, gets nowhere", async () => {
    const { verify } = await import("./signing.ts");
    const zeroS = new Uint8Array(64);
    zeroS[0] = 1;
    for (const hex of smallOrder) {
      for (let message = 0; message < 16; message++) expect(await verify("epoch", fromHex(hex), Uint8Array.of(message), zeroS)).toBe(false);
    }
  });
});
