import { hasCode } from "@althing/contract";
import { describe, expect, test } from "vitest";
import chain from "../../test/vectors/x509-codesigning/chain.json" with { type: "json" };
import crl from "../../test/vectors/x509-codesigning/crl.json" with { type: "json" };
import dsse from "../../test/vectors/x509-codesigning/dsse.json" with { type: "json" };
import pem from "../../test/vectors/x509-codesigning/pem.json" with { type: "json" };
import weak from "../../test/vectors/x509-codesigning/weak.json" with { type: "json" };
import { readEnvelope } from "./envelope.ts";
import { openTrustStore } from "./trust-store.ts";
import { verifyEnvelope } from "./verify-bundle.ts";

interface ChainCase {
  readonly id: string;
  readonly expected: string;
  readonly reason: string;
  readonly time: string;
  readonly chain: string;
  readonly anchor: string;
  readonly crl?: string;
  readonly dsse: unknown;
}

function verdictOf(one: ChainCase): string {
  try {
    verifyEnvelope(readEnvelope(one.dsse), openTrustStore(one.anchor, one.crl), new Date(one.time), one.chain);
    return "accept";
  } catch (error) {
    if (!hasCode(error, "trust.malformed", "trust.bad_signature", "trust.untrusted_signer", "trust.revoked")) throw error;
    return `reject: ${error.message}`;
  }
}

/** The words of the refusal that belong to the fault of a case, so that none is refused for another reason. */
const words: Readonly<Record<string, RegExp>> = {
  "boundary-before-start": /not valid yet/,
  "critical-unknown": /critical extension/,
  "eku-": /not for code signing/,
  "expired-": /expired/,
  "not-yet": /not valid yet/,
  "one-after": /expired/,
  "issuer-no-basic": /is no authority/,
  "issuer-no-keycertsign": /may not sign certificates/,
  "-ku-": /digital signatures/,
  "leaf-is-ca": /an authority, not a signer/,
  "name-constraint": /may certify/,
  pathlen: /authorities below/,
  "no-anchors": /no chain leads/,
  "untrusted-root": /no chain leads/,
  "ca-eku": /CA .* not for code signing/,
  "crl-revoked": /on its issuer's list/,
  "crl-expired": /past its next update/,
  "crl-future": /from the future/,
  "crl-forged": /did not sign it/,
  "crl-missing": /no list of its issuer/,
  "rsa-1024": /fewer than/,
  sha1: /algorithm/,
  "dsse-": /signature|payload/i,
  "pem-leaf-second": /not by the first/,
  "pem-garbage": /damaged/,
  "pem-trailing": /damaged/,
  "pem-truncated": /damaged|base64/,
};

describe.each(Object.entries({ chain, crl, dsse, pem, weak }))("%s", (_, cases) => {
  test.each((cases as readonly ChainCase[]).map((one) => [one.id, one] as const))("%s", (id, one) => {
    const verdict = verdictOf(one);
    if (one.expected !== "either") expect(verdict.split(":")[0], verdict).toBe(one.expected);
    if (one.expected !== "reject") return;
    for (const [part, pattern] of Object.entries(words)) if (id.includes(part)) expect(verdict).toMatch(pattern);
  });
});

test.each([
  ["ed25519-boundary-last-second", "accept", "exactly notAfter is still valid (RFC 5280)"],
  ["chain-of-31", "reject", "chains have eight certificates at most"],
  ["ed25519-ku-missing", "reject", "a signer says that it signs"],
  ["same-name-12", "reject", "key identifiers are needed"],
  ["ed25519-dsse-second-right", "accept", "one right signature is enough"],
])("a choice of the profile: %s is %s: %s", (id, verdict) => {
  const one = ([...chain, ...dsse] as readonly ChainCase[]).find((each) => each.id === id);
  expect(one && verdictOf(one).split(":")[0]).toBe(verdict);
});
