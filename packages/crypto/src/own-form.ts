/**
 * The one form in which this product's clients write Signature-Input, Signature and Content-Digest, recognised without parsing.
 *
 * Invariant: what is recognised here means exactly what the library (structured-fields.ts) reads in it, because each pattern spells out a text that
 * is its own serialisation: no spacing but the one that is written, no escapes, no leading zeros, no stray bits in base64. Anything else,
 * valid or not, gives `undefined` and goes the long way. A second parser could disagree with the first; a recogniser of one form can only
 * miss. The property test in own-form.test.ts compares both over made, mutated and published fields.
 */
import type { Bytes } from "./bytes.ts";

export interface OwnForm {
  readonly label: "sig1";
  readonly components: readonly string[];
  readonly created: number;
  readonly expires: number;
  readonly nonce: string;
  readonly keyId: string;
  /** As it stands in the field, which is as it would be serialised. */
  readonly signatureParams: string;
  readonly signature: Bytes;
}

const inputForm =
  /^sig1=(\(("@method" "@target-uri"(?: "[a-z-]{1,32}"){0,8})\);created=(0|[1-9]\d{0,14});expires=(0|[1-9]\d{0,14});nonce="([\x21\x23-\x5b\x5d-\x7e]{16,128})";keyid="([0-9a-f]{64})";alg="ed25519";tag="althing")$/;
/** 64 bytes: the last character before the padding holds four bits that must be zero. */
const signatureForm = /^sig1=:([A-Za-z0-9+/]{85}[AQgw]==):$/;
/** 32 bytes: two bits that must be zero. */
const digestForm = /^sha-256=:([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=):$/;

function bytesOfBase64(text: string): Bytes {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

/** @returns undefined unless both fields are in our clients' form */
export function readOwnSignature(input: string, signature: string): OwnForm | undefined {
  const made = inputForm.exec(input);
  const bytes = signatureForm.exec(signature)?.[1];
  if (made === null || bytes === undefined) return undefined;
  const [, signatureParams = "", names = "", created, expires, nonce = "", keyId = ""] = made;
  return {
    label: "sig1",
    components: names.slice(1, -1).split('" "'),
    created: Number(created),
    expires: Number(expires),
    nonce,
    keyId,
    signatureParams,
    signature: bytesOfBase64(bytes),
  };
}

/** @returns the sha-256 digest, undefined unless the field is in our clients' form */
export function readOwnDigest(value: string): Bytes | undefined {
  const text = digestForm.exec(value)?.[1];
  return text === undefined ? undefined : bytesOfBase64(text);
}
