/** The chain of a log as its reader checks it: what was altered is found where it was altered, and what was erased is not a fault. */
import type { CommunityId, EventRecord } from "@althing/contract";
import { describe, expect, test } from "vitest";
import { chainStart, hashEvent, sealPersonalField, verifyChain, type ChainFault } from "./event-chain.ts";

const community = "01ARZ3NDEKTSV4RRFFQ69G5FAV" as CommunityId;
const ann = `${"a".repeat(42)}A`;

async function logOf(count: number): Promise<EventRecord[]> {
  const log: EventRecord[] = [];
  for (let index = 1; index <= count; index++) {
    const event: Omit<EventRecord, "hash"> = {
      ...{ id: "01ARZ3NDEKTSV4RRFFQ69G5FAV", community, index, time: "2026-01-05T12:00:00.000Z", topic: "delegation.given" },
      ...{ subject: `delegation/${index}`, summary: "A delegation was given", data: '{"topic":"all"}', depth: 0 },
      personal: { actor: await sealPersonalField(ann), to: await sealPersonalField(`${"b".repeat(42)}A`) },
      previous: log.at(-1)?.hash ?? chainStart,
    };
    log.push({ ...event, hash: await hashEvent(event) });
  }
  return log;
}

const log = await logOf(5);
const altered = (index: number, change: (event: EventRecord) => unknown): unknown[] =>
  log.map((event) => (event.index === index ? change(structuredClone(event)) : event));

test("the empty log and a whole one verify, with count and head", async () => {
  expect(await verifyChain([])).toEqual({ events: 0, redacted: 0, head: chainStart });
  expect(await verifyChain(log)).toEqual({ events: 5, redacted: 0, head: log[4]?.hash, community });
});

test("the format is pinned: the same event has the same hash for ever", async () => {
  const personal = { actor: { digest: "1".repeat(64) } };
  const fixed = { ...(log[0] ?? { index: 0 }), personal, id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" } as EventRecord;
  expect(await hashEvent(fixed)).toBe("13d2f584e935476c5b59ef97c988e6fac5d558453fb9b36d6b336112e9fec8b9");
});

describe("an altered event is found at its index", () => {
  const other = "f".repeat(64);
  const cases: readonly (readonly [string, ChainFault["fault"], (event: EventRecord) => unknown])[] = [
    ["id", "hash", (event) => ({ ...event, id: "01ARZ3NDEKTSV4RRFFQ69G5FAW" })],
    ["community", "community", (event) => ({ ...event, community: "01ARZ3NDEKTSV4RRFFQ69G5FAW" })],
    ["time", "hash", (event) => ({ ...event, time: "2026-01-05T12:00:00.001Z" })],
    ["topic", "hash", (event) => ({ ...event, topic: "delegation.revoked" })],
    ["actor", "hash", (event) => ({ ...event, actor: "system" })],
    ["subject", "hash", (event) => ({ ...event, subject: "delegation/0" })],
    ["summary", "hash", (event) => ({ ...event, summary: "" })],
    ["data", "hash", (event) => ({ ...event, data: "{}" })],
    ["depth", "hash", (event) => ({ ...event, depth: 1 })],
    ["hash", "hash", (event) => ({ ...event, hash: other })],
    ["previous", "previous", (event) => ({ ...event, previous: other })],
    [
      "a personal digest",
      "personal",
      (event) => ({ ...event, personal: { ...event.personal, to: { ...event.personal["to"], digest: other } } }),
    ],
    ["a digest after its erasure", "hash", (event) => ({ ...event, personal: { ...event.personal, to: { digest: other } } })],
    [
      "a personal value",
      "personal",
      (event) => ({ ...event, personal: { ...event.personal, to: { ...event.personal["to"], value: ann } } }),
    ],
    [
      "a salt",
      "personal",
      (event) => ({ ...event, personal: { ...event.personal, to: { ...event.personal["to"], salt: "0".repeat(32) } } }),
    ],
    [
      "a salt erased without its value",
      "personal",
      (event) => ({ ...event, personal: { ...event.personal, to: { digest: event.personal["to"]?.digest, value: ann } } }),
    ],
    ["a personal field taken away", "hash", (event) => ({ ...event, personal: { actor: event.personal["actor"] } })],
    ["a personal field put in", "hash", (event) => ({ ...event, personal: { ...event.personal, by: { digest: other } } })],
    ["a field that no event has", "form", (event) => ({ ...event, note: "x" })],
    ["text that is not well-formed", "form", (event) => ({ ...event, summary: "\ud800" })],
    ["nothing at all", "form", () => null],
  ];
  test.each(cases)("%s", async (_, fault, change) => {
    for (const index of [1, 3, 5]) {
      const verdict = await verifyChain(altered(index, change));
      // The first of a log says which community it is.
      const where = fault === "community" && index === 1 ? { index: 1, fault: "hash" } : { index, fault };
      expect(verdict.fault).toEqual(where);
      expect(verdict.events).toBe(index - 1);
    }
  });

  test("one that is missing, doubled or in another's place", async () => {
    expect((await verifyChain(log.filter(({ index }) => index !== 3))).fault).toEqual({ index: 4, fault: "gap", expected: 3 });
    expect((await verifyChain([...log.slice(0, 3), ...log.slice(2)])).fault).toEqual({ index: 3, fault: "gap", expected: 4 });
    expect((await verifyChain([log[1], log[0]])).fault).toEqual({ index: 2, fault: "gap", expected: 1 });
  });

  test("one that was altered and hashed anew breaks the next", async () => {
    const forged = { ...(log[1] as EventRecord), summary: "forged" };
    const rehashed = { ...forged, hash: await hashEvent(forged) };
    expect((await verifyChain([log[0], rehashed, ...log.slice(2)])).fault).toEqual({ index: 3, fault: "previous" });
  });
});

test("erased fields keep the chain and are counted by event", async () => {
  const erase = (event: EventRecord, ...names: string[]): EventRecord => ({
    ...event,
    personal: Object.fromEntries(
      Object.entries(event.personal).map(([name, field]) => [name, names.includes(name) ? { digest: field.digest } : field]),
    ),
  });
  const verdict = await verifyChain([...log.slice(0, 3), erase(log[3] as EventRecord, "to"), erase(log[4] as EventRecord, "actor", "to")]);
  expect(verdict).toEqual({ events: 5, redacted: 2, head: log[4]?.hash, community });
});
