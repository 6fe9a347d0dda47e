/**
 * Curve25519 public keys that are refused wherever they enter.
 *
 * Invariant: no key is taken for which a signature can be made without the private key, or with which every agreement ends in zero. Platform
 * libraries differ here (RFC 8032 leaves it open), so that without this list one client could take a record that another refuses.
 * Sources: RFC 7748 §6, the order-8 subgroup of both curve forms, "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko 2020).
 */
import { toHex } from "./bytes.ts";

/** y-coordinates of the eight points of small order on edwards25519; the sign bit is masked before the look-up. */
const smallOrderEdwards = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

/** u-coordinates of small order on curve25519, with the three that are not canonical. */
const smallOrderMontgomery = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

const firstBytes = (points: ReadonlySet<string>): ReadonlySet<number> =>
  new Set([...points].map((hex) => Number.parseInt(hex.slice(0, 2), 16)));
const smallOrderEdwardsFirst = firstBytes(smallOrderEdwards);
const smallOrderMontgomeryFirst = firstBytes(smallOrderMontgomery);

/** Looks the coordinate up with its top bit masked; nearly every key is let through by its first byte. */
function isIn(points: ReadonlySet<string>, first: ReadonlySet<number>, raw: Uint8Array): boolean {
  if (!first.has(raw[0] as number)) return false;
  const copy = new Uint8Array(raw);
  copy[31] = (copy[31] as number) & 0x7f;
  return points.has(toHex(copy));
}

/** Is the coordinate p = 2^255 − 19 or more? */
function isNonCanonical(raw: Uint8Array): boolean {
  if (((raw[31] as number) & 0x7f) !== 0x7f || (raw[0] as number) < 0xed) return false;
  for (let index = 1; index < 31; index++) if (raw[index] !== 0xff) return false;
  return true;
}

/** @returns true for 32 bytes that may be an Ed25519 public key: canonical and not of small order */
export function isSoundSignPub(raw: Uint8Array): boolean {
  return raw.length === 32 && !isNonCanonical(raw) && !isIn(smallOrderEdwards, smallOrderEdwardsFirst, raw);
}

/** @returns true for 32 bytes that may be an X25519 public key: not of small order */
export function isSoundKexPub(raw: Uint8Array): boolean {
  return raw.length === 32 && !isIn(smallOrderMontgomery, smallOrderMontgomeryFirst, raw);
}
