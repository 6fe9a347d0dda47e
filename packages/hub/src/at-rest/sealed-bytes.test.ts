/** Sealed bytes: the same come out, or an error; never a part, never others. */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { openText, sealText } from "./instance-keys-seal.ts";
import { openBytes, openStream, sealBytes, sealStream } from "./sealed-bytes.ts";

const key = new Uint8Array(32).fill(7);
const other = new Uint8Array(32).fill(8);

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function gathered(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

const open = (sealed: Uint8Array, with_ = key) => gathered(openStream(with_, inPieces(sealed, 10_000)));

test.each([0, 1, 65_535, 65_536, 65_537, 200_000])("%i bytes come back as they were, and two files of them are not alike", async (size) => {
  const bytes = randomBytes(size);
  const [one, two] = await Promise.all([1, 2].map(() => gathered(sealStream(key, inPieces(bytes, 7_000)))));
  expect((await open(one ?? bytes)).equals(bytes)).toBe(true);
  expect(one?.equals(two ?? bytes)).toBe(false);
  await expect(open(one ?? bytes, other)).rejects.toThrow();
});

test("changed anywhere, cut anywhere, added to, or put together otherwise, it is an error", async () => {
  const bytes = randomBytes(200_000);
  const sealed = await gathered(sealStream(key, inPieces(bytes, 50_000)));
  for (let at = 0; at < sealed.length; at += 1_999) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await expect(open(changed), `byte ${at}`).rejects.toThrow();
    await expect(open(sealed.subarray(0, at)), `cut at ${at}`).rejects.toThrow();
  }
  await expect(open(Buffer.concat([sealed, Buffer.alloc(1)]))).rejects.toThrow();
  const part = 65_536 + 16;
  const head = sealed.length - 200_000 - 16 * 4;
  const piece = (n: number) => sealed.subarray(head + n * part, head + (n + 1) * part);
  const swapped = Buffer.concat([sealed.subarray(0, head), piece(1), piece(0), sealed.subarray(head + 2 * part)]);
  expect(swapped.length).toBe(sealed.length);
  await expect(open(swapped)).rejects.toThrow();
});

test("a text is sealed as a document, and opens with its key only", async () => {
  const sealed = await sealText(key, '{"version":1}');
  expect(sealed).not.toContain("version\":1}'");
  expect(await openText(key, sealed)).toBe('{"version":1}');
  await expect(openText(other, sealed)).rejects.toThrow();
  await expect(openText(undefined, sealed)).rejects.toThrow();
  expect(await openText(key, '{"version":1}')).toBeUndefined();
  const [one, two] = [await sealBytes(key, new Uint8Array(3)), await sealBytes(key, new Uint8Array(3))];
  expect(await openBytes(key, one)).toEqual(new Uint8Array(3));
  expect(one).not.toEqual(two);
});
