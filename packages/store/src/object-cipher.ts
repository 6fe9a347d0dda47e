/**
 * What an object store of files needs to keep its objects encrypted. The cipher itself is the caller's: the store has no keys.
 *
 * Invariant: `open` gives the bytes that `seal` was given, all of them and in their order, or throws; a name tells nothing of the object's hash to
 * whoever lacks the key, and is always the same.
 */
export interface ObjectCipher {
  /** Of a file: 64 lower-case hexadecimal digits. @param key the object's sha256 */
  nameOf(key: string): string;
  seal(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  open(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}
