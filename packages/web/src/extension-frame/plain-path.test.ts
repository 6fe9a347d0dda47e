import { expect, test } from "vitest";
import { isAtOrBelow, matches, readEncodedPath, readPath, writePath } from "./plain-path.ts";

test.each(["", "a", "//", "//a", "/a/", "/a//b", "/.", "/..", "/a/../b", "/a\\b", "/\u0000", "/a\nb", "/\ud800", `/${"a/".repeat(32)}a`])(
  "%j is no path",
  (path) => expect(readPath(path)).toBeUndefined(),
);

test.each([
  ["/", "/"],
  ["/a/b", "/a/b"],
  ["/a b", "/a%20b"],
  ["/%2e%2e", "/%252e%252e"],
  ["/a?b#c", "/a%3Fb%23c"],
  ["/ü", "/%C3%BC"],
  ["/...", "/..."],
])("%j is written %j, which a URL leaves alone, and read back", (path, written) => {
  const segments = readPath(path) ?? ["no path"];
  expect(writePath(segments)).toBe(written);
  expect(new URL(written, "http://host").pathname).toBe(written);
  expect(readEncodedPath(written)).toBe(path);
});

test.each(["/%ff", "/a%2fb", "/%5c", "/%00", "/a/", "/a//b", "/%2e", "/%2e%2e/x"])("%j in the address bar is none of ours", (path) =>
  expect(readEncodedPath(path)).toBeUndefined(),
);

test.each([
  ["/polls", "/polls", true, true],
  ["/polls/:id", "/polls/1", true, true],
  ["/polls/:id", "/polls", false, false],
  ["/polls", "/polls/1", false, true],
  ["/", "/polls", false, true],
  ["/", "/", true, true],
  ["/poll", "/polls", false, false],
])("%s against %s: exactly %s, at or below %s", (pattern, path, exactly, below) => {
  const segments = readPath(path) ?? [];
  expect([matches(pattern, segments), isAtOrBelow(pattern, segments)]).toEqual([exactly, below]);
});
