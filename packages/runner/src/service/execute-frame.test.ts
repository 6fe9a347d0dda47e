import { expect, test } from "vitest";
import { decodeFrame, encodeFrame } from "./execute-frame.ts";

test("a frame comes back as it was, with a body of any bytes", () => {
  const head = { a: "é 🙂", b: [1, null] };
  for (const body of [new Uint8Array(), Uint8Array.of(0, 255, 10), new Uint8Array(100_000).fill(7)]) {
    const frame = decodeFrame(encodeFrame(head, body), 1_000);
    expect(frame.head).toEqual(head);
    expect(Buffer.from(frame.body).equals(body)).toBe(true);
  }
});

test("a view into a larger buffer is read at its own place", () => {
  const whole = Buffer.concat([Buffer.from("before"), encodeFrame({ a: 1 }, Uint8Array.of(9))]);
  const { head, body } = decodeFrame(whole.subarray(6), 100);
  expect([head, ...body]).toEqual([{ a: 1 }, 9]);
});

test.each([
  ["cut in its length", Uint8Array.of(0, 0, 0), "request.malformed"],
  ["cut in its head", Uint8Array.of(0, 0, 0, 3, 0x7b), "request.malformed"],
  ["with a head above the cap", Uint8Array.of(0xff, 0xff, 0xff, 0xff), "request.too_large"],
  ["with a head that is no JSON", Uint8Array.of(0, 0, 0, 1, 0x7b), "request.malformed"],
  ["with an empty head", Uint8Array.of(0, 0, 0, 0), "request.malformed"],
])("a frame %s is refused", (_what, bytes, code) => {
  expect(() => decodeFrame(bytes, 1_000)).toThrow(expect.objectContaining({ code }));
});
