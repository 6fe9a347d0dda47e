import type { Caller } from "@althing/bus";
import { AppError, auditEntrySchema, endpointIdSchema, handleSchema, signPubSchema, type AuditEntry } from "@althing/contract";
import { findAuditFault } from "@althing/crypto";
import { openMemoryStore } from "@althing/store";
import { beforeEach, expect, test } from "vitest";
import type { Call, Handler } from "./handlers/handler.ts";
import type { SignedRoute } from "./handlers.ts";
import { auditedRoutes, createInstanceAudit, type InstanceAudit } from "./instance-audit.ts";

let store: ReturnType<typeof openMemoryStore>;
let nowMs = 0;
const at = (node = "n1"): InstanceAudit => createInstanceAudit({ store, node, nowMs: () => nowMs });
const alice: Caller = {
  endpoint: endpointIdSchema.parse("A".repeat(43)),
  signPub: signPubSchema.parse("b".repeat(64)),
  handle: handleSchema.parse("alice"),
  role: "admin",
};
const callOf = (input: unknown): Call => ({
  signPub: alice.signPub,
  caller: () => alice,
  input,
  ifMatch: undefined,
  lastEventId: undefined,
  upload: () => {
    throw new Error("no upload");
  },
});
const handlersOf = (handler: Handler) =>
  Object.fromEntries(auditedRoutes.map((route) => [route, handler])) as Readonly<Record<SignedRoute, Handler>>;
const listed = async (): Promise<AuditEntry[]> => (await at().list({ limit: 200 })).entries.map((entry) => auditEntrySchema.parse(entry));

beforeEach(() => {
  store = openMemoryStore();
  nowMs = Date.UTC(2026, 0, 1);
});

test("an act, a refusal and a fault each have an entry with actor, target and outcome, and the chain verifies", async () => {
  const done = at().around(handlersOf(async () => ({ handle: "bob", revokedAt: "x" })));
  await done["users.revoke"](callOf({ signPub: "key" }));
  const refused = at().around(handlersOf(() => Promise.reject(new AppError("user.not_found", { user: "x" }))));
  await expect(refused["users.revoke"](callOf({ signPub: "other" }))).rejects.toMatchObject({ code: "user.not_found" });
  const broken = at().around(handlersOf(() => Promise.reject(new Error("disk"))));
  await expect(broken["trust.remove"](callOf({ id: "k" }))).rejects.toThrow("disk");
  const [third, second, first] = await listed();
  expect(first).toMatchObject({
    index: 1,
    actor: { handle: "alice" },
    act: "users.revoke",
    target: { signPub: "key", handle: "bob" },
    outcome: "done",
  });
  expect(second).toMatchObject({ index: 2, target: { signPub: "other" }, outcome: "refused", code: "user.not_found" });
  expect(third).toMatchObject({ index: 3, act: "trust.remove", outcome: "unknown" });
  expect(await findAuditFault((await listed()).toReversed())).toBeUndefined();
});

test("a changed, a missing and a moved entry are found", async () => {
  const acts = at().around(handlersOf(async () => undefined));
  for (const id of ["a", "b", "c"]) await acts["trust.remove"](callOf({ id }));
  const chain = (await listed()).toReversed();
  const [one, two, three] = chain;
  if (one === undefined || two === undefined || three === undefined) throw new Error("three entries were written");
  expect(await findAuditFault([one, { ...two, target: { id: "z" } }, three])).toBe(2);
  expect(await findAuditFault([one, three])).toBe(3);
  expect(await findAuditFault([two, one, three])).toBe(1);
});

test("a hub that was killed in the middle leaves an entry of unknown outcome, and what this process works on is left alone", async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const acts = at().around(handlersOf(() => held));
  const running = acts["users.add"](callOf({ handle: "carol" }));
  await expect
    .poll(
      async () => (await store.collection({ name: "instance-audit-notes", schema: auditEntrySchema.partial() }).list({})).records.length,
    )
    .toBe(1);
  expect(await listed()).toEqual([]);
  nowMs += 1_000;
  await at("n2").closeLost();
  expect(await listed(), "another node's notes are not its own").toEqual([]);
  await at().closeLost();
  expect(await listed()).toMatchObject([{ act: "users.add", target: { handle: "carol" }, outcome: "unknown" }]);
  release();
  await running.catch(() => undefined);
});

test("what two hubs write at once is one chain without gaps", async () => {
  const [one, two] = [at("n1"), at("n2")].map((audit) => audit.around(handlersOf(async () => undefined)));
  if (one === undefined || two === undefined) throw new Error("there are two");
  await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? one : two)["trust.remove"](callOf({ id: String(n) }))));
  const chain = (await listed()).toReversed();
  expect(chain.map(({ index }) => index)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  expect(await findAuditFault(chain)).toBeUndefined();
});

test("pages go on where the one before ended, and a token is never in a target", async () => {
  const acts = at().around(handlersOf(async () => ({ handle: "dora" })));
  for (let n = 0; n < 5; n += 1) await acts["join.post"](callOf({ handle: "dora", token: "secret-token", keys: {} }));
  const first = await at().list({ limit: 2 });
  expect(first.entries.map(({ index }) => index)).toEqual([5, 4]);
  const rest = await at().list({ limit: 10, ...(first.next === undefined ? {} : { before: first.next }) });
  expect(rest.entries.map(({ index }) => index)).toEqual([3, 2, 1]);
  expect(rest.next).toBeUndefined();
  expect(JSON.stringify([first, rest])).not.toContain("secret-token");
});
