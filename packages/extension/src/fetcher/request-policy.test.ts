import { expect, test } from "vitest";
import { defaultFetchLimits } from "./index.ts";
import { readRequest, type RequestInput } from "./request-policy.ts";

const read = (input: RequestInput) => readRequest(input, "egress", defaultFetchLimits.egress);
const refusedBy = (rule: string) => expect.objectContaining({ code: "fetch.request_forbidden", params: expect.objectContaining({ rule }) });

test.each([
  ["method", { method: "CONNECT" }],
  ["method", { method: "TRACE" }],
  ["method", { method: "GET / HTTP/1.1\r\nx: y" }],
  ["method", { method: "" }],
  ["body_unexpected", { method: "GET", body: "x" }],
  ["body_unexpected", { body: new Uint8Array(1) }],
  ["body_size", { method: "POST", body: "x".repeat(1024 * 1024 + 1) }],
  ["header_name", { headers: { "a b": "1" } }],
  ["header_name", { headers: { "": "1" } }],
  ["header_name", { headers: { "a\r\nb": "1" } }],
  ["header_value", { headers: { a: "1\r\nhost: evil.example" } }],
  ["header_value", { headers: { a: "1\0" } }],
  ["header_value", { headers: { a: " 1" } }],
  ["header_value", { headers: { a: "\u0100" } }],
  ["header_repeated", { headers: { a: "1", A: "2" } }],
  ["headers_size", { headers: { a: "1".repeat(17 * 1024) } }],
])("rule %s refuses %j", (rule, input) => {
  expect(() => read(input)).toThrow(refusedBy(rule));
});

test.each([
  "Host",
  "connection",
  "Transfer-Encoding",
  "content-length",
  "upgrade",
  "expect",
  "te",
  "trailer",
  "keep-alive",
  "proxy-authorization",
  "x-forwarded-for",
  "forwarded",
  "via",
])("the header %s is the fetcher's alone", (name) => {
  expect(() => read({ headers: { [name]: "1" } })).toThrow(refusedBy("header_forbidden"));
});

test("a refused header's value is not shown", () => {
  expect(() => read({ headers: { authorization: "Bearer secret\n" } })).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining("secret") }),
  );
});

test("what is accepted is ours to say: accept-encoding is set by us", () => {
  const request = read({ method: "post", headers: { "Accept-Encoding": "sdch", "X-A": "é" }, body: "b" });
  expect(request.method).toBe("POST");
  expect(Object.fromEntries(request.headers)).toEqual({
    "x-a": "é",
    "user-agent": "althing",
    accept: "*/*",
    "accept-encoding": "gzip, deflate, br, zstd",
  });
});
