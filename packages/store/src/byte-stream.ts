/**
 * Bytes on their way into an object store, whole or streamed.
 *
 * Invariant: a stream is read once, part by part; nothing here keeps a part longer than its turn.
 */
import { createHash } from "node:crypto";

export async function* asStream(bytes: AsyncIterable<Uint8Array> | Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes instanceof Uint8Array) yield bytes;
  else yield* bytes;
}

export interface Digest {
  /** sha256, lower-case hexadecimal. */
  readonly hash: string;
  readonly size: number;
}

/** Reads to the end. @param each is done with a part before the next one is asked for */
export async function digestOf(
  bytes: AsyncIterable<Uint8Array> | Uint8Array,
  each?: (part: Uint8Array, sizeSoFar: number) => Promise<void>,
): Promise<Digest> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const part of asStream(bytes)) {
    hash.update(part);
    size += part.length;
    await each?.(part, size);
  }
  return { hash: hash.digest("hex"), size };
}

/** Asks for a part when the reader does; a reader that goes ends the source. */
export function streamOf(parts: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const source = parts[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await source.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await source.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
