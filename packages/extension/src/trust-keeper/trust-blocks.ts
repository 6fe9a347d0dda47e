/**
 * PEM as the trust keeper stores it: one block a record, each with the id that its own bytes give.
 *
 * Invariant: the id is derived from the bytes wherever a block is read, so a record whose bytes were changed no longer fits its key.
 */
import { createHash, createPublicKey } from "node:crypto";
import { AppError } from "@althing/contract";
import { parsePem, type PemBlock } from "../trust/pem.ts";
import { keyIdOf } from "../trust/trust-store.ts";

export const trustLabels = ["CERTIFICATE", "PUBLIC KEY", "X509 CRL"] as const;

export interface TrustBlock {
  /** `ed25519:<hex>`, `x509:<sha256 of the certificate>` or `crl:<sha256 of the list>`. */
  readonly id: string;
  readonly kind: "key" | "certificate" | "revocation-list";
  /** One PEM block, ending in a line feed. */
  readonly pem: string;
}

const kinds: Readonly<Record<string, TrustBlock["kind"]>> = {
  CERTIFICATE: "certificate",
  "PUBLIC KEY": "key",
  "X509 CRL": "revocation-list",
};

function idOf({ label, der }: PemBlock): string {
  if (label === "PUBLIC KEY") return keyIdOf(createPublicKey({ key: der, format: "der", type: "spki" }));
  const digest = createHash("sha256").update(der).digest("hex");
  return label === "CERTIFICATE" ? `x509:${digest}` : `crl:${digest}`;
}

function writePem({ label, der }: PemBlock): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/**
 * Every block of a PEM text.
 * @throws {trust.pem_invalid} it cannot be read in full
 */
export function readTrustBlocks(pem: string): TrustBlock[] {
  const fail = (detail: string) => new AppError("trust.pem_invalid", { detail });
  return parsePem(pem, trustLabels, fail).map((block) => {
    try {
      return { id: idOf(block), kind: kinds[block.label] ?? "key", pem: writePem(block) };
    } catch {
      throw fail(`a block ${block.label} is damaged`);
    }
  });
}
