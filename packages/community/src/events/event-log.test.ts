/** The public log over real stores: what a kill leaves, what two hubs do at the same time, what an erasure takes away. */
import { eventTopics, hasCode, type CommunityId, type EndpointId, type EventRecord, type TopicRow } from "@althing/contract";
import { chainStart, verifyChain } from "@althing/crypto";
import { openMemoryStore, openSqliteStore, type Collection, type Store } from "@althing/store";
import { tempDir } from "@althing/testkit";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { dyingStore, endedBy, Killed } from "../../test/dying-store.ts";
import { createEventLog, type Act, type EventLog } from "./event-log.ts";
import { publicEventOf, recordOf, type EventDraft } from "./event-record.ts";

const community = "01ARZ3NDEKTSV4RRFFQ69G5FAV" as CommunityId;
const other = "01ARZ3NDEKTSV4RRFFQ69G5FAW" as CommunityId;
const ann = `${"a".repeat(42)}A` as EndpointId;
const bob = `${"b".repeat(42)}A` as EndpointId;
const clock = { now: () => Date.UTC(2026, 0, 5, 12) };

const draft = (name: string | number, by: EndpointId = ann): EventDraft => ({
  topic: "proposal.created",
  actor: { kind: "member", endpoint: by },
  subject: `proposal/${name}`,
  summary: "A proposal was drafted",
  data: { proposal: String(name) },
});
const acts = (store: Store): Collection<{ done: number }> => store.collection({ name: "acts", schema: z.object({ done: z.number() }) });

/** One act that is done once, whoever asks for it again. */
const doOnce = (log: EventLog, store: Store, name: string, by: EndpointId = ann): Promise<boolean> =>
  log.act<boolean>(community, async () => {
    if (await acts(store).get([name])) return { writes: [], events: [], result: false };
    return { writes: [acts(store).toPut([name], { done: 1 }, 0)], events: [draft(name, by), draft(`${name}-again`, by)], result: true };
  });

async function whole(log: EventLog, of: CommunityId = community): Promise<EventRecord[]> {
  const found: EventRecord[] = [];
  for (;;) {
    const page = await log.read(of, found.length, 7);
    if (page.length === 0) return found;
    found.push(...page);
  }
}

async function expectWhole(store: Store, names: readonly string[]): Promise<void> {
  const log = createEventLog({ store, clock });
  const events = await whole(log);
  const verdict = await verifyChain(events);
  expect(verdict.fault).toBeUndefined();
  expect(await log.head(community)).toEqual({ index: events.length, hash: verdict.head });
  const told = events.map(({ subject }) => subject.replace("proposal/", "")).sort();
  expect(told).toEqual(names.flatMap((name) => [name, `${name}-again`]).sort());
  for (const name of names) expect(await acts(store).get([name])).toBeDefined();
}

let dir: Awaited<ReturnType<typeof tempDir>>;
beforeAll(async () => void (dir = await tempDir()));
afterAll(() => dir.remove());
let files = 0;
const stores = {
  memory: () => Promise.resolve(openMemoryStore()),
  sqlite: () => openSqliteStore({ path: join(dir.path, `${(files += 1)}.db`), migrations: [], fsync: "interval", clock }),
} as const;

describe.each(Object.entries(stores))("over %s", (_, open) => {
  test("nothing is there before the first act, and an act without events leaves no trace in the log", async () => {
    await using held = endedBy(await open());
    const log = createEventLog({ store: held.store, clock });
    expect(await log.head(community)).toEqual({ index: 0, hash: chainStart });
    expect(await log.read(community, 0, 10)).toEqual([]);
    await log.act(community, () =>
      Promise.resolve({ writes: [acts(held.store).toPut(["quiet"], { done: 1 })], events: [], result: undefined }),
    );
    expect(await acts(held.store).get(["quiet"])).toBeDefined();
    expect((await log.head(community)).index).toBe(0);
  });

  test("acts of two hubs at the same time make one chain without gaps, each act once", async () => {
    await using held = endedBy(await open());
    const { store } = held;
    const logs = [createEventLog({ store, clock }), createEventLog({ store, clock })];
    const names = Array.from({ length: 60 }, (__, i) => `a${i}`);
    const done = await Promise.all(names.flatMap((name) => logs.map((log) => doOnce(log, store, name))));
    expect(done.filter(Boolean)).toHaveLength(names.length);
    await expectWhole(store, names);
  });

  test("a hub that is killed before or after any of its batches loses no act and doubles none", async () => {
    const names = ["one", "two", "three"];
    for (const when of ["before", "after"] as const) {
      for (let boundary = 1; boundary <= names.length; boundary++) {
        await using held = endedBy(await open());
        const dying = dyingStore(held.store, boundary, when);
        const log = createEventLog({ store: dying.store, clock });
        const outcomes = await Promise.allSettled(names.map((name) => doOnce(log, dying.store, name)));
        expect(dying.isDead()).toBe(true);
        const died = outcomes.filter((outcome) => outcome.status === "rejected");
        expect(died).toHaveLength(names.length - boundary + 1);
        expect(died.every(({ reason }) => reason instanceof Killed)).toBe(true);
        // The next process asks for everything again.
        const next = createEventLog({ store: held.store, clock });
        const again = await Promise.all(names.map((name) => doOnce(next, held.store, name)));
        expect(again.filter(Boolean)).toHaveLength(names.length - boundary + (when === "before" ? 1 : 0));
        await expectWhole(held.store, names);
      }
    }
  });

  test("an erasure that is killed at any of its batches goes on, and the chain verifies", async () => {
    const count = 450;
    for (const when of ["before", "after"] as const) {
      for (const boundary of [1, 2, 3]) {
        await using held = endedBy(await open());
        const log = createEventLog({ store: held.store, clock });
        for (let i = 0; i < count; i += 50) {
          const events = Array.from({ length: 50 }, (__, n) => draft(i + n, n % 10 === 9 ? bob : ann));
          await log.act(community, () => Promise.resolve({ writes: [], events, result: undefined }));
        }
        const before = await log.head(community);
        const dying = dyingStore(held.store, boundary, when);
        await expect(createEventLog({ store: dying.store, clock }).erase(community, ann)).rejects.toBeInstanceOf(Killed);
        expect((await verifyChain(await whole(log))).fault).toBeUndefined();
        await log.erase(community, ann);
        const events = await whole(log);
        expect(await verifyChain(events)).toMatchObject({ events: count, redacted: 405, head: before.hash });
        expect(JSON.stringify(events)).not.toContain(ann);
        expect(events.filter(({ personal }) => personal["actor"]?.value === bob)).toHaveLength(45);
        expect(await log.erase(community, ann)).toBe(0);
      }
    }
  });
});

test("a decision that another hub's act has overtaken is not written but made anew", async () => {
  const store = openMemoryStore();
  const [one, two] = [createEventLog({ store, clock }), createEventLog({ store, clock })];
  const seen: (number | undefined)[] = [];
  const result = await one.act(community, async (): Promise<Act<string>> => {
    // What decides is read, and no write of this act depends on it: only the chain can tell that it is stale.
    const role = await acts(store).get(["role"]);
    seen.push(role?.value.done);
    if (seen.length === 1)
      await two.act(community, () =>
        Promise.resolve({ writes: [acts(store).toPut(["role"], { done: 7 })], events: [draft("role")], result: 0 }),
      );
    return role === undefined
      ? { writes: [], events: [draft("allowed")], result: "allowed" }
      : { writes: [], events: [], result: "refused" };
  });
  expect([seen, result]).toEqual([[undefined, 7], "refused"]);
  expect((await whole(one)).map(({ subject }) => subject)).toEqual(["proposal/role"]);
});

test("an act without events is overtaken like any other", async () => {
  const store = openMemoryStore();
  const [one, two] = [createEventLog({ store, clock }), createEventLog({ store, clock })];
  let decided = 0;
  await one.act(community, async () => {
    decided += 1;
    if (decided === 1) await two.act(community, () => Promise.resolve({ writes: [], events: [draft("faster")], result: 0 }));
    return { writes: [acts(store).toPut(["quiet"], { done: decided })], events: [], result: 0 };
  });
  expect((await acts(store).get(["quiet"]))?.value.done).toBe(2);
});

test("a refusal inside an act writes nothing and lets the next one in; communities do not wait for each other", async () => {
  const log = createEventLog({ store: openMemoryStore(), clock });
  await expect(log.act(community, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await log.act(community, async () => {
    await log.act(other, () => Promise.resolve({ writes: [], events: [draft("elsewhere")], result: 0 }));
    return { writes: [], events: [draft("here")], result: 0 };
  });
  expect([(await log.head(community)).index, (await log.head(other)).index]).toEqual([1, 1]);
});

test("listeners hear of acts in order of index after the commit, and one that throws disturbs nobody", async () => {
  const store = openMemoryStore();
  const log = createEventLog({ store, clock });
  const heard: number[] = [];
  log.onAppended(() => {
    throw new Error("a listener's own fault");
  });
  const end = log.onAppended((records) => heard.push(...records.map(({ index }) => index)));
  await Promise.all(["a", "b", "c"].map((name) => doOnce(log, store, name)));
  end();
  await doOnce(log, store, "d");
  expect(heard).toEqual([1, 2, 3, 4, 5, 6]);
});

test("growth is told of whichever hub wrote it", async () => {
  const store = openMemoryStore();
  const [one, two] = [createEventLog({ store, clock }), createEventLog({ store, clock })];
  const ended = new AbortController();
  const grown = one.follow(ended.signal)[Symbol.asyncIterator]();
  const first = grown.next();
  await doOnce(two, store, "a");
  expect(await first).toEqual({ done: false, value: community });
  ended.abort();
  expect((await grown.next()).done).toBe(true);
});

test("an erased person is nobody in what is shown, and their rows are gone", async () => {
  const store = openMemoryStore();
  const log = createEventLog({ store, clock });
  const given: EventDraft = {
    ...{ topic: "delegation.given", actor: { kind: "member", endpoint: ann }, subject: "delegation/1", summary: "A delegation was given" },
    data: { to: bob, topic: "budget" },
  };
  await log.act(community, () => Promise.resolve({ writes: [], events: [given], result: 0 }));
  const shown = async () => publicEventOf((await log.one(community, 1)) as EventRecord);
  expect(await shown()).toMatchObject({ actor: ann, data: { to: bob, topic: "budget" }, redacted: [] });
  expect(await log.erase(community, bob)).toBe(1);
  expect(await shown()).toMatchObject({ actor: ann, data: { to: null, topic: "budget" }, redacted: ["to"] });
  expect(await log.erase(community, ann)).toBe(1);
  expect(await shown()).toMatchObject({ actor: null, data: { to: null, topic: "budget" }, redacted: ["actor", "to"] });
  expect((await store.collection({ name: "event-persons", schema: z.object({}) }).list()).records).toEqual([]);
});

describe("a record", () => {
  const place = { community, index: 1, previous: chainStart, at: clock.now() };
  const emitted = (topic: string, data: Record<string, unknown> = {}): EventDraft =>
    ({ topic, actor: { kind: "extension", extension: "org.example.poll" }, subject: "poll/1", summary: "A poll", data }) as EventDraft;

  test("is refused with more than 8 KiB of data", async () => {
    const caught: unknown = await recordOf(emitted("ext.org.example.poll.made", { text: "é".repeat(4_096) }), place).catch(
      (error: unknown) => error,
    );
    expect(hasCode(caught, "event.too_large")).toBe(true);
    expect((await recordOf(emitted("ext.org.example.poll.made", { text: "é".repeat(4_000) }), place)).actor).toBe("ext:org.example.poll");
  });

  test("is refused when its topic is not in the catalogue, or its data are not the topic's", async () => {
    for (const topic of [
      "proposal.imagined",
      "ext.poll",
      "ext.org.example.",
      "ext.org.example.a>b",
      "ext.org.example.a b",
      "__proto__.x",
      "toString",
    ])
      await expect(recordOf(emitted(topic), place), topic).rejects.toThrow(TypeError);
    await expect(recordOf({ ...draft(1), data: { proposal: "1", voter: ann } } as EventDraft, place)).rejects.toThrow("voter");
  });

  test("takes any title: cut between characters, ill-formed text mended, and it verifies", async () => {
    for (const text of ["", "x".repeat(400), `${"x".repeat(299)}😀`, "\ud800 lone \udc00", "a\u0000b"]) {
      const record = await recordOf({ ...draft(1), subject: text, summary: text }, place);
      expect(record.summary.length).toBeLessThanOrEqual(300);
      expect(record.summary.isWellFormed()).toBe(true);
      expect((await verifyChain([JSON.parse(JSON.stringify(record))])).fault).toBeUndefined();
    }
  });

  test("never has a person in the open, whatever the topic", async () => {
    for (const [topic, row] of Object.entries(eventTopics as Readonly<Record<string, TopicRow>>)) {
      const shape = row.data.shape;
      for (const name of row.personal) expect(shape[name], `${topic}.${name}`).toBeDefined();
      expect(row.personal, topic).not.toContain("actor");
      // Whatever takes an endpoint id and nothing else is a person.
      for (const [name, field] of Object.entries(shape)) {
        const takes = (value: string) => z.safeParse(field, value).success;
        if (takes(ann) && !takes("x")) expect(row.personal, `${topic}.${name}`).toContain(name);
      }
    }
  });
});
