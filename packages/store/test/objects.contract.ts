/** What every object store must do. */
import { createHash, randomBytes } from "node:crypto";
import { AppError } from "@althing/contract";
import { expect, test } from "vitest";
import type { ObjectStore } from "../src/index.ts";

export const keyOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const code = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "nothing was refused",
    (e: unknown) => (e instanceof AppError ? e.code : String(e)),
  );

/** The same length, one bit changed. */
export const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte));

export async function* inParts(bytes: Uint8Array, size: number, failAfter = Number.POSITIVE_INFINITY): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    if (at >= failAfter) throw new Error("the client went away");
    yield bytes.subarray(at, at + size);
  }
}

export interface ObjectsPlace {
  open(): Promise<ObjectStore>;
  /** Every file that is there, temporary ones too. */
  files(): Promise<string[]>;
  /** Flips a bit of the stored bytes behind the store's back. Where nothing is durable, it is not called. */
  damage(key: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param durable what is stored outlives the store, and can be damaged */
export function describeObjects(name: string, durable: boolean, place: () => Promise<ObjectsPlace>): void {
  test(`${name}: bytes come back under their hash, whole or streamed, empty or large, and putting them again is no error`, async () => {
    await using here = await place();
    const objects = await here.open();
    for (const size of [0, 1, 65_536, 3_000_001]) {
      const bytes = new Uint8Array(randomBytes(size));
      const key = keyOf(bytes);
      expect(await objects.has(key)).toBe(false);
      expect(await objects.put(key, bytes)).toEqual({ bytes: size });
      expect(await objects.put(key, inParts(bytes, 10_007))).toEqual({ bytes: size });
      expect(await objects.has(key)).toBe(true);
      expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
    }
  });

  test(`${name}: what is read is the reader's own`, async () => {
    await using here = await place();
    const objects = await here.open();
    const bytes = new Uint8Array([1, 2, 3]);
    const key = keyOf(bytes);
    await objects.put(key, bytes);
    bytes[0] = 9;
    (await objects.get(key))[1] = 9;
    expect([...(await objects.get(key))]).toEqual([1, 2, 3]);
  });

  test(`${name}: other bytes under a hash are refused and leave nothing`, async () => {
    await using here = await place();
    const objects = await here.open();
    const bytes = new Uint8Array(randomBytes(100_000));
    const key = keyOf(bytes);
    const other = bytes.slice();
    other[99_999] = (other[99_999] as number) ^ 1;
    expect(await code(objects.put(key, other))).toBe("object.hash_mismatch");
    expect(await code(objects.put(key, bytes.subarray(1)))).toBe("object.hash_mismatch");
    expect(await objects.has(key)).toBe(false);
    expect(await here.files()).toEqual([]);
    await objects.put(key, bytes);
    expect(await code(objects.put(key, other))).toBe("object.exists");
    expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
    expect(await here.files()).toHaveLength(1);
  });

  test(`${name}: streams that lie are refused at their end: too short, too long, in another order`, async () => {
    await using here = await place();
    const objects = await here.open();
    const bytes = new Uint8Array(randomBytes(400_000));
    const key = keyOf(bytes);
    const lies = [
      bytes.subarray(0, 399_999),
      Buffer.concat([bytes, Buffer.alloc(1)]),
      Buffer.concat([bytes.subarray(200_000), bytes.subarray(0, 200_000)]),
    ];
    for (const lie of [...lies, new Uint8Array()]) expect(await code(objects.put(key, inParts(lie, 70_001)))).toBe("object.hash_mismatch");
    expect(await objects.has(key)).toBe(false);
    expect(await here.files()).toEqual([]);
    await objects.put(key, inParts(bytes, 70_001));
    for (const lie of lies) expect(await code(objects.put(key, inParts(lie, 70_001)))).toBe("object.exists");
    expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
  });

  test(`${name}: 20 MB in parts of odd sizes, among them empty ones`, async () => {
    await using here = await place();
    const objects = await here.open();
    const bytes = new Uint8Array(randomBytes(20_000_003));
    const key = keyOf(bytes);
    async function* odd() {
      for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 1_000_003) {
        yield new Uint8Array();
        yield bytes.subarray(at, at + size);
      }
    }
    expect(await objects.put(key, odd())).toEqual({ bytes: bytes.length });
    expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
    expect(await here.files()).toHaveLength(1);
  });

  test(`${name}: put, get and delete of one object all at once: a read is the whole object or object.not_found`, async () => {
    await using here = await place();
    const objects = await here.open();
    const bytes = new Uint8Array(randomBytes(300_000));
    const key = keyOf(bytes);
    const outcomes: string[] = [];
    const reader = async () => {
      for (let n = 0; n < 10; n += 1) {
        const read = objects.get(key).then((found) => (Buffer.compare(found, bytes) === 0 ? "whole" : "other bytes"));
        outcomes.push(await read.catch((error: unknown) => (error instanceof AppError ? error.code : String(error))));
      }
    };
    const writer = async () => {
      for (let n = 0; n < 5; n += 1) {
        await objects.put(key, bytes);
        await objects.delete(key);
      }
    };
    await Promise.all([reader(), writer(), reader()]);
    expect([...new Set(outcomes)].filter((outcome) => outcome !== "whole" && outcome !== "object.not_found")).toEqual([]);
    await objects.put(key, bytes);
    expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
    expect(await here.files()).toHaveLength(1);
  });

  test(`${name}: an upload that breaks off leaves nothing`, async () => {
    await using here = await place();
    const objects = await here.open();
    const bytes = new Uint8Array(randomBytes(200_000));
    await expect(objects.put(keyOf(bytes), inParts(bytes, 10_000, 150_000))).rejects.toThrow("the client went away");
    expect(await objects.has(keyOf(bytes))).toBe(false);
    expect(await here.files()).toEqual([]);
  });

  test(`${name}: the same object put by many at once is there once`, async () => {
    await using here = await place();
    const objects = await here.open();
    const bytes = new Uint8Array(randomBytes(50_000));
    await Promise.all(Array.from({ length: 10 }, () => objects.put(keyOf(bytes), inParts(bytes, 1_000))));
    expect(await here.files()).toHaveLength(1);
    expect(Buffer.compare(await objects.get(keyOf(bytes)), bytes)).toBe(0);
  });

  test(`${name}: what is not there is object.not_found; deleting it is no error`, async () => {
    await using here = await place();
    const objects = await here.open();
    const bytes = new Uint8Array([1]);
    const key = keyOf(bytes);
    expect(await code(objects.get(key))).toBe("object.not_found");
    await objects.delete(key);
    await objects.put(key, bytes);
    await objects.delete(key);
    await objects.delete(key);
    expect(await code(objects.get(key))).toBe("object.not_found");
    expect(await here.files()).toEqual([]);
  });

  test(`${name}: a key that is no hash is refused before anything is touched`, async () => {
    await using here = await place();
    const objects = await here.open();
    const good = keyOf(new Uint8Array());
    for (const bad of [
      "",
      "..",
      "../../etc/passwd",
      good.toUpperCase(),
      good.slice(1),
      `${good}0`,
      `${good.slice(0, 62)}/.`,
      `${good}\n`,
      "staging",
      "\0".repeat(64),
    ]) {
      for (const use of [objects.put(bad, new Uint8Array()), objects.get(bad), objects.has(bad), objects.delete(bad)])
        expect(await code(use), JSON.stringify(bad)).toBe("store.key_invalid");
    }
    expect(await here.files()).toEqual([]);
  });

  test(`${name}: a closed store is store.unavailable; closing again is no error`, async () => {
    await using here = await place();
    const objects = await here.open();
    const key = keyOf(new Uint8Array());
    await objects.close();
    await objects.close();
    for (const use of [objects.put(key, new Uint8Array()), objects.get(key), objects.has(key), objects.delete(key)])
      expect(await code(use)).toBe("store.unavailable");
  });

  if (!durable) return;

  test(`${name}: objects outlive the store that wrote them, and damage is noticed and healed`, async () => {
    await using here = await place();
    const [large, small] = [new Uint8Array(randomBytes(500_000)), new Uint8Array([1, 2, 3])];
    const first = await here.open();
    for (const bytes of [large, small]) await first.put(keyOf(bytes), bytes);
    await first.close();
    const objects = await here.open();
    expect(Buffer.compare(await objects.get(keyOf(large)), large)).toBe(0);
    await here.damage(keyOf(large));
    expect(await code(objects.get(keyOf(large)))).toBe("store.corrupt");
    expect([...(await objects.get(keyOf(small)))]).toEqual([1, 2, 3]);
    expect(await code(objects.put(keyOf(large), large.subarray(1)))).toBe("object.exists");
    await objects.put(keyOf(large), inParts(large, 100_000));
    expect(Buffer.compare(await objects.get(keyOf(large)), large)).toBe(0);
    expect(await here.files()).toHaveLength(2);
  });
}
