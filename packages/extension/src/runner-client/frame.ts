/**
 * Frames between hub and runner: `u32 big-endian length of head | head (JSON) | body`.
 *
 * Invariant: reading never throws and never trusts a length; what does not fit is no frame (docs/architecture/runner.md).
 */
export interface Frame {
  readonly head: unknown;
  readonly body: Uint8Array;
}

export function encodeFrame(head: unknown, body: Uint8Array): Uint8Array {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, body]);
}

export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 4) return undefined;
  const end = 4 + view.readUInt32BE(0);
  if (end > view.length) return undefined;
  try {
    const head: unknown = JSON.parse(view.subarray(4, end).toString("utf8"));
    return { head, body: view.subarray(end) };
  } catch {
    return undefined;
  }
}
