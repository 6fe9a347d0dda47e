/**
 * What a signer says about a bundle: this content has this name and version, and it is mine.
 *
 * Invariant: the payload is an in-toto statement of exactly this shape, so a signature over any other statement by the same key (a build
 * provenance, say) is never taken for a release. The content hash is the bundle's, over the uncompressed tar.
 */
import { z } from "zod";
import { isContentHash, type ContentHash } from "../bundle/read-bundle.ts";
import { malformedSignature } from "./trust-failure.ts";

export interface BundleStatement {
  readonly contentHash: ContentHash;
  readonly name: string;
  readonly version: string;
  /** The publisher's id; equal to the signer's (`publisherId`). */
  readonly publisher: string;
}

const statementUri = ["https:", "", "in-toto.io", "Statement", "v1"].join("/");
const predicateUri = "urn:althing:bundle:v1";

const statementSchema = z.strictObject({
  _type: z.literal(statementUri),
  subject: z.tuple([z.strictObject({ name: z.string(), digest: z.strictObject({ sha256: z.string() }) })]),
  predicateType: z.literal(predicateUri),
  predicate: z.strictObject({ version: z.string(), publisher: z.string() }),
});

export function encodeStatement({ contentHash, name, version, publisher }: BundleStatement): Uint8Array {
  const statement = {
    _type: statementUri,
    subject: [{ name, digest: { sha256: contentHash.slice("sha256:".length) } }],
    predicateType: predicateUri,
    predicate: { version, publisher },
  };
  return Buffer.from(JSON.stringify(statement));
}

/** @throws {trust.malformed} */
export function decodeStatement(payload: Uint8Array): BundleStatement {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload));
  } catch {
    throw malformedSignature("the statement is not JSON in UTF-8");
  }
  const parsed = statementSchema.safeParse(value);
  if (!parsed.success) throw malformedSignature("it is no statement about a bundle");
  const { subject, predicate } = parsed.data;
  const contentHash = `sha256:${subject[0].digest.sha256}`;
  if (!isContentHash(contentHash)) throw malformedSignature("the statement's digest is no sha256");
  return { contentHash, name: subject[0].name, version: predicate.version, publisher: predicate.publisher };
}
