/**
 * Recovery phrases (BIP-39, 12 English words) and the seeds made of them.
 *
 * Invariant: one phrase, one identity, on every device. The two seeds come from HKDF with separate infos, so that the signing key says nothing
 * about the key-agreement key. No error repeats a word: the text may end in a log.
 */
import { AppError } from "@althing/contract";
import { generateMnemonic, mnemonicToSeedWebcrypto, validateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import * as primitives from "#primitives";
import { utf8, type Bytes } from "./bytes.ts";

/** 32 bytes each; secret. */
export interface IdentitySeeds {
  readonly signSeed: Bytes;
  readonly kexSeed: Bytes;
}

const wordCount = 12;
const words = new Set(wordlist);

/** Twelve words with 128 bits of entropy from the platform's generator. */
export function newRecoveryPhrase(): string {
  return generateMnemonic(wordlist, 128);
}

/** Lower case, one space between words: what people type. */
export function normalizeRecoveryPhrase(phrase: string): string {
  return phrase.normalize("NFKD").trim().toLowerCase().split(/\s+/u).join(" ");
}

/** @throws {identity.phrase} another number of words, an unknown word, a wrong checksum */
export function checkRecoveryPhrase(phrase: string): void {
  const list = normalizeRecoveryPhrase(phrase).split(" ");
  if (list.length !== wordCount || list[0] === "") {
    throw new AppError("identity.phrase", { detail: `it has ${list[0] === "" ? 0 : list.length} words, not ${wordCount}` });
  }
  const unknown = list.findIndex((word) => !words.has(word));
  if (unknown >= 0) throw new AppError("identity.phrase", { detail: `word ${unknown + 1} is not in the list` });
  if (!validateMnemonic(list.join(" "), wordlist))
    throw new AppError("identity.phrase", { detail: "the checksum does not fit; a word is wrong or out of place" });
}

/** @throws {identity.phrase} */
export async function identitySeeds(phrase: string): Promise<IdentitySeeds> {
  checkRecoveryPhrase(phrase);
  const seed = await mnemonicToSeedWebcrypto(normalizeRecoveryPhrase(phrase));
  const salt = new Uint8Array(0);
  return {
    signSeed: await primitives.hkdfSha256(seed, salt, utf8("althing/identity/sign/v1"), 32),
    kexSeed: await primitives.hkdfSha256(seed, salt, utf8("althing/identity/kex/v1"), 32),
  };
}
