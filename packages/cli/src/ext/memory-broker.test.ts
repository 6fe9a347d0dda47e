import { brokerAnswerSchema, type BrokerRequest } from "@althing/contract";
import { expect, test } from "vitest";
import { createMemoryBroker } from "./memory-broker.ts";

let nowMs = 1_000;
const members = ["c", "a", "b"].map((id) => ({ id, handle: id, roles: ["member"], since: "2026-01-01T00:00:00.000Z" }));
const open = () => {
  nowMs = 1_000;
  const broker = createMemoryBroker({ secrets: { KEY: "s" }, members, now: () => nowMs });
  const ask = (request: BrokerRequest) => brokerAnswerSchema.parse(broker.answer(request));
  return { broker, ask };
};
const put = (key: string, more: Partial<Extract<BrokerRequest, { op: "kv.put" }>> = {}): BrokerRequest => ({
  op: "kv.put",
  key,
  value: "YQ==",
  ...more,
});
const refused = (code: string) => ({ error: { code, message: expect.any(String) } });

test("an entry is changed only at the revision that was expected, and 0 means that there is none", () => {
  const { ask } = open();
  expect(ask(put("k", { expect: 0 }))).toEqual({ ok: { revision: 1 } });
  expect(ask(put("k", { expect: 0 }))).toEqual(refused("kv.conflict"));
  expect(ask(put("k", { expect: 1 }))).toEqual({ ok: { revision: 2 } });
  expect(ask({ op: "kv.delete", key: "k", expect: 1 })).toEqual(refused("kv.conflict"));
  expect(ask({ op: "kv.delete", key: "k", expect: 2 })).toEqual({ ok: {} });
  expect(ask({ op: "kv.get", key: "k" })).toEqual({ ok: {} });
});

test("an entry is gone when its time is over", () => {
  const { ask } = open();
  ask(put("k", { ttlSeconds: 1 }));
  expect(ask({ op: "kv.get", key: "k" })).toMatchObject({ ok: { entry: { revision: 1 } } });
  nowMs = 2_000;
  expect(ask({ op: "kv.get", key: "k" })).toEqual({ ok: {} });
  expect(ask(put("k", { expect: 0 }))).toMatchObject({ ok: {} });
});

test("lists come by key in pages that miss and repeat nothing", () => {
  const { ask } = open();
  for (const key of ["b/2", "a", "b/1", "b/3"]) ask(put(key));
  const first = ask({ op: "kv.list-entries", prefix: "b/", limit: 2 });
  expect(first).toMatchObject({ ok: { entries: [{ key: "b/1" }, { key: "b/2" }], next: "b/2" } });
  expect(ask({ op: "kv.list-entries", prefix: "b/", after: "b/2", limit: 2 })).toMatchObject({ ok: { entries: [{ key: "b/3" }] } });
  expect(ask({ op: "members.list-members", limit: 2 })).toMatchObject({ ok: { members: [{ id: "a" }, { id: "b" }], next: "b" } });
});

test("what is too large, unknown or not there is refused in the hub's words", () => {
  const { ask, broker } = open();
  expect(ask(put("k".repeat(257)))).toEqual(refused("kv.too_large"));
  expect(ask(put("k", { value: Buffer.alloc(65_537).toString("base64") }))).toEqual(refused("kv.too_large"));
  expect(ask({ op: "secrets.get", name: "toString" })).toEqual(refused("secret.not_found"));
  expect(ask({ op: "secrets.get", name: "KEY" })).toEqual({ ok: { value: "s" } });
  expect(ask({ op: "rooms.post", room: "r", text: "t" })).toEqual(refused("capability.unavailable"));
  ask({ op: "events.emit", topic: "t", subject: "s", data: "{}" });
  expect(broker.emitted).toEqual([{ topic: "t", subject: "s", data: "{}" }]);
});
