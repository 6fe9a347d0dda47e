/** Payloads: the short way of reading and writing against the CBOR library. */
import { isAppError } from "@althing/contract";
import { concat, encodeCbor, utf8 } from "@althing/crypto";
import { describe, expect, it } from "vitest";
import { decodePayload, encodePayload, textOf, type Payload } from "./payload.ts";

const byLibrary = ({ contentType, bytes, blobKey }: Payload) =>
  encodeCbor({ body: bytes, type: contentType, ...(blobKey === undefined ? {} : { blobKey }) });

/** One value has one byte string: what is read must be what the library writes for it. */
function readsAsWritten(bytes: Uint8Array<ArrayBuffer>): boolean {
  try {
    expect(byLibrary(decodePayload(bytes))).toEqual(bytes);
    return true;
  } catch (error) {
    if (!isAppError(error)) throw error;
    expect(error.code).toBe("frame.malformed");
    return false;
  }
}

describe("a payload", () => {
  it.each([0, 1, 23, 24, 255, 256, 60_000])("of %i bytes is written and read as the library does", (length) => {
    for (const contentType of ["text/plain", "application/vnd.somebody.something-longer+json", "text/plain; charset=utf-8"]) {
      const plain: Payload = { contentType, bytes: new Uint8Array(length).fill(7) };
      for (const payload of [plain, { ...plain, blobKey: new Uint8Array(32) }]) {
        expect(encodePayload(payload)).toEqual(byLibrary(payload));
        expect(decodePayload(byLibrary(payload))).toEqual(payload);
      }
    }
  });

  it("with any changed, missing or added byte is refused, or is another payload in its only form", () => {
    const bytes = encodePayload({ contentType: "text/plain", bytes: utf8("some words of a message, more than twenty-three") });
    let refused = 0;
    for (let at = 0; at <= bytes.length; at += 1) {
      for (const put of [0, 1, 0x18, 0x40, 0x58, 0x60, 0x78, 0xa2, 0xff]) {
        if (!readsAsWritten(concat(bytes.subarray(0, at), Uint8Array.of(put), bytes.subarray(at)))) refused += 1;
        if (at < bytes.length) readsAsWritten(concat(bytes.subarray(0, at), Uint8Array.of(put), bytes.subarray(at + 1)));
      }
      expect(at < bytes.length && readsAsWritten(bytes.slice(0, at))).toBe(false);
    }
    expect(refused).toBeGreaterThan(0);
  });

  it("with a mark before its content type is refused, and with one in its text is read as any text", () => {
    expect(readsAsWritten(encodeCbor({ body: utf8("x"), type: "\ufefftext/plain" }))).toBe(false);
    expect(textOf(decodePayload(encodePayload({ contentType: "text/plain", bytes: utf8("\ufeffx") })))).toBe("x");
  });

  it("keeps no view of the frame it came in", () => {
    const bytes = encodePayload({ contentType: "text/plain", bytes: utf8("secret") });
    expect(decodePayload(bytes).bytes.buffer.byteLength).toBe(6);
  });
});
