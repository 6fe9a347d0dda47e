/**
 * Frames of the pipe between service and sandbox: a length (u32, big endian) and that many bytes of CBOR.
 *
 * Used on both sides. The reader never trusts the peer: a frame above the cap is refused from its length alone, nesting and the
 * number of items are bounded while tokens pass (one byte of CBOR can be an object), and there is one encoding of lengths.
 * 64-bit integers of a guest are bigints on both sides: they travel under a tag, because small ones would come back as numbers.
 */
import { decode, encode, Token, Tokenizer, Type } from "cborg";

const maxDepth = 64;
const maxItems = 1_000_000;
const bigintTag = 39_501;

/** Thrown for bytes that are no frame; the process that sent them is ended. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

class BoundedTokenizer extends Tokenizer {
  readonly #open: number[] = [];
  #items = 0;

  override next(): Token {
    const token = super.next();
    if (++this.#items > maxItems) throw new FrameError(`more than ${maxItems} items`);
    if (token.type === Type.tag) return token;
    const open = this.#open;
    const last = open.length - 1;
    if (last >= 0) open[last] = (open[last] ?? 0) - 1;
    const isMap = token.type === Type.map;
    if (isMap || token.type === Type.array) {
      const items = Number(token.value);
      open.push(isMap ? items * 2 : items);
      if (open.length > maxDepth) throw new FrameError(`nested deeper than ${maxDepth}`);
    }
    while (open.length > 0 && open[open.length - 1] === 0) open.pop();
    return token;
  }
}

const encodeOptions = {
  typeEncoders: {
    bigint: (value: unknown): Token[] => [new Token(Type.tag, bigintTag), new Token(Type.string, String(value))],
  },
};

const decodeOptions = {
  strict: true,
  allowIndefinite: false,
  rejectDuplicateMapKeys: true,
  tags: {
    [bigintTag]: (inner: () => unknown): bigint => {
      const text = inner();
      if (typeof text !== "string" || !/^-?[0-9]{1,20}$/.test(text)) throw new FrameError("a 64-bit integer that is none");
      return BigInt(text);
    },
  },
};

/** @returns length and payload, ready for the pipe */
export function encodeFrame(message: object): Uint8Array {
  const payload = encode(message, encodeOptions);
  const frame = new Uint8Array(4 + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, 4);
  return frame;
}

/** @throws {FrameError} when the payload is not one value in the form this module writes */
export function decodePayload(payload: Uint8Array): unknown {
  try {
    // Not as a Buffer: bytes in it would come out as Buffers that share its memory.
    const plain = new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
    return decode(plain, { ...decodeOptions, tokenizer: new BoundedTokenizer(plain, decodeOptions) });
  } catch (error) {
    throw error instanceof FrameError ? error : new FrameError(error instanceof Error ? error.message : "unreadable");
  }
}

/** Cuts a byte stream into payloads. */
export class FrameReader {
  readonly #chunks: Uint8Array[] = [];
  #buffered = 0;
  #length: number | undefined;

  /** Takes what arrived and yields every payload that is complete. @throws {FrameError} on a length above `maxBytes` */
  *push(chunk: Uint8Array, maxBytes: number): Generator<Uint8Array, void, undefined> {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    for (;;) {
      if (this.#length === undefined) {
        if (this.#buffered < 4) return;
        const head = this.#take(4);
        this.#length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0);
        if (this.#length > maxBytes) throw new FrameError(`a frame of ${this.#length} bytes, more than ${maxBytes}`);
      }
      if (this.#buffered < this.#length) return;
      const payload = this.#take(this.#length);
      this.#length = undefined;
      yield payload;
    }
  }

  #take(count: number): Uint8Array {
    this.#buffered -= count;
    const first = this.#chunks[0];
    if (first !== undefined && first.length > count) {
      this.#chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    if (first !== undefined && first.length === count) {
      this.#chunks.shift();
      return first;
    }
    const whole = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const next = this.#chunks[0];
      if (next === undefined) break;
      const part = next.subarray(0, count - at);
      whole.set(part, at);
      at += part.length;
      if (part.length === next.length) this.#chunks.shift();
      else this.#chunks[0] = next.subarray(part.length);
    }
    return whole;
  }
}
