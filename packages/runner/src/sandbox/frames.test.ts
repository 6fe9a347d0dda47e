import { describe, expect, it } from "vitest";
import { decodePayload, encodeFrame, FrameError, FrameReader } from "./frames.ts";

const payloadOf = (value: object): Uint8Array => encodeFrame(value).subarray(4);
const drain = (reader: FrameReader, chunk: Uint8Array, most = 1_000): Uint8Array[] => [...reader.push(chunk, most)];

describe("values of guests", () => {
  it("come back as they were: 64-bit integers as bigints, bytes as plain arrays that share nothing, nothing as nothing", () => {
    const value = {
      big: 5n,
      most: 2n ** 64n - 1n,
      least: -(2n ** 63n),
      bytes: Uint8Array.of(1),
      none: undefined,
      list: [1.5, "é", null, NaN],
    };
    const payload = Buffer.from(payloadOf(value));
    const back = decodePayload(payload);
    expect(back).toEqual(value);
    const bytes = typeof back === "object" && back !== null ? Reflect.get(back, "bytes") : undefined;
    payload.fill(0);
    expect([bytes, Buffer.isBuffer(bytes)]).toEqual([Uint8Array.of(1), false]);
  });

  it("with the key __proto__ have it as a plain field", () => {
    const back = decodePayload(payloadOf(JSON.parse('{"__proto__":{"admin":true}}')));
    expect(Reflect.getPrototypeOf(Object(back))).toBe(Object.prototype);
  });
});

describe("a stream", () => {
  it("cut anywhere gives the same frames", () => {
    const stream = Buffer.concat([encodeFrame({ a: 1 }), encodeFrame({}), encodeFrame({ text: "x".repeat(300) })]);
    for (const size of [1, 2, 3, 5, 7, 64, stream.length]) {
      const reader = new FrameReader();
      const found: unknown[] = [];
      for (let at = 0; at < stream.length; at += size) found.push(...drain(reader, stream.subarray(at, at + size)).map(decodePayload));
      expect(found).toEqual([{ a: 1 }, {}, { text: "x".repeat(300) }]);
    }
  });

  it("is refused at the length of a frame above the cap, before a byte of it came", () => {
    expect(() => drain(new FrameReader(), Uint8Array.of(0, 0, 0, 11), 10)).toThrow(FrameError);
    expect(drain(new FrameReader(), Uint8Array.of(0, 0, 0, 10), 10)).toEqual([]);
  });
});

describe("bytes that are no frame of ours", () => {
  const cases: Readonly<Record<string, readonly number[]>> = {
    nothing: [],
    "a value and more": [0x00, 0x00],
    "an array without end": [0x9f, 0x00, 0xff],
    "a longer integer than needed": [0x18, 0x01],
    "a key twice": [0xa2, 0x61, 0x61, 0x00, 0x61, 0x61, 0x00],
    "an array that promises more than there is": [0x9a, 0xff, 0xff, 0xff, 0xff],
    "a tag nobody knows": [0xc1, 0x00],
    "a 64-bit integer that is text": [0xd9, 0x9a, 0x4d, 0x61, 0x78],
  };
  for (const [what, bytes] of Object.entries(cases)) {
    it(`are refused: ${what}`, () => expect(() => decodePayload(Uint8Array.from(bytes))).toThrow(FrameError));
  }

  it("are refused when they nest deeply or are more items than a guest's budget allows", () => {
    expect(() => decodePayload(new Uint8Array(100_000).fill(0x81))).toThrow("nested deeper");
    const many = new Uint8Array(2_000_005).fill(0x80);
    many.set([0x9a, 0x00, 0x1e, 0x84, 0x80]);
    expect(() => decodePayload(many)).toThrow("items");
  });
});
