/**
 * Whom this instance trusts: the PEM trust bundle and the revocation lists beside it, read.
 *
 * Invariant: a bundle is read in full or refused in full. A CERTIFICATE block that is a self-signed authority ends chains; other certificates only
 * help to build them, so that an expired root cannot be bypassed by one of its intermediates; a PUBLIC KEY block is a publisher's own key and
 * signs bundles directly, never certificates. An empty bundle trusts nobody.
 */
import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { AppError } from "@althing/contract";
import { weaknessOfKey } from "./algorithms.ts";
import { type Certificate, isSelfIssued, readCertificate } from "./certificate.ts";
import { parsePem, type PemBlock } from "./pem.ts";
import { readRevocationList, type RevocationList } from "./revocation.ts";

export interface TrustStore {
  readonly anchors: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly publisherKeys: readonly KeyObject[];
  /** `undefined`: the operator keeps no lists. Empty: they are kept and cover nobody. */
  readonly revocationLists: readonly RevocationList[] | undefined;
}

function invalid(detail: string): AppError {
  return new AppError("trust.bundle_invalid", { detail });
}

function readBlock<T>(block: PemBlock, index: number, read: (block: PemBlock) => T): T {
  try {
    return read(block);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw invalid(`block ${index + 1} (${block.label}) is damaged: ${error instanceof Error ? error.message : "unknown"}`);
  }
}

function readPublisherKey({ der }: PemBlock): KeyObject {
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  if (!key.export({ format: "der", type: "spki" }).equals(der)) throw new Error("bytes follow the key, or it is not in DER");
  if (key.asymmetricKeyType !== "ed25519") throw new Error("a publisher's own key is an Ed25519 key");
  const weakness = weaknessOfKey(key);
  if (weakness !== undefined) throw new Error(weakness);
  return key;
}

function isAnchor(certificate: Certificate): boolean {
  return certificate.basicConstraints?.cA === true && isSelfIssued(certificate) && certificate.isSignedBy(certificate.key);
}

/**
 * @param bundlePem CERTIFICATE and PUBLIC KEY blocks
 * @param revocationPem X509 CRL blocks; leave it out when no lists are kept
 * @throws {trust.bundle_invalid} any block cannot be read, or has no place there
 */
export function openTrustStore(bundlePem: string, revocationPem?: string): TrustStore {
  const blocks = parsePem(bundlePem, ["CERTIFICATE", "PUBLIC KEY"], invalid);
  const certificates: Certificate[] = [];
  const publisherKeys: KeyObject[] = [];
  for (const [index, block] of blocks.entries()) {
    if (block.label === "PUBLIC KEY") publisherKeys.push(readBlock(block, index, readPublisherKey));
    else certificates.push(readBlock(block, index, readCertificate));
  }
  const lists = revocationPem === undefined ? undefined : parsePem(revocationPem, ["X509 CRL"], invalid);
  return {
    anchors: certificates.filter(isAnchor),
    intermediates: certificates.filter((certificate) => !isAnchor(certificate)),
    publisherKeys,
    revocationLists: lists?.map((block, index) => readBlock(block, index, readRevocationList)),
  };
}

/** A key's id in envelopes and records: `ed25519:` and the raw key, or `sha256:` and the digest of its SubjectPublicKeyInfo; hexadecimal. */
export function keyIdOf(key: KeyObject): string {
  const spki = key.export({ format: "der", type: "spki" });
  if (key.asymmetricKeyType === "ed25519") return `ed25519:${spki.subarray(-32).toString("hex")}`;
  return `sha256:${createHash("sha256").update(spki).digest("hex")}`;
}

/** The key that an id spells out, for ids that do. */
export function keyFromId(id: string): KeyObject | undefined {
  const raw = /^ed25519:([0-9a-f]{64})$/.exec(id)?.[1];
  if (raw === undefined) return undefined;
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(raw, "hex")]);
  return createPublicKey({ key: spki, format: "der", type: "spki" });
}
