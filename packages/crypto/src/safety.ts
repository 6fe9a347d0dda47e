/**
 * Safety numbers: what two people read to each other to know that nobody stands between them.
 *
 * Invariant: the same 60 digits on both sides; another key on either side gives other digits. Each half is 30 of the 64 bytes of an iterated
 * SHA-512, as Signal does it: 5,200 rounds make each try of a forger, who looks for a key with nearly the same digits, that much dearer.
 */
import { signKinds, type KexPub, type SignPub } from "@althing/contract";
import * as primitives from "#primitives";
import { concat, fromHex, utf8 } from "./bytes.ts";

export interface SafetyKeys {
  readonly signPub: SignPub;
  readonly kexPub: KexPub;
}

const rounds = 5_200;
const groupsEach = 6;

function half(keys: SafetyKeys): string {
  const pubs = concat(fromHex(keys.signPub), fromHex(keys.kexPub));
  let digest = primitives.sha512Now(concat(utf8(`${signKinds.safety}\0`), pubs));
  for (let round = 1; round < rounds; round++) digest = primitives.sha512Now(concat(digest, pubs));
  const view = new DataView(digest.buffer, digest.byteOffset, digest.byteLength);
  const groups = Array.from({ length: groupsEach }, (_, index) => {
    const number = view.getUint8(index * 5) * 2 ** 32 + view.getUint32(index * 5 + 1);
    return String(number % 100_000).padStart(5, "0");
  });
  return groups.join(" ");
}

/** Twelve groups of five digits, the same whichever side computes it. */
export function safetyNumber(a: SafetyKeys, b: SafetyKeys): string {
  return [half(a), half(b)].sort().join(" ");
}
