import { generateKeyPairSync, sign } from "node:crypto";
import { hasCode } from "@althing/contract";
import { beforeAll, describe, expect, test } from "vitest";
import {
  CRLDistributionPointsExtension,
  Extension,
  makeCertificate,
  makeRevocationList,
  privatePemOf,
  type MadeAuthority,
} from "../../test/certificate-maker.ts";
import { preAuthenticationEncoding, statementType } from "./envelope.ts";
import { newPublisherKey, publisherIdOf, signBundle, type BundleSigner } from "./sign-bundle.ts";
import { encodeStatement, type BundleStatement } from "./statement.ts";
import { openTrustStore } from "./trust-store.ts";
import { assertTrusted, verifyBundle, type TrustResult } from "./verify-bundle.ts";

const now = new Date("2026-11-22T00:00:00Z");
const contentHash = `sha256:${"ab".repeat(32)}` as const;

function statementFor(signer: BundleSigner): BundleStatement {
  return { contentHash, name: "org.example.greeter", version: "1.0.0", publisher: publisherIdOf(signer) };
}

function codeOf(result: TrustResult): string {
  expect(result.verified).toBe(result.reason === undefined);
  return result.reason?.code ?? "verified";
}

function refusal(result: TrustResult): string {
  try {
    assertTrusted(result);
    return "taken";
  } catch (error) {
    if (
      !hasCode(
        error,
        "trust.unsigned",
        "trust.untrusted_signer",
        "trust.malformed",
        "trust.bad_signature",
        "trust.revoked",
        "trust.content_mismatch",
      )
    )
      throw error;
    expect(error.status).toBe(422);
    expect(error.message).not.toMatch(/[{}]/);
    return error.code;
  }
}

describe("a bare publisher key", () => {
  const key = newPublisherKey();
  const bundle = statementFor(key);
  const trust = openTrustStore(`A friend's key:\r\n${key.publicKeyPem.replaceAll("\n", "\r\n")}`);
  const envelope = signBundle(bundle, key);
  const verify = (change: Partial<Parameters<typeof verifyBundle>[0]> = {}) =>
    verifyBundle({ envelope, bundle, trust, required: true, now, ...change });

  test("what the author signs is verified, with the signer named", () => {
    expect(verify()).toEqual({
      required: true,
      verified: true,
      signer: { kind: "key", id: key.publisherId, publisherId: key.publisherId },
      chain: [],
      reason: undefined,
    });
  });

  test.each(["contentHash", "name", "version", "publisher"] as const)("another %s is a content mismatch, required or not", (part) => {
    const other = { ...bundle, [part]: part === "contentHash" ? `sha256:${"cd".repeat(32)}` : "other" };
    for (const required of [true, false]) expect(refusal(verify({ bundle: other, required }))).toBe("trust.content_mismatch");
  });

  test("no signature, and a signer nobody knows, are tolerated only where no signature is required", () => {
    const stranger = newPublisherKey();
    const theirs = { ...bundle, publisher: stranger.publisherId };
    const foreign = { envelope: signBundle(theirs, stranger), bundle: theirs };
    expect(codeOf(verify({ envelope: undefined }))).toBe("trust.unsigned");
    expect(refusal(verify({ envelope: undefined }))).toBe("trust.unsigned");
    expect(refusal(verify({ envelope: undefined, required: false }))).toBe("taken");
    expect(refusal(verify(foreign))).toBe("trust.untrusted_signer");
    expect(refusal(verify({ ...foreign, required: false }))).toBe("taken");
    expect(verify({ ...foreign, required: false })).toMatchObject({ verified: false, signer: undefined });
    expect(refusal(verify({ trust: openTrustStore("") }))).toBe("trust.untrusted_signer");
  });

  test("each changed byte of the file is refused or leaves the same statement", () => {
    const bytes = Buffer.from(envelope);
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 2;
      const result = verify({ envelope: changed, required: false });
      if (result.verified) continue;
      refused++;
      expect(refusal(verify({ envelope: changed }))).not.toBe("taken");
    }
    expect(refused).toBeGreaterThan(bytes.length * 0.8);
  });

  test("another statement, or another payload type, by the same key is no release", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const store = openTrustStore(publicKey.export({ format: "pem", type: "spki" }).toString());
    const file = (type: string, payload: Buffer) => ({
      payloadType: type,
      payload: payload.toString("base64"),
      signatures: [{ keyid: "", sig: sign(null, preAuthenticationEncoding(type, payload), privateKey).toString("base64") }],
    });
    const statement = JSON.parse(Buffer.from(encodeStatement(bundle)).toString()) as Record<string, unknown>;
    const others = [
      file("text/plain", Buffer.from(encodeStatement(bundle))),
      file(statementType, Buffer.from("{}")),
      file(statementType, Buffer.from(JSON.stringify({ ...statement, predicateType: "urn:example:provenance" }))),
      file(
        statementType,
        Buffer.from(
          JSON.stringify({ ...statement, subject: [...(statement["subject"] as unknown[]), ...(statement["subject"] as unknown[])] }),
        ),
      ),
      file(statementType, Buffer.from([0xff])),
    ];
    for (const other of others) expect(codeOf(verify({ envelope: JSON.stringify(other), trust: store }))).toBe("trust.malformed");
  });

  test("an author cannot sign for another publisher", () => {
    expect(() => signBundle({ ...bundle, publisher: "x509:CN=Somebody" }, key)).toThrow("names the publisher");
  });

  test.each(["", "[]", "{", "null", "x".repeat(600_000), '{"payloadType":"a","payload":"","signatures":[]}'])(
    "a file that is no envelope is malformed: %#",
    (file) => {
      expect(codeOf(verify({ envelope: file }))).toBe("trust.malformed");
    },
  );
});

describe("a certificate", () => {
  let root: MadeAuthority;
  let middle: MadeAuthority;
  let leaf: MadeAuthority;
  let signer: BundleSigner;
  const pem = (...made: readonly MadeAuthority[]) => made.map((one) => `${one.certificate.toString("pem")}\n`).join("");

  beforeAll(async () => {
    root = await makeCertificate({ name: "Root", isAuthority: true });
    middle = await makeCertificate({ name: "Middle", isAuthority: true, issuer: root, pathLength: 0 });
    leaf = await makeCertificate({ name: "Publisher", issuer: middle });
    signer = { privateKeyPem: await privatePemOf(leaf.keys), chainPem: pem(leaf, middle) };
  });

  const verify = (by: BundleSigner, bundlePem: string, crl?: string, at = now) => {
    const bundle = statementFor(by);
    return verifyBundle({ envelope: signBundle(bundle, by), bundle, trust: openTrustStore(bundlePem, crl), required: true, now: at });
  };

  test("a chain to an anchor is verified; the signer is bound to the anchor's key and the subject", async () => {
    const result = verify(signer, pem(root));
    expect(result).toMatchObject({ verified: true, signer: { kind: "certificate", publisherId: "x509:CN=Publisher" } });
    expect(result.chain.map((link) => link.subject)).toEqual(["CN=Publisher", "CN=Middle", "CN=Root"]);
    const renewed = await makeCertificate({ name: "Publisher", issuer: middle });
    const again = verify({ privateKeyPem: await privatePemOf(renewed.keys), chainPem: pem(renewed, middle) }, pem(root));
    expect(again.signer).toEqual(result.signer);
  });

  test("an intermediate in the trust bundle helps to build a chain and never ends one", () => {
    const short = { ...signer, chainPem: pem(leaf) };
    expect(codeOf(verify(short, pem(root)))).toBe("trust.untrusted_signer");
    expect(codeOf(verify(short, pem(root, middle)))).toBe("verified");
    expect(codeOf(verify(short, pem(middle)))).toBe("trust.untrusted_signer");
    expect(codeOf(verify(short, pem(leaf)))).toBe("trust.untrusted_signer");
  });

  test("what was right at install is judged anew later", () => {
    expect(codeOf(verify(signer, pem(root), undefined, new Date("2031-01-01")))).toBe("trust.untrusted_signer");
  });

  test("revocation: every certificate needs a current list, and being on one ends it", async () => {
    const list = (issuer: MadeAuthority, serials: string[] = [], next = "2027-01-01") =>
      makeRevocationList(issuer, serials, "2026-06-01", next);
    const rootList = await list(root);
    expect(codeOf(verify(signer, pem(root), `${rootList}\n${await list(middle)}`))).toBe("verified");
    expect(codeOf(verify(signer, pem(root), ""))).toBe("trust.revoked");
    expect(codeOf(verify(signer, pem(root), rootList))).toBe("trust.revoked");
    expect(codeOf(verify(signer, pem(root), `${rootList}\n${await list(middle, [leaf.certificate.serialNumber])}`))).toBe("trust.revoked");
    expect(codeOf(verify(signer, pem(root), `${rootList}\n${await list(middle, [], "2026-07-01")}`))).toBe("trust.revoked");
    const both = `${await list(middle)}\n${await list(middle, [leaf.certificate.serialNumber])}`;
    expect(codeOf(verify(signer, pem(root), `${rootList}\n${both}`))).toBe("trust.revoked");
  });

  test("a public key anchor signs bundles, never certificates", () => {
    const key = `-----BEGIN PUBLIC KEY-----\n${Buffer.from(root.certificate.publicKey.rawData).toString("base64")}\n-----END PUBLIC KEY-----\n`;
    expect(codeOf(verify(signer, key))).toBe("trust.untrusted_signer");
  });

  test("an extension that is not evaluated refuses when critical and is ignored when not", async () => {
    for (const [isCritical, code] of [
      [true, "trust.untrusted_signer"],
      [false, "verified"],
    ] as const) {
      const extensions = [new Extension("1.2.3.4", isCritical, new Uint8Array([5, 0])), new CRLDistributionPointsExtension(["urn:x"])];
      const odd = await makeCertificate({ name: "Odd", issuer: middle, extensions });
      expect(codeOf(verify({ privateKeyPem: await privatePemOf(odd.keys), chainPem: pem(odd, middle) }, pem(root)))).toBe(code);
    }
  });

  test("a pool of look-alikes ends within the budget of attempts", async () => {
    const twins: MadeAuthority[] = [];
    for (let index = 0; index < 40; index++)
      twins.push(await makeCertificate({ name: "Twin", isAuthority: true, ...(twins[0] ? { keys: twins[0].keys } : {}) }));
    const [first] = twins;
    if (first === undefined) throw new Error("no twin");
    const lost = await makeCertificate({ name: "Lost", issuer: first });
    expect(codeOf(verify({ privateKeyPem: await privatePemOf(lost.keys), chainPem: pem(lost, ...twins) }, pem(root)))).toBe(
      "trust.untrusted_signer",
    );
  });

  test("a signer needs the key of its certificate", () => {
    expect(() => signBundle(statementFor(signer), { ...signer, privateKeyPem: newPublisherKey().privateKeyPem })).toThrow("another key");
  });
});

test.each([
  ["a private key", ["-----BEGIN", "PRIVATE KEY-----\nAAAA\n-----END", "PRIVATE KEY-----"].join(" ")],
  ["a block without end", "-----BEGIN CERTIFICATE-----\nAAAA"],
  ["garbage in a block", "-----BEGIN CERTIFICATE-----\nA!AA\n-----END CERTIFICATE-----"],
  [
    "a key with bytes after it",
    `-----BEGIN PUBLIC KEY-----\n${Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.alloc(33, 7)]).toString("base64")}\n-----END PUBLIC KEY-----`,
  ],
  [
    "a key of another kind",
    generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "pem", type: "spki" }).toString(),
  ],
  ["a damaged marker", "-----BEGIN CERTIFICATE----\nAAAA\n-----END CERTIFICATE-----"],
])("a trust bundle with %s is refused in full", (_, text) => {
  expect(() => openTrustStore(text)).toThrow(expect.objectContaining({ code: "trust.bundle_invalid" }) as Error);
});
