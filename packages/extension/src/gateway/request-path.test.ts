/**
 * Paths: decoded once, what two readers could take differently refused, and the one endpoint they mean.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isAppError } from "@althing/contract";
import { createEndpointTable, decodePath } from "./request-path.ts";

describe("the path behind the extension's id", () => {
  it.each([
    ["", []],
    ["/", []],
    ["/a", ["a"]],
    ["/a/b", ["a", "b"]],
    ["/a%20b", ["a b"]],
    ["/%C3%BC", ["ü"]],
    ["/%F0%9F%8C%BF", ["🌿"]],
    ["/a%252fb", ["a%2fb"]],
    ["/%252e%252e", ["%2e%2e"]],
    ["/a%3Fb%23c", ["a?b#c"]],
    ["/...", ["..."]],
    ["/.a", [".a"]],
    ["/a;b=c", ["a;b=c"]],
    ["/%E2%88%95", ["∕"]],
    ["/__proto__", ["__proto__"]],
  ])("%j is %j", (raw, segments) => {
    expect(decodePath(raw)).toEqual(segments);
  });

  it.each([
    ["a dot", "/."],
    ["two dots", "/a/../b"],
    ["encoded dots", "/a/%2e%2E/b"],
    ["half-encoded dots", "/.%2e"],
    ["an encoded dot", "/%2e/a"],
    ["an empty segment", "//a"],
    ["an empty segment inside", "/a//b"],
    ["a slash at the end", "/a/"],
    ["an encoded slash", "/a%2fb"],
    ["an encoded slash in capitals", "/a%2Fb"],
    ["an encoded backslash", "/a%5cb"],
    ["a backslash", "/a\\b"],
    ["an encoded NUL", "/a%00"],
    ["a raw NUL", "/a\0"],
    ["an encoded line feed", "/a%0ab"],
    ["an encoded DEL", "/a%7f"],
    ["a C1 control", "/a%C2%85"],
    ["a lone percent sign", "/a%"],
    ["no hexadecimal digits", "/a%zz"],
    ["an overlong slash", "/%c0%af"],
    ["an overlong dot", "/%c0%ae%c0%ae"],
    ["an overlong NUL", "/%e0%80%80"],
    ["a surrogate", "/%ed%a0%80"],
    ["a cut sequence", "/%e2%82"],
    ["beyond Unicode", "/%f4%90%80%80"],
    ["raw bytes above ASCII", "/\u00c3\u00bc"],
    ["a raw space", "/a b"],
    ["a fragment", "/a#b"],
    ["no slash first", "a"],
    ["too long", `/${"a".repeat(2_048)}`],
    ["too many segments", "/a".repeat(33)],
  ])("refuses %s", (_what, raw) => {
    expect(() => decodePath(raw)).toThrow(expect.objectContaining({ code: "ext.bad_request" }));
  });

  it("never throws anything but ext.bad_request, and what it takes has no slash, control or dot segment", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("/", "%", "%2e", "%2F", "%00", "..", "%c0%af", "\\", "%25", "a", "%e2%82%ac", "#"),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        let segments: string[];
        try {
          segments = decodePath(`/${pieces.join("")}`);
        } catch (error) {
          return isAppError(error) && error.code === "ext.bad_request";
        }
        return segments.every(
          (segment) => segment !== "" && segment !== "." && segment !== ".." && !/[/\\\p{Cc}]/u.test(segment) && segment.isWellFormed(),
        );
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("endpoints", () => {
  const table = createEndpointTable([
    { method: "GET", path: "/" },
    { method: "GET", path: "/:kind/list" },
    { method: "GET", path: "/polls/:id" },
    { method: "GET", path: "/polls/new" },
    { method: "POST", path: "/polls/:id" },
    { method: "GET", path: "/:a/:b" },
    { method: "GET", path: "/constructor" },
  ]);

  it.each([
    ["GET", [], "GET /", []],
    ["GET", ["polls", "new"], "GET /polls/new", []],
    ["GET", ["polls", "7"], "GET /polls/:id", [["id", "7"]]],
    ["GET", ["polls", "list"], "GET /polls/:id", [["id", "list"]]],
    ["GET", ["votes", "list"], "GET /:kind/list", [["kind", "votes"]]],
    [
      "GET",
      ["votes", "x"],
      "GET /:a/:b",
      [
        ["a", "votes"],
        ["b", "x"],
      ],
    ],
    ["POST", ["polls", "new"], "POST /polls/:id", [["id", "new"]]],
    ["GET", ["polls", ":id"], "GET /polls/:id", [["id", ":id"]]],
    ["GET", ["constructor"], "GET /constructor", []],
  ])("%s %j is %s", (method, segments, name, params) => {
    expect(table.find(method, segments)).toMatchObject({ name, params });
  });

  it.each([
    ["get", ["polls", "7"]],
    ["HEAD", ["polls", "7"]],
    ["DELETE", ["polls", "7"]],
    ["GET", ["polls"]],
    ["GET", ["polls", "7", "8"]],
    ["GET", ["Constructor"]],
    ["GET", ["toString"]],
    ["POST", []],
  ])("%s %j is none", (method, segments) => {
    expect(table.find(method, segments)).toBeUndefined();
  });
});
