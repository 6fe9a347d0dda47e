/**
 * The broker: tokens that die with their invocation, grants that decide, errors that travel.
 */
import { describe, expect, it } from "vitest";
import { AppError, brokerRequestSchema, brokerResults, type BrokerRequest, type CommunityId, type ExtensionId } from "@althing/contract";
import { openMemoryStore } from "@althing/store";
import { createKvStore } from "../kv/index.ts";
import { createSecretVault } from "../secrets/index.ts";
import { createBroker, type BrokerNeighbours, type BrokerScope } from "./index.ts";

const community = "01ARZ3NDEKTSV4RRFFQ69G5FAV" as CommunityId;
const scopeOf = (capabilities: readonly string[], more: Partial<BrokerScope> = {}): BrokerScope => ({
  community,
  extension: "org.example.a" as ExtensionId,
  requestId: "r1",
  capabilities,
  kvBytes: 10_000,
  hostCallsMax: 200,
  ...more,
});
const base64 = (value: string) => Buffer.from(value).toString("base64");

function open(neighbours: BrokerNeighbours = {}) {
  const store = openMemoryStore();
  const clock = { now: () => 1_000_000 };
  const secrets = createSecretVault({ store, clock, secretsKey: new Uint8Array(32) });
  const lines: string[] = [];
  const broker = createBroker({
    kv: createKvStore({ store, clock }),
    secrets,
    communities: { members: () => Promise.resolve({ members: [{ id: "e", handle: "ada", roles: ["owner"], since: "2026" }] }) },
    neighbours,
    log: (level, event, fields) => lines.push(JSON.stringify([level, event, fields])),
  });
  return { broker, secrets, lines };
}

const requests: readonly BrokerRequest[] = [
  { op: "kv.get", key: "a" },
  { op: "kv.put", key: "a", value: base64("x") },
  { op: "kv.delete", key: "a" },
  { op: "kv.list-entries", prefix: "", limit: 10 },
  { op: "secrets.get", name: "A" },
  { op: "secrets.substitute", names: ["A"] },
  { op: "events.emit", topic: "t", subject: "", data: "{}" },
  { op: "rooms.post", room: "r", text: "x" },
  { op: "members.list-members", limit: 10 },
  { op: "proposals.get", id: "p" },
  { op: "proposals.list-proposals", limit: 10 },
  { op: "schedule.postpone", job: "j", until: "2026-01-01T00:00:00Z" },
];

describe("the broker", () => {
  it("knows every call of the protocol", () => {
    expect(requests.map(({ op }) => op).sort()).toEqual(Object.keys(brokerResults).sort());
    for (const request of requests) expect(brokerRequestSchema.safeParse(request).success, request.op).toBe(true);
  });

  it.each(requests)("answers $op with a typed denial to an invocation without the grant", async (request) => {
    const { broker } = open();
    const { token } = broker.issue(scopeOf([]));
    expect(await broker.answer(token, request)).toMatchObject({ error: { code: "capability.denied" } });
  });

  it("takes no token that is unknown, and none whose invocation ended", async () => {
    const { broker } = open();
    const issued = broker.issue(scopeOf(["storage.kv"]));
    const request: BrokerRequest = { op: "kv.get", key: "a" };
    expect(await broker.answer(issued.token, request)).toEqual({ ok: {} });
    issued.revoke();
    for (const token of [issued.token, "", "A".repeat(43)])
      await expect(broker.answer(token, request)).rejects.toMatchObject({ code: "broker.token_invalid" });
    expect(broker.live()).toBe(0);
  });

  it("keeps and lists bytes that fit the protocol's answers", async () => {
    const { broker } = open();
    const { token } = broker.issue(scopeOf(["storage.kv", "members.read"]));
    for (const request of [
      { op: "kv.put", key: "a", value: base64("x") },
      { op: "kv.get", key: "a" },
      { op: "kv.list-entries", prefix: "", limit: 10 },
      { op: "members.list-members", limit: 10 },
    ] as const) {
      const answer = await broker.answer(token, request);
      if (!("ok" in answer)) throw new Error(JSON.stringify(answer));
      expect(brokerResults[request.op].safeParse(answer.ok).success, request.op).toBe(true);
    }
  });

  it("gives one invocation's data to no other extension", async () => {
    const { broker, secrets } = open();
    const mine = broker.issue(scopeOf(["storage.kv", "secrets.get"]));
    const other = broker.issue(scopeOf(["storage.kv", "secrets.get"], { extension: "org.example.b" as ExtensionId }));
    await broker.answer(mine.token, { op: "kv.put", key: "a", value: base64("x") });
    await secrets.put({ community, extension: "org.example.a" as ExtensionId }, "A", { value: "v", hosts: [] });
    expect(await broker.answer(other.token, { op: "kv.get", key: "a" })).toEqual({ ok: {} });
    expect(await broker.answer(other.token, { op: "secrets.get", name: "A" })).toMatchObject({ error: { code: "secret.not_found" } });
    expect(await broker.answer(mine.token, { op: "secrets.get", name: "A" })).toEqual({ ok: { value: "v" } });
  });

  it("says so when the plane behind a granted call is not there", async () => {
    const { broker } = open();
    const { token } = broker.issue(scopeOf(["proposals.read", "events.emit"]));
    expect(await broker.answer(token, { op: "proposals.get", id: "p" })).toMatchObject({ error: { code: "capability.unavailable" } });
    const joined = open({ emitEvent: () => Promise.resolve({ id: "e1" }) });
    const issued = joined.broker.issue(scopeOf(["events.emit"]));
    expect(await joined.broker.answer(issued.token, { op: "events.emit", topic: "t", subject: "", data: "{}" })).toEqual({
      ok: { id: "e1" },
    });
  });

  it("tells the guest nothing of what failed inside, and the log everything but contents", async () => {
    const { broker, lines } = open({ emitEvent: () => Promise.reject(new AppError("store.unavailable", { detail: "disk on fire" })) });
    const { token } = broker.issue(scopeOf(["events.emit"]));
    expect(await broker.answer(token, { op: "events.emit", topic: "t", subject: "", data: '{"private":1}' })).toEqual({
      error: { code: "ext.unavailable", message: "the platform could not do it just now" },
    });
    expect(lines.join("\n")).toContain("disk on fire");
    expect(lines.join("\n")).not.toContain("private");
  });

  it("counts calls by itself", async () => {
    const { broker } = open();
    const issued = broker.issue(scopeOf(["storage.kv"], { hostCallsMax: 2 }));
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await broker.answer(issued.token, { op: "kv.get", key: "a" }));
    expect(answers.map((answer) => "ok" in answer)).toEqual([true, true, false]);
    expect(issued.calls()).toBe(3);
  });

  it("voids a scope's tokens and waits for what they began, and leaves others alone", async () => {
    const answered: (() => void)[] = [];
    const { broker } = open({ emitEvent: () => new Promise((resolve) => answered.push(() => resolve({ id: "e1" }))) });
    const [first, second] = [broker.issue(scopeOf(["events.emit", "storage.kv"])), broker.issue(scopeOf(["storage.kv"]))];
    const other = broker.issue(scopeOf(["storage.kv"], { extension: "org.example.b" as ExtensionId }));
    const underWay = broker.answer(first.token, { op: "events.emit", topic: "t", subject: "", data: "{}" });
    let isRevoked = false;
    const revoked = broker.revokeAll({ community, extension: "org.example.a" }).then(() => void (isRevoked = true));
    for (const { token } of [first, second])
      await expect(broker.answer(token, { op: "kv.get", key: "a" })).rejects.toMatchObject({ code: "broker.token_invalid" });
    expect(isRevoked).toBe(false);
    for (const answer of answered) answer();
    await revoked;
    expect(await underWay).toEqual({ ok: { id: "e1" } });
    expect(await broker.answer(other.token, { op: "kv.get", key: "a" })).toEqual({ ok: {} });
    expect(broker.live()).toBe(1);
  });
});
