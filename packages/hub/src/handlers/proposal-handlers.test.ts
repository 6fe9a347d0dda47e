/** Proposals over real HTTP, against a hub with real nats-server and SQLite: the whole way once, with preconditions and the largest text. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { limits } from "@althing/contract";
import { callAs, serveHub, type ServedHub, type SignedCall } from "../../test/serve-hub.ts";

let served: ServedHub;
beforeAll(async () => {
  served = await serveHub();
});
afterAll(() => served[Symbol.asyncDispose]());

const base = "/api/communities/garden/proposals";
const call = (method: string, path: string, more: Partial<SignedCall> = {}) =>
  callAs(served, served.admin, { method, path: `${base}${path}`, ...more });
const idOf = ({ json }: { json: Record<string, unknown> }): string => String(json["id"]);

test("from draft to decision, each change on the version that was read", async () => {
  expect((await callAs(served, served.admin, { method: "POST", path: "/api/communities", body: { name: "garden" } })).status).toBe(201);
  const body = "水".repeat(limits.proposalBodyMaxChars);
  const created = await call("POST", "", { body: { title: "Beds", body, options: [] } });
  expect([created.status, created.json["state"], created.headers.get("etag")]).toEqual([201, "draft", '"1"']);
  const path = `/${idOf(created)}`;
  const edit = (ifMatch: string, title: string) => call("PUT", path, { body: { title, body: "Water." }, headers: { "if-match": ifMatch } });
  expect((await edit('"1"', "Two")).headers.get("etag")).toBe('"2"');
  expect(await edit('"1"', "Three")).toMatchObject({ status: 412, code: "request.precondition_failed" });
  expect((await call("GET", `${path}/versions/1`)).json["body"]).toBe(body);
  expect((await call("GET", `${path}/versions?limit=1`)).json).toMatchObject({ versions: [{ version: 1 }], next: 1 });
  await call("POST", `${path}/discuss`, { body: {} });
  const comment = await call("POST", `${path}/comments`, { body: { body: "Why?" } });
  expect(comment.status).toBe(201);
  const changed = { body: { body: "Why so?" }, headers: { "if-match": comment.headers.get("etag") ?? "" } };
  expect((await call("PUT", `${path}/comments/${idOf(comment)}`, changed)).json).toMatchObject({ body: "Why so?" });
  const amendment = await call("POST", `${path}/amendments`, { body: { title: "Four", why: "Better" } });
  await call("POST", `${path}/amendments/${idOf(amendment)}/decide`, { body: { accept: true } });
  expect(await call("POST", `${path}/open`, { body: {}, headers: { "if-match": '"2"' } })).toMatchObject({ status: 412 });
  expect((await call("POST", `${path}/open`, { body: {}, headers: { "if-match": '"3"' } })).json).toMatchObject({
    state: "voting",
    title: "Four",
  });
  expect((await call("POST", `${path}/close`, { body: {} })).json).toMatchObject({ state: "decided", report: { ballots: 0 } });
  expect((await call("GET", "?state=decided&mine=true")).json).toMatchObject({ proposals: [{ id: idOf(created), outcome: "failed" }] });
});

test("the same Idempotency-Key drafts once", async () => {
  const twice = { body: { title: "Once" }, headers: { "idempotency-key": "proposal-once-1" } };
  const [first, second] = [await call("POST", "", twice), await call("POST", "", twice)];
  expect(idOf(first)).toBe(idOf(second));
});

test("what fits no route is refused before anything is read", async () => {
  for (const body of [
    { title: "a\u0000b" },
    { title: "x".repeat(201) },
    { title: "x", html: "<b>" },
    { title: "x", options: [{ text: "a" }, { text: "a" }] },
  ])
    expect(await call("POST", "", { body })).toMatchObject({ status: 400, code: "request.invalid" });
  expect(await call("POST", "", { body: { title: "x", body: "x".repeat(limits.proposalRequestMaxBytes) } })).toMatchObject({ status: 413 });
  expect(await call("GET", "/x")).toMatchObject({ status: 400, code: "request.invalid" });
});
