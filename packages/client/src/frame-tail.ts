/**
 * The end of a frame, by which an echo is recognised without reading it.
 *
 * Invariant: the last bytes are a signature or an authentication tag wherever a room signs or encrypts, as good as random; so two frames of one
 * outbox never share them, and nobody can make an echo of a frame that they have not seen.
 */

/** 53 of the last 56 bits: what a number holds. */
export function tailOf(bytes: Uint8Array): number {
  const end = bytes.length;
  const low = ((at(bytes, end - 4) << 24) | (at(bytes, end - 3) << 16) | (at(bytes, end - 2) << 8) | at(bytes, end - 1)) >>> 0;
  return (((at(bytes, end - 7) & 0x1f) << 16) | (at(bytes, end - 6) << 8) | at(bytes, end - 5)) * 2 ** 32 + low;
}

const at = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0;

/** Equally long, and the same in the last 32 bytes. Whoever copies the end of a frame onto junk gains nothing: what is handed out is the own frame. */
export function endAlike(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = Math.max(a.length - 32, 0); index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}
