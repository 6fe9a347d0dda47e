/**
 * RFC 9421 and 9530 vectors: every labelled verdict, in the order of steps that the hub uses.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isAppError } from "@althing/contract";
import { fromBase64url } from "./bytes.ts";
import { checkContentDigest } from "./content-digest.ts";
import {
  althingProfile,
  checkFreshness,
  parseSignatures,
  verifyRequestSignature,
  type HttpRequestView,
  type ParsedSignature,
  type SignatureProfile,
} from "./http-signature.ts";
import { fieldValue } from "./signature-base.ts";

interface Policy {
  requiredComponents: string[];
  requiredParameters: SignatureProfile["parameters"];
  algorithm: "ed25519";
  tag: string | null;
  windowSeconds: number | null;
  skewSeconds: number;
  signatures: SignatureProfile["signatures"];
}
interface RequestVector {
  method: string;
  targetUri: string;
  headers: [string, string][];
  bodyBase64: string;
}
type Verdict = "accept" | "reject" | "either";
interface Case {
  id: string;
  expected: Verdict;
  reason: string;
  now: number;
  policy?: Policy;
  request: RequestVector;
  signatureBase?: string;
}
interface Step {
  now: number;
  request: RequestVector;
  expected?: Verdict;
  copies?: number;
  expectedAccepts?: number;
  node?: number;
  restartBefore?: boolean;
  nonceStore?: "error";
}

function load<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../test/vectors/http-signatures/${name}.json`, import.meta.url), "utf8")) as T;
}
const { keys, defaultPolicy } = load<{ keys: Record<string, string>; defaultPolicy: Policy }>("keys");

function profileOf(policy: Policy): SignatureProfile {
  return {
    ...althingProfile,
    components: policy.requiredComponents,
    bodyComponents: [],
    presentComponents: [],
    others: true,
    parameters: policy.requiredParameters,
    algorithm: policy.algorithm,
    tag: policy.tag,
    keyId: /^[\x20-\x7e]+$/,
    windowSeconds: policy.windowSeconds,
    skewSeconds: policy.skewSeconds,
    signatures: policy.signatures,
  };
}

/** Nonces by key until they expire, shared by all nodes, kept over restarts. */
function createClaims() {
  const claimed = new Map<string, number>();
  return (keyId: string, nonce: string, expires: number, now: number): boolean => {
    const key = JSON.stringify([keyId, nonce]);
    if ((claimed.get(key) ?? 0) > now) return false;
    claimed.set(key, expires);
    return true;
  };
}

async function verifyOne(parsed: ParsedSignature, profile: SignatureProfile, now: number): Promise<ParsedSignature | undefined> {
  try {
    checkFreshness(parsed, now, profile);
    const key = Object.hasOwn(keys, parsed.keyId) ? keys[parsed.keyId] : undefined;
    if (key === undefined) return undefined;
    await verifyRequestSignature(parsed, fromBase64url(key));
    return parsed;
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}

async function verdict(
  request: RequestVector,
  now: number,
  policy: Policy,
  claim: (parsed: ParsedSignature) => boolean,
): Promise<ParsedSignature | undefined> {
  const profile = profileOf(policy);
  const body = new Uint8Array(Buffer.from(request.bodyBase64, "base64"));
  const view: HttpRequestView = {
    method: request.method,
    targetUri: request.targetUri,
    headers: request.headers,
    hasBody: body.length > 0,
  };
  let candidates: ParsedSignature[];
  try {
    candidates = parseSignatures(view, profile);
    const digest = fieldValue(view, "content-digest");
    if (digest !== undefined) await checkContentDigest(digest, body);
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
  for (const candidate of candidates) {
    const verified = await verifyOne(candidate, profile, now);
    if (verified !== undefined) return claim(verified) ? verified : undefined;
  }
  return undefined;
}

describe("HTTP signature vectors", () => {
  it.each(load<Case[]>("cases"))("$id: $expected ($reason)", async ({ expected, now, policy, request, signatureBase }) => {
    const verified = await verdict(request, now, policy ?? defaultPolicy, () => true);
    if (expected !== "either") expect(verified === undefined ? "reject" : "accept").toBe(expected);
    if (verified !== undefined && signatureBase !== undefined) expect(verified.base).toBe(signatureBase);
  });

  it.each(load<{ id: string; reason: string; steps: Step[] }[]>("sequences"))("sequence $id: $reason", async ({ steps }) => {
    const claims = createClaims();
    for (const step of steps) {
      const claim = (parsed: ParsedSignature) =>
        step.nonceStore !== "error" && claims(parsed.keyId, parsed.nonce, parsed.expires, step.now);
      const verdicts = await Promise.all(
        Array.from({ length: step.copies ?? 1 }, () => verdict(step.request, step.now, defaultPolicy, claim)),
      );
      const accepts = verdicts.filter((verified) => verified !== undefined).length;
      if (step.expectedAccepts !== undefined) expect(accepts).toBe(step.expectedAccepts);
      else if (step.expected !== "either") expect(accepts).toBe(step.expected === "accept" ? 1 : 0);
    }
  });

  it.each(load<{ id: string; expected: Verdict; reason: string; bodyBase64: string; contentDigest: string | null }[]>("digests"))(
    "digest $id: $expected ($reason)",
    async ({ expected, bodyBase64, contentDigest }) => {
      const body = new Uint8Array(Buffer.from(bodyBase64, "base64"));
      let observed: Verdict = "accept";
      try {
        if (contentDigest === null) observed = "reject";
        else await checkContentDigest(contentDigest, body);
      } catch (error) {
        expect(isAppError(error)).toBe(true);
        observed = "reject";
      }
      if (expected !== "either") expect(observed).toBe(expected);
    },
  );
});
