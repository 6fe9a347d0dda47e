/**
 * DSSE envelopes: what is signed, and how the signature file looks.
 *
 * Invariant: signatures are over the pre-authentication encoding, so payload and type cannot be swapped apart; a payload is looked at only after
 * its signature was found right. The certificates of the signer travel beside the signature (`chain`, PEM) and are trusted by nothing but
 * the chain check. Source: DSSE 1.0.2 (secure-systems-lab), protocol and envelope.
 */
import { type KeyObject, sign } from "node:crypto";
import { z } from "zod";
import { digestForKey, verifyWithKey } from "./algorithms.ts";
import { decodeBase64 } from "./pem.ts";
import { malformedSignature } from "./trust-failure.ts";

export const statementType = "application/vnd.in-toto+json";
/** Bytes of a signature file. */
export const maxEnvelopeBytes = 512 * 1024;
const maxSignatures = 8;

const envelopeSchema = z.object({
  payloadType: z.string().min(1).max(200),
  payload: z.string(),
  signatures: z
    .array(z.object({ keyid: z.string().max(200).default(""), sig: z.string().max(4_096) }))
    .min(1)
    .max(maxSignatures),
  chain: z.string().optional(),
});

export interface Envelope {
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signatures: readonly { readonly keyId: string; readonly bytes: Buffer }[];
  /** PEM: the signer's certificate first, then intermediates in any order; empty for a bare key. */
  readonly chain: string;
}

/** DSSE allows both alphabets; each must be the one encoding of its bytes. */
function decodeField(name: string, text: string): Buffer {
  const standard = /[-_]/.test(text) ? text.replaceAll("-", "+").replaceAll("_", "/") : text;
  const bytes = decodeBase64(standard);
  if (bytes === undefined || bytes.length === 0) throw malformedSignature(`${name} is not base64`);
  return bytes;
}

/**
 * From parsed JSON.
 * @throws {trust.malformed}
 */
export function readEnvelope(value: unknown): Envelope {
  const parsed = envelopeSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw malformedSignature(`${issue?.path.join(".") ?? ""} ${issue?.message ?? "is wrong"}`.trim());
  }
  const { payloadType, payload, signatures, chain = "" } = parsed.data;
  return {
    payloadType,
    payload: decodeField("the payload", payload),
    signatures: signatures.map(({ keyid, sig }) => ({ keyId: keyid, bytes: decodeField("a signature", sig) })),
    chain,
  };
}

/**
 * From the bytes of a signature file.
 * @throws {trust.malformed}
 */
export function parseEnvelope(file: Uint8Array | string): Envelope {
  const bytes = typeof file === "string" ? Buffer.from(file) : file;
  if (bytes.length > maxEnvelopeBytes) throw malformedSignature(`it has more than ${maxEnvelopeBytes} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw malformedSignature("it is not JSON in UTF-8");
  }
  return readEnvelope(value);
}

/** What is signed: `DSSEv1`, the lengths in bytes, type and payload. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType);
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload]);
}

/** Is one of the signatures by this key? */
export function isEnvelopeSignedBy(envelope: Envelope, key: KeyObject): boolean {
  const signed = preAuthenticationEncoding(envelope.payloadType, envelope.payload);
  return envelope.signatures.some((signature) => verifyWithKey(key, signed, signature.bytes));
}

/** The text of a signature file, ending in a line feed. */
export function writeEnvelope(payload: Uint8Array, key: KeyObject, keyId: string, chain: string | undefined): string {
  const sig = sign(digestForKey(key), preAuthenticationEncoding(statementType, payload), key).toString("base64");
  const envelope = {
    payloadType: statementType,
    payload: Buffer.from(payload).toString("base64"),
    signatures: [{ keyid: keyId, sig }],
    ...(chain === undefined ? {} : { chain }),
  };
  return `${JSON.stringify(envelope, null, 2)}\n`;
}
