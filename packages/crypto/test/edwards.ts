/**
 * Points of edwards25519 by the definition in RFC 8032 §5.1, for signatures that no honest signer makes. Slow, and for tests alone.
 */
import { createHash } from "node:crypto";

export type Point = readonly [x: bigint, y: bigint];

const p = 2n ** 255n - 19n;
/** Of the group that the base point makes. */
export const order = 2n ** 252n + 27742317777372353535851937790883648493n;

function modulo(value: bigint, by = p): bigint {
  return ((value % by) + by) % by;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let factor = modulo(base), rest = exponent; rest > 0n; rest >>= 1n, factor = (factor * factor) % p) {
    if ((rest & 1n) === 1n) result = (result * factor) % p;
  }
  return result;
}

const inverse = (value: bigint) => power(value, p - 2n);
const d = modulo(-121665n * inverse(121666n));

/** The point with this y and an even x. */
function pointOf(y: bigint): Point {
  const square = modulo((y * y - 1n) * inverse(d * y * y + 1n));
  const first = power(square, (p + 3n) / 8n);
  const x = modulo(first * first - square) === 0n ? first : modulo(first * power(2n, (p - 1n) / 4n));
  return [(x & 1n) === 0n ? x : p - x, y];
}

export function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const k = modulo(d * x1 * x2 * y1 * y2);
  return [modulo((x1 * y2 + x2 * y1) * inverse(1n + k)), modulo((y1 * y2 + x1 * x2) * inverse(1n - k))];
}

export function times(point: Point, factor: bigint): Point {
  let result: Point = [0n, 1n];
  for (let doubled = point, rest = factor; rest > 0n; rest >>= 1n, doubled = add(doubled, doubled)) {
    if ((rest & 1n) === 1n) result = add(result, doubled);
  }
  return result;
}

export function littleEndian(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse();
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}

export function encodePoint([x, y]: Point): Buffer {
  return littleEndian(y | ((x & 1n) << 255n));
}

export const base = pointOf(modulo(4n * inverse(5n)));
/** Of order 8: its multiples are all eight points of small order. */
export const torsion = pointOf(numberOf(Buffer.from("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "hex")));

/** S of RFC 8032 §5.1.6 for any bytes as R and as the public key. */
export function responseOf(r: bigint, secret: bigint, rBytes: Uint8Array, keyBytes: Uint8Array, message: Uint8Array): bigint {
  const challenge = numberOf(createHash("sha512").update(rBytes).update(keyBytes).update(message).digest());
  return modulo(r + challenge * secret, order);
}
