/**
 * Headers both ways: nothing that proves a person goes in, nothing that a browser would run, keep or obey comes out.
 */
import { describe, expect, it } from "vitest";
import { checkResponse, headersIn } from "./header-policy.ts";

const injected = { requestId: "r1", community: "c1", actor: { id: "e1", permissions: ["a.b", "c.d"] } };
const ours = [
  ["x-request-id", "r1"],
  ["x-althing-community", "c1"],
  ["x-althing-actor", "e1"],
  ["x-althing-permissions", "a.b c.d"],
];

describe("headers in", () => {
  it.each([
    ["authorization", "Bearer x"],
    ["Authorization", "Basic x"],
    ["proxy-authorization", "Basic x"],
    ["cookie", "session=1"],
    ["signature", "sig=:x:"],
    ["Signature-Input", "sig=()"],
    ["signature-agent", "x"],
    ["content-digest", "sha-256=:x:"],
    ["x-forwarded-for", "1.2.3.4"],
    ["x-forwarded-host", "evil.example"],
    ["forwarded", "for=1.2.3.4"],
    ["x-real-ip", "1.2.3.4"],
    ["x-request-id", "forged"],
    ["X-Althing-Actor", "forged"],
    ["x-althing-permissions", "community.manage"],
    ["althing-as", "owner"],
    ["althing-community", "c2"],
    ["traceparent", "00-1-1-1"],
    ["host", "a.example"],
    ["connection", "x-ext-a"],
    ["x-extra", "no prefix of ours"],
    ["x-ext", "neither"],
  ])("%s does not reach the guest", (name, value) => {
    expect(headersIn([[name, value]], injected)).toEqual(ours);
  });

  it.each([
    ["Accept", "text/plain"],
    ["accept-language", "de"],
    ["Content-Type", "application/json"],
    ["USER-AGENT", "x"],
    ["x-ext-thing", "1"],
  ])("%s does, in lower case", (name, value) => {
    expect(headersIn([[name, value]], injected)).toEqual([[name.toLowerCase(), value], ...ours]);
  });

  it("names no actor when there is none", () => {
    expect(headersIn([["x-althing-actor", "forged"]], { ...injected, actor: undefined })).toEqual(ours.slice(0, 2));
  });

  it.each(["content-length", "transfer-encoding", "host", "content-type"])("refuses a request with two of %s", (name) => {
    const fields = [
      [name, "1"],
      [name.toUpperCase(), "1"],
    ] as const;
    expect(() => headersIn(fields, injected)).toThrow(expect.objectContaining({ code: "ext.bad_request" }));
  });

  it.each([
    [
      "both kinds of framing",
      [
        ["content-length", "1"],
        ["transfer-encoding", "chunked"],
      ],
    ],
    ["a line feed in a value", [["x-ext-a", "a\nb: c"]]],
    ["a NUL in a value", [["x-ext-a", "a\0"]]],
    ["a space in a name", [["x-ext-a b", "c"]]],
    ["an empty name", [["", "c"]]],
    ["more fields than a runner takes", Array.from({ length: 200 }, (_, i) => [`x-ext-${i}`, "1"] as const)],
  ] as const)("refuses %s", (_what, fields) => {
    expect(() => headersIn(fields, injected)).toThrow(expect.objectContaining({ code: "ext.bad_request" }));
  });

  it("takes 16 KiB of headers and not a byte more, also of those it strips", () => {
    const fields = (bytes: number) => [["cookie", "x".repeat(bytes - 6)]] as const;
    expect(headersIn(fields(16_384), injected)).toEqual(ours);
    expect(() => headersIn(fields(16_385), injected)).toThrow(expect.objectContaining({ code: "ext.headers_too_large", status: 413 }));
  });
});

const check = (headers: readonly (readonly [string, string])[], { status = 200, bodyBytes = 5, isPublic = false } = {}) => {
  const checked = checkResponse({ status, headers, bodyBytes }, isPublic);
  return { ...checked, headers: Object.fromEntries(checked.headers) };
};
const fixed = { "content-security-policy": "sandbox", "x-content-type-options": "nosniff" };

describe("headers out", () => {
  it("are the allowed ones and ours", () => {
    const given = [
      ["Content-Type", "application/json; charset=utf-8"],
      ["ETag", '"1"'],
      ["X-Ext-Count", "7"],
      ["Set-Cookie", "session=1"],
      ["set-cookie2", "a=1"],
      ["location", "https://evil.example"],
      ["refresh", "0;url=https://evil.example"],
      ["access-control-allow-origin", "*"],
      ["content-security-policy", "default-src *"],
      ["x-content-type-options", "sniff"],
      ["strict-transport-security", "max-age=0"],
      ["clear-site-data", "*"],
      ["content-length", "1"],
      ["transfer-encoding", "chunked"],
      ["content-encoding", "br"],
      ["link", "</x>; rel=preload"],
      ["service-worker-allowed", "/"],
      ["www-authenticate", "Basic"],
      ["x-request-id", "forged"],
      ["x-frame-options", "ALLOWALL"],
    ] as const;
    expect(check(given)).toEqual({
      status: 200,
      hasBody: true,
      headers: {
        "content-type": "application/json; charset=utf-8",
        etag: '"1"',
        "x-ext-count": "7",
        "cache-control": "no-store",
        ...fixed,
      },
    });
  });

  it("call a body without a type a stream of bytes", () => {
    expect(check([]).headers["content-type"]).toBe("application/octet-stream");
    expect(check([], { bodyBytes: 0 }).headers).not.toHaveProperty("content-type");
  });

  it.each([204, 205, 304])("let %d go without its body", (status) => {
    expect(check([], { status }).hasBody).toBe(false);
  });

  it.each([
    "text/html",
    "TEXT/HTML",
    "text/html; charset=utf-8",
    "text/html ;charset=utf-8",
    "text/HTML;a=b",
    "application/xhtml+xml",
    "image/svg+xml",
    "Image/SVG+XML; charset=utf-8",
    "image/svg",
    "text/javascript",
    "text/javascript1.5",
    "application/javascript",
    "application/x-javascript",
    "text/ecmascript",
    "application/ecmascript; v=1",
    "text/jscript",
    "text/livescript",
    "text/x-javascript",
    "text/xml",
    "application/xml",
    "application/rss+xml",
    "application/mathml+xml",
    "text/xsl",
    "text/css",
    "application/wasm",
    "multipart/x-mixed-replace; boundary=a",
    "multipart/form-data",
    "message/rfc822",
    "application/unknown",
    "unknown/unknown",
  ])("refuse %s", (type) => {
    expect(() => check([["content-type", type]])).toThrow(expect.objectContaining({ code: "ext.trap" }));
    expect(() => check([["Content-Type", type]], { bodyBytes: 0, isPublic: true })).toThrow(expect.objectContaining({ code: "ext.trap" }));
  });

  it.each([
    "",
    "text",
    "text/",
    "/html",
    "*/*",
    "text/plain, text/html",
    "text/plain\ttext/html",
    "text/plain;",
    "text /html",
    'text/plain; a="b',
    "text/plain\n",
  ])("refuse the malformed type %j", (type) => {
    expect(() => check([["content-type", type]])).toThrow(expect.objectContaining({ code: "ext.trap" }));
  });

  it.each([
    "application/json",
    "text/plain; charset=utf-8",
    'text/plain; a="b;c"',
    "application/vnd.api+json",
    "image/png",
    "text/calendar",
    "application/pdf",
    "text/html-report",
  ])("take %s", (type) => {
    expect(check([["content-type", type]]).headers["content-type"]).toBe(type);
  });

  it.each([
    ["a line feed", [["x-ext-a", "a\r\nset-cookie: b=c"]]],
    ["a line feed in what is dropped anyway", [["x-other", "a\nb"]]],
    ["a NUL", [["etag", "a\0"]]],
    ["bytes above ASCII", [["x-ext-a", "ü"]]],
    ["a malformed name", [["x-ext-a: b\r\nset-cookie", "c"]]],
    ["a name with a space", [["set-cookie ", "c"]]],
    [
      "two types",
      [
        ["content-type", "text/plain"],
        ["Content-Type", "text/html"],
      ],
    ],
    [
      "two directives for caches",
      [
        ["cache-control", "no-store"],
        ["cache-control", "public"],
      ],
    ],
    ["more than 16 KiB", [["x-ext-a", "x".repeat(16_384)]]],
  ] as const)("refuse %s", (_what, headers) => {
    expect(() => check(headers)).toThrow(expect.objectContaining({ code: "ext.trap" }));
  });

  it.each([0, 100, 101, 103, 199, 600, 999, 65_535, 200.5, Number.NaN])("refuse status %d", (status) => {
    expect(() => check([], { status })).toThrow(expect.objectContaining({ code: "ext.trap" }));
  });

  it.each([
    ["public", "no-store"],
    ["PUBLIC, max-age=60", "private, max-age=60"],
    ["max-age=60, s-maxage=600", "private, max-age=60"],
    ["private", "no-store"],
    ["no-cache", "private, no-cache"],
    ["max-age=60,immutable , must-revalidate", "private, max-age=60, immutable, must-revalidate"],
    ['max-age="60", public', "no-store"],
    ['x="a, public, b"', "no-store"],
    ["max-age=1e9", "no-store"],
    ["", "no-store"],
  ])("on a private endpoint turn %j into %j", (given, kept) => {
    expect(check([["cache-control", given]]).headers["cache-control"]).toBe(kept);
  });

  it.each([
    ["public, max-age=60", "public, max-age=60"],
    ["s-maxage=5, evil", "s-maxage=5"],
    ["evil", "no-store"],
  ])("on a public endpoint turn %j into %j", (given, kept) => {
    expect(check([["cache-control", given]], { isPublic: true }).headers["cache-control"]).toBe(kept);
  });
});
