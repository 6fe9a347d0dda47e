import { fc } from "../test/property.ts";
import { beforeAll, describe, expect, it } from "vitest";
import { hasCode } from "@althing/contract";
import { decodeIdentityFile, encodeIdentityFile, isProtected } from "./identity-file.ts";

const phrase = "legal winner thank year wave sausage worth useful legal winner thank yellow";
const path = "alice.identity";
const corrupt = expect.objectContaining({ code: "identity.corrupt" });

describe("an identity file without passphrase", () => {
  let text: string;
  beforeAll(async () => {
    text = await encodeIdentityFile(phrase);
  });

  it("gives the phrase back", async () => {
    expect(isProtected(text)).toBe(false);
    expect(await decodeIdentityFile(text, path)).toMatchObject({ phrase });
  });

  it("cut anywhere or with any character changed is corrupt, never another identity", async () => {
    const change = fc.tuple(fc.nat({ max: text.length - 2 }), fc.constantFrom("cut", "A", "b", "0", " ", '"', "\u0000"));
    await fc.assert(
      fc.asyncProperty(change, async ([at, how]) => {
        const changed = how === "cut" ? text.slice(0, at) : text.slice(0, at) + how + text.slice(at + 1);
        try {
          expect(await decodeIdentityFile(changed, path)).toMatchObject({ phrase });
        } catch (error) {
          expect(hasCode(error, "identity.corrupt")).toBe(true);
          expect(String(error)).not.toContain("sausage");
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ["another version", (file: Record<string, unknown>) => ({ ...file, version: 2 })],
    ["a version as text", (file: Record<string, unknown>) => ({ ...file, version: "1" })],
    ["another format", (file: Record<string, unknown>) => ({ ...file, format: "wallet" })],
    ["an unknown field", (file: Record<string, unknown>) => ({ ...file, note: "x" })],
    ["both secrets", (file: Record<string, unknown>) => ({ ...file, age: "x" })],
    ["no phrase", ({ phrase: _phrase, ...file }: Record<string, unknown>) => file],
    ["another identity's public key", (file: Record<string, unknown>) => ({ ...file, signPub: "00".repeat(32) })],
    [
      "another valid phrase",
      (file: Record<string, unknown>) => ({
        ...file,
        phrase: "letter advice cage absurd amount doctor acoustic avoid letter advice cage above",
      }),
    ],
    ["a list", (file: Record<string, unknown>) => [file]],
    ["null", () => null],
  ])("with %s is corrupt", async (_what, change) => {
    const changed = JSON.stringify(change(JSON.parse(text) as Record<string, unknown>));
    await expect(decodeIdentityFile(changed, path)).rejects.toThrow(corrupt);
  });

  it.each(["", "{", "[]", "no JSON", "x".repeat(100_000)])("junk is corrupt: %#", async (junk) => {
    await expect(decodeIdentityFile(junk, path)).rejects.toThrow(corrupt);
    expect(() => isProtected(junk)).toThrow(corrupt);
  });

  it("is not written for what is no phrase", async () => {
    await expect(encodeIdentityFile("one two three")).rejects.toThrow(expect.objectContaining({ code: "identity.phrase" }));
  });
});

describe("an identity file with passphrase", () => {
  let text: string;
  beforeAll(async () => {
    text = await encodeIdentityFile(phrase, { passphrase: "Grüße an alle" });
  });

  it("holds no word of the phrase and opens with the passphrase, however its accents are composed", async () => {
    expect(isProtected(text)).toBe(true);
    for (const word of phrase.split(" ")) expect(text).not.toContain(word);
    expect(await decodeIdentityFile(text, path, { passphrase: "Grüße an alle".normalize("NFD") })).toMatchObject({ phrase });
  });

  it("a wrong, an empty or no passphrase is identity.passphrase", async () => {
    for (const protection of [{ passphrase: "grüße an alle" }, { passphrase: "" }, {}]) {
      await expect(decodeIdentityFile(text, path, protection)).rejects.toThrow(expect.objectContaining({ code: "identity.passphrase" }));
    }
  });

  it("tampered or cut is corrupt even with the right passphrase", async () => {
    const file = JSON.parse(text) as Record<string, string>;
    const age = file["age"] as string;
    for (const changed of [
      age.slice(0, -60),
      age.replace(/^(.{90})(.)/s, (_, head: string, char: string) => head + (char === "Z" ? "Y" : "Z")),
      "",
    ]) {
      await expect(decodeIdentityFile(JSON.stringify({ ...file, age: changed }), path, { passphrase: "Grüße an alle" })).rejects.toThrow(
        corrupt,
      );
    }
  });
});
