import { describe, expect, test } from "vitest";
import { makeCertificate, privatePemOf } from "../../test/certificate-maker.ts";
import { newPublisherKey, openTrustStore, signBundle } from "../trust/index.ts";
import { signRegistryIndex, verifyRegistryIndex, type IndexPin, type RegistryIndexInput } from "./registry-index.ts";

const nowMs = Date.UTC(2026, 10, 22);
const key = newPublisherKey();
const other = newPublisherKey();
const trust = openTrustStore(`${key.publicKeyPem}\n${other.publicKeyPem}`);
const contentHash = `sha256:${"ab".repeat(32)}`;
const entry = { name: "org.example.greeter", version: "1.0.0", contentHash, bytes: 10, path: "a/b.althing", signature: "a/b.sig.json" };
const index = (more: Partial<RegistryIndexInput> = {}): RegistryIndexInput => ({
  version: 3,
  expires: "2026-12-01T00:00:00Z",
  packages: [entry],
  ...more,
});
const signed = (more: Partial<RegistryIndexInput> = {}, signer = key) => Buffer.from(signRegistryIndex(index(more), signer));
const verify = (file: Uint8Array, seen?: IndexPin, trusted = trust, at = nowMs) =>
  verifyRegistryIndex(file, { trust: trusted, nowMs: at, seen });
const codeOf = (work: () => unknown): unknown => {
  try {
    work();
    return "taken";
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
};

describe("a signed index", () => {
  test("is read back, and says what to remember of it", () => {
    const { index: read, pin } = verify(signed());
    expect(read.packages).toEqual([entry]);
    expect(pin).toMatchObject({ version: 3, signer: key.publisherId });
    expect(verify(signed(), pin).pin).toEqual(pin);
  });

  test("may be signed by a certificate that an anchor vouches for", async () => {
    const authority = await makeCertificate({ name: "Authority", isAuthority: true });
    const leaf = await makeCertificate({ name: "Publisher", issuer: authority });
    const signer = { privateKeyPem: await privatePemOf(leaf.keys), chainPem: leaf.certificate.toString("pem") };
    const file = Buffer.from(signRegistryIndex(index(), signer));
    const anchored = openTrustStore(authority.certificate.toString("pem"));
    expect(verify(file, undefined, anchored).pin.signer).toMatch(/^x509:ed25519:[0-9a-f]{64}:CN=Publisher$/);
    expect(codeOf(() => verify(file))).toBe("registry.index_invalid");
    expect(codeOf(() => verify(file, undefined, anchored, Date.UTC(2031, 0, 1)))).toBe("registry.index_invalid");
  });

  test("with a lower version than was seen is rolled back", () => {
    const { pin } = verify(signed({ version: 4 }));
    expect(codeOf(() => verify(signed({ version: 3 }), pin))).toBe("registry.index_rolled_back");
    expect(codeOf(() => verify(signed({ version: 5 }), pin))).toBe("taken");
  });

  test("is stale from the moment it expires", () => {
    const expires = Date.parse("2026-12-01T00:00:00Z");
    expect(codeOf(() => verify(signed(), undefined, trust, expires - 1))).toBe("taken");
    expect(codeOf(() => verify(signed(), undefined, trust, expires))).toBe("registry.index_stale");
  });

  test("with the version that was seen but other content is refused", () => {
    const { pin } = verify(signed());
    expect(codeOf(() => verify(signed({ packages: [] }), pin))).toBe("registry.index_invalid");
  });

  test("by another trusted signer is refused while the first is trusted, and taken when an admin has removed that one", () => {
    const { pin } = verify(signed());
    const theirs = signed({ version: 9 }, other);
    expect(codeOf(() => verify(theirs, pin))).toBe("registry.index_invalid");
    expect(codeOf(() => verify(theirs, pin, openTrustStore(other.publicKeyPem)))).toBe("taken");
    expect(codeOf(() => verify(signed({ version: 2 }, other), pin, openTrustStore(other.publicKeyPem)))).toBe("registry.index_rolled_back");
  });

  test.each([
    ["nobody trusts", () => signed({}, newPublisherKey())],
    ["is not JSON", () => Buffer.from("{")],
    ["is no envelope", () => Buffer.from(JSON.stringify(index()))],
    [
      "was changed",
      () =>
        Buffer.from(
          signed()
            .toString()
            .replace(/"payload": "(.)/, (_all, first: string) => `"payload": "${first === "e" ? "f" : "e"}`),
        ),
    ],
    [
      "is a signature over a bundle",
      () =>
        Buffer.from(
          signBundle(
            { contentHash: `sha256:${"ab".repeat(32)}`, name: "org.example.greeter", version: "1.0.0", publisher: key.publisherId },
            key,
          ),
        ),
    ],
    ["has more than 4 MiB", () => Buffer.alloc(4 * 1024 * 1024 + 1, 32)],
  ])("that %s is refused", (_what, file) => {
    expect(codeOf(() => verify(file()))).toBe("registry.index_invalid");
  });

  test.each([
    ["a path that climbs", { packages: [{ ...entry, path: "../x" }] }],
    ["an absolute path", { packages: [{ ...entry, path: "/x" }] }],
    ["another host", { packages: [{ ...entry, signature: "https://evil.example/x" }] }],
    ["a path with an empty segment", { packages: [{ ...entry, path: "a//b" }] }],
    ["a version twice", { packages: [entry, entry] }],
    ["version zero", { version: 0 }],
    ["no end", { expires: "never" }],
  ])("is not made with %s", (_what, more) => {
    expect(codeOf(() => signed(more))).toBe("registry.index_invalid");
  });
});
