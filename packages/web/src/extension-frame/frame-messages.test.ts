import { limits } from "@althing/contract";
import { expect, test } from "vitest";
import { readCall, readFrameMessage } from "./frame-messages.ts";

const message = (type: string, payload: unknown) => readFrameMessage({ althing: true, v: 1, id: "1", type, payload });
const call = (fields: Record<string, unknown>) => () => readCall({ method: "GET", path: "/a", ...fields });

test("an inherited field is no field", () => {
  expect(readFrameMessage(Object.create({ althing: true, v: 1, id: "1", type: "ready" }))).toBeUndefined();
  expect(readFrameMessage({ althing: true, v: 1, id: "1", type: "toString" })).toBeUndefined();
});

test.each([
  [12.1, 120],
  [500.01, 501],
  [Infinity, 6_000],
  [-1, 120],
])("a height of %d is %d", (height, heightPx) => expect(message("resize", { height })).toEqual({ type: "resize", heightPx }));

test("a notice is one line without characters that hide or turn text, cut to its length", () => {
  expect(message("toast", { text: " a\n\u202eb\u0000\u2028 \ud800", kind: "loud" })).toEqual({
    type: "toast",
    text: "a b  \ufffd",
    kind: "info",
  });
  const long = message("toast", { text: "x".repeat(1_000_000), kind: "error" });
  expect(long?.type === "toast" && [long.text.length, long.kind]).toEqual([300, "error"]);
  for (const text of ["", " \n", 1, null, {}]) expect(message("toast", { text })).toBeUndefined();
});

test("headers that a page may set pass in lower case, others do not; __proto__ is a name like any other", () => {
  const headers = JSON.parse('{"Accept":"a","X-Ext-B":"b","Signature":"c","__proto__":"d","cookie":"e"}') as unknown;
  const query = JSON.parse('{"__proto__":"x","a":"b"}') as unknown;
  const read = call({ headers, query })();
  expect(read.headers).toEqual([
    ["accept", "a"],
    ["x-ext-b", "b"],
  ]);
  expect(read.query).toEqual([
    ["__proto__", "x"],
    ["a", "b"],
  ]);
});

test.each([
  [{ headers: { "x-ext-a": "a\r\nb" } }],
  [{ headers: { "x-ext-a": 1 } }],
  [{ headers: "x" }],
  [{ query: null }],
  [{ query: { a: "\ud800" } }],
  [{ query: { a: "x".repeat(5_000) } }],
  [{ query: Object.fromEntries(Array.from({ length: 51 }, (_, at) => [at, "x"])) }],
  [{ query: Object.fromEntries(Array.from({ length: 3 }, (_, at) => [at, "x".repeat(4_000)])) }],
  [{ method: undefined }],
  [{ path: 1 }],
  [{ body: {} }],
  [{ body: new ArrayBuffer(1) }],
])("a call with %j is refused", (fields) => expect(call(fields)).toThrow(expect.objectContaining({ code: "ext.bad_request" })));

test("a body is counted in bytes, and is a copy", () => {
  const max = limits.extensionBodyMaxBytes;
  const tooLarge = expect.objectContaining({ code: "ext.payload_too_large" }) as Error;
  expect(call({ body: "x".repeat(max + 1) })).toThrow(tooLarge);
  expect(call({ body: "é".repeat(max / 2 + 1) })).toThrow(tooLarge);
  expect(call({ body: "x".repeat(max) })().body).toHaveLength(max);
  const bytes = Uint8Array.of(1, 2, 3, 4).subarray(1, 3);
  const { body } = call({ body: bytes })();
  expect([[...(body ?? [])], body?.buffer.byteLength]).toEqual([[2, 3], 2]);
});
