/**
 * Content-Digest (RFC 9530) with sha-256 and sha-512.
 *
 * Invariant: at least one of the two is there and each that is there fits the body's bytes; other algorithms are not looked at, members with
 * parameters or twice the same algorithm are refused.
 */
import { AppError } from "@althing/contract";
import * as primitives from "#primitives";
import { equalBytes, type Bytes } from "./bytes.ts";
import { chain, type MaybePromise } from "./maybe-promise.ts";
import { readOwnDigest } from "./own-form.ts";
import { bytesOf, isInnerListMember, parseStrictDictionary, type Dictionary } from "./structured-fields.ts";

export interface DigestMember {
  readonly algorithm: "sha-256" | "sha-512";
  readonly digest: Bytes;
}

/** Digests that were computed while the body streamed by. */
export interface BodyDigests {
  readonly sha256: Uint8Array;
  readonly sha512: Uint8Array;
}

const lengths = { "sha-256": 32, "sha-512": 64 } as const;

function isKnown(algorithm: string): algorithm is DigestMember["algorithm"] {
  return Object.hasOwn(lengths, algorithm);
}

/** @throws {auth.digest_malformed} unreadable, of wrong length, or without a known algorithm */
export function parseContentDigest(value: string): DigestMember[] {
  const own = readOwnDigest(value);
  if (own !== undefined) return [{ algorithm: "sha-256", digest: own }];
  return parseAnyDigest(value);
}

/** {@link parseContentDigest} for whatever form the field has. */
export function parseAnyDigest(value: string): DigestMember[] {
  let dictionary: Dictionary;
  try {
    dictionary = parseStrictDictionary(value);
  } catch (cause) {
    throw new AppError("auth.digest_malformed", {}, { cause });
  }
  const members: DigestMember[] = [];
  for (const [algorithm, member] of dictionary) {
    const digest = isInnerListMember(member) || member[1].size > 0 ? undefined : bytesOf(member[0]);
    if (digest === undefined) throw new AppError("auth.digest_malformed");
    if (!isKnown(algorithm)) continue;
    if (digest.length !== lengths[algorithm]) throw new AppError("auth.digest_malformed");
    members.push({ algorithm, digest });
  }
  if (members.length === 0) throw new AppError("auth.digest_malformed");
  return members;
}

/**
 * @param body the raw bytes, or their digests
 * @throws {auth.digest_malformed} {auth.digest_mismatch}
 */
export function checkContentDigest(value: string, body: Uint8Array | BodyDigests): MaybePromise<void> {
  let verdict: MaybePromise<boolean> = true;
  for (const { algorithm, digest } of parseContentDigest(value)) {
    const observed =
      body instanceof Uint8Array
        ? primitives[algorithm === "sha-256" ? "sha256" : "sha512"](body)
        : body[algorithm === "sha-256" ? "sha256" : "sha512"];
    const before: MaybePromise<boolean> = verdict;
    verdict = chain(before, (fits) => chain(observed, (bytes) => fits && equalBytes(bytes, digest)));
  }
  return chain(verdict, (fits) => {
    if (!fits) throw new AppError("auth.digest_mismatch");
  });
}

/** Standard base64 with padding, as structured fields write bytes. */
export function byteSequence(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return `:${btoa(binary)}:`;
}

/** The field's value for a body: `sha-256=:…:`. */
export function contentDigest(body: Uint8Array): MaybePromise<string> {
  return chain(primitives.sha256(body), (digest) => `sha-256=${byteSequence(digest)}`);
}
