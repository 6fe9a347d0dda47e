import { expect, expectTypeOf, test } from "vitest";
import { findRoute, findTopic, type ParamsOf } from "./routes.ts";

test("a literal segment wins over a name, in either order of writing", () => {
  for (const routes of [
    { "GET /a/:x": 1, "GET /a/b": 2 },
    { "GET /a/b": 2, "GET /a/:x": 1 },
  ]) {
    expect(findRoute(routes, "GET", "/a/b")?.handler).toBe(2);
    expect(findRoute(routes, "GET", "/a/c")).toMatchObject({ handler: 1, params: { x: "c" } });
  }
  const crossed = { "GET /:x/b": 1, "GET /a/:y": 2 };
  expect(findRoute(crossed, "GET", "/a/b")?.handler).toBe(2);
});

test("method, length and trailing slash count", () => {
  const routes = { "GET /a": 1, "POST /a/:x": 2, "GET /": 3 };
  expect(findRoute(routes, "POST", "/a")).toBeUndefined();
  expect(findRoute(routes, "GET", "/a/")).toBeUndefined();
  expect(findRoute(routes, "POST", "/a/b/c")).toBeUndefined();
  expect(findRoute(routes, "GET", "/")?.handler).toBe(3);
});

test("hostile names are values, never keys of something else", () => {
  expect(findRoute({ "GET /:x": 1 }, "GET", "/__proto__")?.params["x"]).toBe("__proto__");
  expect(findRoute({ "GET /a": 1 }, "GET", "/constructor")).toBeUndefined();
  expect(findTopic({ "a.*": 1 }, "constructor")).toBeUndefined();
});

test("an exact topic wins over a prefix, a longer prefix over a shorter", () => {
  const topics = { "a.*": 1, "a.b.*": 2, "a.b.c": 3 };
  expect([findTopic(topics, "a.x"), findTopic(topics, "a.b.x"), findTopic(topics, "a.b.c"), findTopic(topics, "ab.c")]).toEqual([
    1,
    2,
    3,
    undefined,
  ]);
});

test("the names of a path are known to the type checker", () => {
  expectTypeOf<ParamsOf<"GET /polls/:id/vote/:choice">>().toEqualTypeOf<"id" | "choice">();
  expectTypeOf<ParamsOf<"GET /polls">>().toEqualTypeOf<never>();
});
