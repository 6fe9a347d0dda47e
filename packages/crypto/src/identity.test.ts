import { inspect } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { KeyCard, SignPub } from "@althing/contract";
import { endpointIdSchema, keyCardSchema } from "@althing/contract";
import { fromHex, toBase64url, toHex, utf8 } from "./bytes.ts";
import { endpointOf, identityFromKeys, identityFromPhrase, importIdentityKeys, verifyKeyCard, type Identity } from "./identity.ts";
import { checkRecoveryPhrase, identitySeeds, newRecoveryPhrase } from "./recovery-phrase.ts";
import { signedBytes, verify, verifyExact } from "./signing.ts";
import { sealTo } from "./hpke.ts";
import { person } from "../test/people.ts";

const phrase = "legal winner thank year wave sausage worth useful legal winner thank yellow";

describe("recovery phrases", () => {
  it("are twelve words that check, each time others", () => {
    const phrases = Array.from({ length: 20 }, newRecoveryPhrase);
    expect(new Set(phrases).size).toBe(20);
    for (const made of phrases) {
      expect(made.split(" ")).toHaveLength(12);
      expect(() => checkRecoveryPhrase(made)).not.toThrow();
    }
  });

  it("take what people type: capitals, spaces, line ends", () => {
    expect(() => checkRecoveryPhrase(`  ${phrase.toUpperCase().replaceAll(" ", "\n\t ")} `)).not.toThrow();
  });

  it.each([
    ["", "it has 0 words"],
    ["legal winner", "it has 2 words"],
    [`${phrase} legal`, "it has 13 words"],
    [phrase.replace("sausage", "sausagge"), "word 6 is not in the list"],
    [phrase.replace("yellow", "zoo"), "the checksum does not fit"],
  ])("refuse %j, naming the fault but no word", (text, detail) => {
    expect(() => checkRecoveryPhrase(text)).toThrow(
      expect.objectContaining({ code: "identity.phrase", message: expect.stringContaining(detail) as string }),
    );
    expect(() => checkRecoveryPhrase(text)).not.toThrow(/sausage|zoo/);
  });

  it("give the same keys for ever (a fixed vector)", async () => {
    const seeds = await identitySeeds(phrase);
    const identity = await identityFromPhrase(phrase);
    expect({
      sign: toHex(seeds.signSeed),
      kex: toHex(seeds.kexSeed),
      signPub: identity.signPub,
      kexPub: identity.kexPub,
      endpoint: identity.endpoint,
    }).toMatchInlineSnapshot(`
      {
        "endpoint": "1xuVhSIoWuAFz7wh2EnLK9PlhcAmAlOu5DvUgk8asXU",
        "kex": "13a08a09156aa7b1621b052f60293c9dd438b0fddcd2e911547ab81c06b275a4",
        "kexPub": "6f2159d11791dff39e8236992d64d99e56c91bc831cc1560f0993dd310856d43",
        "sign": "cbcfe3bfa85e0b70e9d9829332c92cc3937eb1919d8343963b7189a0a5a916c6",
        "signPub": "cb9c94edff663076aafcba8a377dadb0f420515a51a866859153b3d903b3347c",
      }
    `);
  });
});

describe("an identity", () => {
  let alice: Identity;
  let bob: Identity;
  beforeAll(async () => {
    alice = (await person("alice")).identity;
    bob = (await person("bob")).identity;
  });

  it("is named by the hash of its signing key", () => {
    expect(endpointIdSchema.parse(alice.endpoint)).toBe(endpointOf(alice.signPub));
    expect(alice.endpoint).not.toBe(bob.endpoint);
  });

  it("has a card that the contract takes and that verifies for its own key only", async () => {
    expect(keyCardSchema.parse(alice.card)).toEqual(alice.card);
    expect(await verifyKeyCard(alice.signPub, alice.card)).toBe(true);
    expect(await verifyKeyCard(bob.signPub, alice.card)).toBe(false);
    expect(await verifyKeyCard(alice.signPub, { ...alice.card, kexPub: bob.kexPub })).toBe(false);
    expect(await verifyKeyCard(alice.signPub, { ...alice.card, sig: bob.card.sig })).toBe(false);
  });

  it("a card with a low-order key is refused, though its owner signed it", async () => {
    for (const low of ["00".repeat(32), `01${"00".repeat(31)}`, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"]) {
      const card = { kexPub: low, sig: toBase64url(await alice.sign("keycard", fromHex(low))) } as KeyCard;
      expect(await verifyKeyCard(alice.signPub, card)).toBe(false);
    }
  });

  it("junk cards are refused without an exception", async () => {
    for (const card of [
      { kexPub: "zz", sig: "" },
      { kexPub: "", sig: "!!" },
      { kexPub: "00", sig: alice.card.sig },
    ]) {
      expect(await verifyKeyCard(alice.signPub, card as KeyCard)).toBe(false);
      expect(await verifyKeyCard("nonsense" as SignPub, alice.card)).toBe(false);
    }
  });

  it("a signature of one kind verifies for no other kind and not as plain bytes", async () => {
    const bytes = utf8("the same bytes");
    const sig = await alice.sign("epoch", bytes);
    expect(await verify("epoch", alice.signPub, bytes, sig)).toBe(true);
    for (const kind of ["keycard", "invite", "frame", "safety"] as const) expect(await verify(kind, alice.signPub, bytes, sig)).toBe(false);
    expect(await verifyExact(alice.signPub, bytes, sig)).toBe(false);
    expect(await verify("epoch", bob.signPub, bytes, sig)).toBe(false);
  });

  it("signs no bytes that a server chose: HTTP bases only, nothing that looks like a kind", () => {
    for (const base of [
      "",
      "nonce-from-a-server",
      "althing/frame/v1\0x",
      '"@methodx": GET',
      '"@target-uri": x\n"@method": GET',
      ' "@method": GET',
    ]) {
      expect(() => alice.signHttpBase(base)).toThrow(expect.objectContaining({ code: "auth.malformed" }));
    }
    expect(signedKinds().some((text) => text.startsWith('"@method"'))).toBe(false);
  });

  it("shows no secret when printed, serialised or walked", async () => {
    const seeds = await identitySeeds(phrase);
    const identity = await identityFromPhrase(phrase);
    const shown = [
      JSON.stringify(identity),
      inspect(identity, { depth: 10, showHidden: true }),
      Object.entries(identity).join(),
      String(identity),
    ]
      .join("\n")
      .toLowerCase();
    for (const secret of [toHex(seeds.signSeed), toHex(seeds.kexSeed), toBase64url(seeds.signSeed).toLowerCase(), "sausage"])
      expect(shown).not.toContain(secret);
    expect(Object.isFrozen(identity)).toBe(true);
  });

  it("opens what was sealed to it with the same info, and nothing else", async () => {
    const sealed = await sealTo(fromHex(alice.kexPub), utf8("info"), utf8("secret"));
    expect(await alice.openSealed(utf8("info"), sealed.enc, sealed.ct)).toEqual(utf8("secret"));
    await expect(alice.openSealed(utf8("other"), sealed.enc, sealed.ct)).rejects.toThrow();
    await expect(bob.openSealed(utf8("info"), sealed.enc, sealed.ct)).rejects.toThrow();
  });

  it("is the same over non-extractable platform keys as over the phrase", async () => {
    const keys = await importIdentityKeys(phrase);
    expect([keys.signPrivate.extractable, keys.kexPrivate.extractable]).toEqual([false, false]);
    const held = identityFromKeys(keys);
    const own = await identityFromPhrase(phrase);
    expect(JSON.stringify(held)).toBe(JSON.stringify(own));
    expect(await held.sign("frame", utf8("x"))).toEqual(await own.sign("frame", utf8("x")));
    const sealed = await sealTo(fromHex(own.kexPub), utf8("info"), utf8("secret"));
    expect(await held.openSealed(utf8("info"), sealed.enc, sealed.ct)).toEqual(utf8("secret"));
  });
});

function signedKinds(): readonly string[] {
  return (["keycard", "epoch", "invite", "frame", "safety"] as const).map((kind) =>
    new TextDecoder().decode(signedBytes(kind, new Uint8Array(0))),
  );
}
