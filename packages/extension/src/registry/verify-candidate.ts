/**
 * What a bundle that wants in says about itself, and whether its signature says the same.
 *
 * Invariant: publish, install, load and serve ask here; what differs is only where the bytes lie. A signature that is required and wrong is refused
 * with its own code; what is stored is the whole result.
 */
import { AppError, type TrustState } from "@althing/contract";
import semver from "semver";
import type { ContentHash } from "../bundle/index.ts";
import type { Manifest } from "../manifest/index.ts";
import { assertTrusted, verifyBundle, type TrustResult, type TrustStore } from "../trust/index.ts";

/** The ABI that this instance offers (packages/contract/wit). */
export const engineVersion = "1.0.0";

export interface VerifyCandidate {
  readonly manifest: Manifest;
  readonly contentHash: string;
  readonly signature: Uint8Array | undefined;
  readonly trust: TrustStore;
  readonly required: boolean;
  readonly nowMs: number;
}

export function toTrustState({ required, verified, signer, chain, reason }: TrustResult): TrustState {
  return {
    required,
    verified,
    ...(signer === undefined ? {} : { signer: { kind: signer.kind, id: signer.id, publisherId: signer.publisherId } }),
    chain: chain.map(({ subject, sha256, notAfter }) => ({ subject, sha256, notAfter })),
    ...(reason === undefined ? {} : { reason: { code: reason.code, text: reason.text } }),
  };
}

export function verifyCandidate({ manifest, contentHash, signature, trust, required, nowMs }: VerifyCandidate): TrustResult {
  const { name, version, publisher } = manifest;
  const hash: ContentHash = `sha256:${contentHash.slice("sha256:".length)}`;
  const bundle = { contentHash: hash, name, version, publisher: publisher.id };
  return verifyBundle({ envelope: signature, bundle, trust, required, now: new Date(nowMs) });
}

/**
 * @throws {trust.unsigned} {trust.untrusted_signer} when required
 * @throws {trust.malformed} {trust.bad_signature} {trust.revoked} {trust.content_mismatch} always
 */
export function requireTrust(candidate: VerifyCandidate): TrustState {
  return toTrustState(assertTrusted(verifyCandidate(candidate)));
}

/** @throws {install.engine_unsupported} */
export function requireEngine(manifest: Manifest, offered: string = engineVersion): void {
  if (semver.satisfies(offered, manifest.engine)) return;
  throw new AppError("install.engine_unsupported", { expected: manifest.engine, observed: offered });
}
