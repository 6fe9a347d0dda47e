/**
 * What a backup of an encrypted instance puts aside while it is made or restored, under a key that only this process knows.
 *
 * Invariant: nothing of an encrypted instance lies in the clear beside the archive's own encryption, also when the process is killed: what is left then
 * opens for nobody. Without a key it is a plain file.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { openStream, sealStream } from "../at-rest/sealed-bytes.ts";

const bufferBytes = 1024 * 1024;

async function* counted(bytes: AsyncIterable<Uint8Array>, seen: (size: number) => void): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    seen(piece.length);
    yield piece;
  }
}

/** @returns how many bytes went in */
export async function spoolFile(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  { key, signal }: { readonly key: Uint8Array | undefined; readonly signal?: AbortSignal | undefined },
): Promise<number> {
  let size = 0;
  const source = counted(bytes, (more) => (size += more));
  const target = createWriteStream(path, { flags: "w", mode: 0o600, highWaterMark: bufferBytes });
  await pipeline(key === undefined ? source : sealStream(key, source), target, signal === undefined ? {} : { signal });
  return size;
}

export function readSpooled(path: string, key: Uint8Array | undefined): AsyncIterable<Uint8Array> {
  const stored = createReadStream(path, { highWaterMark: bufferBytes });
  return key === undefined ? stored : openStream(key, stored);
}
