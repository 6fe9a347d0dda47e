/**
 * The frame of `POST /v1/execute` and its answer: `u32 big endian: length of head | head, JSON | body`.
 *
 * Invariant: the length is checked against what came before anything is parsed, and what a frame holds is checked by its schema right after. The body
 * stays bytes: nothing turns megabytes into text on the way.
 */
import { AppError } from "@althing/contract";

const lengthBytes = 4;
const decoder = new TextDecoder("utf-8", { fatal: true });

export interface Frame {
  readonly head: unknown;
  readonly body: Uint8Array;
}

export function encodeFrame(head: object, body: Uint8Array): Uint8Array {
  const text = Buffer.from(JSON.stringify(head));
  const frame = Buffer.allocUnsafe(lengthBytes + text.length + body.length);
  frame.writeUInt32BE(text.length, 0);
  frame.set(text, lengthBytes);
  frame.set(body, lengthBytes + text.length);
  return frame;
}

/** @throws {request.malformed} {request.too_large} */
export function decodeFrame(bytes: Uint8Array, headMaxBytes: number): Frame {
  if (bytes.length < lengthBytes) throw malformed("the frame ends within its length");
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  if (length > headMaxBytes) throw new AppError("request.too_large", { limit: headMaxBytes });
  if (length > bytes.length - lengthBytes) throw malformed("the frame ends within its head");
  return { head: parseHead(bytes.subarray(lengthBytes, lengthBytes + length)), body: bytes.subarray(lengthBytes + length) };
}

function parseHead(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw malformed("the head is not JSON in UTF-8", cause);
  }
}

function malformed(detail: string, cause?: unknown): AppError {
  return new AppError("request.malformed", { detail }, { cause });
}
