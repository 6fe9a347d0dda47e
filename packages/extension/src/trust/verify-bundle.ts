/**
 * Is this bundle signed by somebody this instance trusts? Asked at publish, install, load and serve.
 *
 * Invariant: the answer is a value that is stored and shown, with a reason whenever it is not "verified"; a missing or unknown signer can be
 * tolerated by policy (`required: false`), a wrong signature, a foreign content hash or a revoked signer never, because those are signs of
 * tampering and not of a missing arrangement. Time is a parameter: what was right at install is judged anew at each load.
 */
import type { KeyObject } from "node:crypto";
import { AppError, type ErrorCode, type ErrorParams, hasCode } from "@althing/contract";
import { weaknessOfKey } from "./algorithms.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { checkChain } from "./check-chain.ts";
import { type Envelope, isEnvelopeSignedBy, parseEnvelope, statementType } from "./envelope.ts";
import { parsePem } from "./pem.ts";
import { type BundleStatement, decodeStatement } from "./statement.ts";
import { malformedSignature, untrusted } from "./trust-failure.ts";
import { keyFromId, keyIdOf, type TrustStore } from "./trust-store.ts";

/** Certificates in one signature file. */
const maxPoolSize = 64;

export interface Signer {
  readonly kind: "key" | "certificate";
  /** Binds names on this instance: the key, or the anchor's key and the subject, so that renewing a certificate changes nothing. */
  readonly id: string;
  /** What manifest and statement must name as publisher: `ed25519:…` or `x509:<subject>`. */
  readonly publisherId: string;
}

export interface ChainLink {
  readonly subject: string;
  /** Of the certificate, hexadecimal. */
  readonly sha256: string;
  readonly notAfter: string;
}

export type TrustCode = Extract<ErrorCode, `trust.${string}`>;

export interface TrustReason {
  readonly code: TrustCode;
  readonly text: string;
  readonly params: ErrorParams;
}

export interface TrustResult {
  readonly required: boolean;
  readonly verified: boolean;
  /** Only of a verified signature. */
  readonly signer: Signer | undefined;
  /** Signer first, anchor last; empty for a bare key. */
  readonly chain: readonly ChainLink[];
  /** Why it is not verified. */
  readonly reason: TrustReason | undefined;
}

export interface VerifyBundle {
  /** The signature file's bytes; `undefined` when there is none. */
  readonly envelope: Uint8Array | string | undefined;
  /** What the bundle itself says: its hash as read, name, version and publisher id of its manifest. */
  readonly bundle: BundleStatement;
  readonly trust: TrustStore;
  readonly required: boolean;
  readonly now: Date;
}

function readPool(chain: string): Certificate[] {
  const blocks = parsePem(chain, ["CERTIFICATE"], malformedSignature);
  if (blocks.length > maxPoolSize) throw malformedSignature(`the chain has more than ${maxPoolSize} certificates`);
  return blocks.map((block) => {
    try {
      return readCertificate(block);
    } catch {
      throw malformedSignature("a certificate of the chain is damaged");
    }
  });
}

function badSignature(detail: string): AppError<"trust.bad_signature"> {
  return new AppError("trust.bad_signature", { detail });
}

export interface VerifiedEnvelope {
  readonly signer: Signer;
  readonly chain: readonly Certificate[];
}

function verifyByCertificate(envelope: Envelope, chain: string, trust: TrustStore, now: Date): VerifiedEnvelope {
  const [signer, ...pool] = readPool(chain);
  if (signer === undefined) throw malformedSignature("the chain has no certificate");
  const weakness = weaknessOfKey(signer.key);
  if (weakness !== undefined) throw untrusted(`${signer.subjectText}: ${weakness}`);
  if (!isEnvelopeSignedBy(envelope, signer.key)) throw badSignature("it is not by the first certificate's key");
  const path = checkChain(signer, pool, trust, now);
  const anchor = path[path.length - 1] ?? signer;
  const subject = signer.subjectText;
  return { signer: { kind: "certificate", id: `x509:${keyIdOf(anchor.key)}:${subject}`, publisherId: `x509:${subject}` }, chain: path };
}

function verifyByKey(envelope: Envelope, trust: TrustStore): VerifiedEnvelope {
  const named = envelope.signatures.map((signature) => keyFromId(signature.keyId)).filter((key): key is KeyObject => key !== undefined);
  if (named.length > 0 && !named.some((key) => isEnvelopeSignedBy(envelope, key))) throw badSignature("it is not by the key that it names");
  const key = trust.publisherKeys.find((trusted) => isEnvelopeSignedBy(envelope, trusted));
  if (key === undefined)
    throw untrusted(`no key of the trust bundle made this signature (${envelope.signatures[0]?.keyId || "no key id"})`);
  const id = keyIdOf(key);
  return { signer: { kind: "key", id, publisherId: id }, chain: [] };
}

/**
 * Signature and signer of an envelope, whatever it says.
 * @param chain PEM certificates of the signer; by default those in the envelope
 * @throws {trust.malformed} @throws {trust.bad_signature} @throws {trust.untrusted_signer} @throws {trust.revoked}
 */
export function verifyEnvelope(envelope: Envelope, trust: TrustStore, now: Date, chain: string = envelope.chain): VerifiedEnvelope {
  if (envelope.payloadType !== statementType) throw malformedSignature("the payload is of another type");
  return chain.trim() === "" ? verifyByKey(envelope, trust) : verifyByCertificate(envelope, chain, trust, now);
}

/** Each part of the statement beside what the bundle says; the first that differs refuses. */
function checkStatement(statement: BundleStatement, bundle: BundleStatement): void {
  const parts = [
    ["content", statement.contentHash, bundle.contentHash],
    ["name", statement.name, bundle.name],
    ["version", statement.version, bundle.version],
    ["publisher", statement.publisher, bundle.publisher],
  ] as const;
  for (const [what, expected, observed] of parts) {
    if (expected !== observed) throw new AppError("trust.content_mismatch", { what, expected, observed });
  }
}

const trustCodes: readonly TrustCode[] = [
  "trust.unsigned",
  "trust.malformed",
  "trust.bad_signature",
  "trust.untrusted_signer",
  "trust.revoked",
  "trust.content_mismatch",
];

function verify({ envelope: file, bundle, trust, now }: VerifyBundle): VerifiedEnvelope {
  if (file === undefined) throw new AppError("trust.unsigned");
  const envelope = parseEnvelope(file);
  const verified = verifyEnvelope(envelope, trust, now);
  const statement = decodeStatement(envelope.payload);
  checkStatement(statement, bundle);
  const { publisherId } = verified.signer;
  if (publisherId !== bundle.publisher) {
    throw new AppError("trust.content_mismatch", { what: "publisher", expected: publisherId, observed: bundle.publisher });
  }
  return verified;
}

/** Never throws for what a stranger sent; `assertTrusted` turns the result into a refusal. */
export function verifyBundle(request: VerifyBundle): TrustResult {
  const { required } = request;
  try {
    const { signer, chain } = verify(request);
    const links = chain.map(({ subjectText, sha256, notAfter }) => ({ subject: subjectText, sha256, notAfter: notAfter.toISOString() }));
    return { required, verified: true, signer, chain: links, reason: undefined };
  } catch (error) {
    if (!hasCode(error, ...trustCodes)) throw error;
    const reason: TrustReason = { code: error.code, text: error.message, params: error.params };
    return { required, verified: false, signer: undefined, chain: [], reason };
  }
}

const tolerable: readonly TrustCode[] = ["trust.unsigned", "trust.untrusted_signer"];

/**
 * Passes a result on that may be acted upon.
 * @throws {trust.unsigned} @throws {trust.untrusted_signer} when a trusted signature is required
 * @throws {trust.malformed} @throws {trust.bad_signature} @throws {trust.revoked} @throws {trust.content_mismatch} always
 */
export function assertTrusted(result: TrustResult): TrustResult {
  const { required, verified, reason } = result;
  if (verified || (!required && reason !== undefined && tolerable.includes(reason.code))) return result;
  throw new AppError(reason?.code ?? "trust.unsigned", reason?.params ?? {});
}
