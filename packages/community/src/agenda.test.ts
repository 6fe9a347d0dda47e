/**
 * What is due is done once, soon, and whatever another entry does.
 */
import { AppError, type CommunityId } from "@althing/contract";
import { openMemoryStore, openSqliteStore, type Store } from "@althing/store";
import { tempDir } from "@althing/testkit";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createAgenda, type AgendaDeps, type AgendaEntry } from "./agenda.ts";

const communityOf = (n: number) => `01ARZ3NDEKTSV4RRFFQ69G${String(n).padStart(4, "0")}` as CommunityId;
const startMs = Date.UTC(2026, 0, 5, 12);

function openAgenda(store: Store, more: Partial<AgendaDeps> = {}) {
  const clock = { ms: startMs, monotonic: 0, now: () => clock.ms };
  const failures: string[] = [];
  const unreadable: string[] = [];
  const agenda = createAgenda({
    ...{ store, clock, monotonicMs: () => clock.monotonic },
    onFailure: ({ id }, error) => failures.push(`${id}: ${error instanceof Error ? error.message : String(error)}`),
    onUnreadable: (detail) => unreadable.push(detail),
    ...more,
  });
  const add = (...entries: readonly AgendaEntry[]) => store.batch(entries.map((entry) => agenda.toAdd(entry)));
  const left = async () => (await store.collection({ name: "agenda", schema: z.unknown() }).list({ limit: 1_000 })).records.length;
  return { agenda, clock, failures, unreadable, add, left };
}

const closing = (id: string, atMs = startMs, community = communityOf(1)): AgendaEntry => ({ atMs, kind: "proposal.close", community, id });

describe("the agenda", () => {
  it("does what is due in order of time within a community, and nothing before its time", async () => {
    const store = openMemoryStore();
    const { agenda, clock, add, left } = openAgenda(store);
    const done: string[] = [];
    agenda.on("proposal.close", async (entry) => {
      done.push(entry.id);
      await store.batch([agenda.toRemove(entry)]);
    });
    await add(closing("late", startMs - 1), closing("now"), closing("early", startMs - 2), closing("later", startMs + 1));
    await agenda.tick();
    expect(done).toEqual(["early", "late", "now"]);
    clock.ms += 1;
    await agenda.tick();
    expect(done).toEqual(["early", "late", "now", "later"]);
    expect(await left()).toBe(0);
  });

  it("puts off what fails, longer each time, and does the rest of its community in the same tick", async () => {
    const store = openMemoryStore();
    const { agenda, clock, failures, add } = openAgenda(store);
    const done: string[] = [];
    agenda.on("proposal.close", async (entry) => {
      if (entry.id === "poison") throw new Error("bad");
      done.push(entry.id);
      await store.batch([agenda.toRemove(entry)]);
    });
    await add(closing("poison", startMs - 5), closing("a"), closing("b"));
    await agenda.tick();
    expect(done).toEqual(["a", "b"]);
    const triedAt: number[] = [];
    for (clock.monotonic = 0; clock.monotonic < 8_000; clock.monotonic += 500) {
      const before = failures.length;
      await agenda.tick();
      if (failures.length > before) triedAt.push(clock.monotonic);
    }
    expect(triedAt).toEqual([1_000, 3_000, 7_000]);
  });

  it("goes on with everything else while a handler hangs, begins it no second time, and knows when it has ended", async () => {
    const store = openMemoryStore();
    const { agenda, failures, add } = openAgenda(store, { tickMs: 5, patienceMs: 10 });
    const gate = Promise.withResolvers<void>();
    let begun = 0;
    const done: string[] = [];
    agenda.on("proposal.close", async (entry) => {
      if (entry.id === "hangs") {
        begun += 1;
        await gate.promise;
      }
      done.push(entry.id);
      await store.batch([agenda.toRemove(entry)]);
    });
    await add(closing("hangs", startMs - 5), closing("same community"), closing("other", startMs, communityOf(2)));
    while (!done.includes("same community")) await agenda.tick();
    await agenda.tick();
    expect(begun).toBe(1);
    expect(done).toEqual(["other", "same community"]);
    expect(failures).toEqual([expect.stringContaining("more than 10 ms")]);
    gate.resolve();
    while (!done.includes("hangs")) await agenda.tick();
    expect(begun).toBe(1);
  });

  it("works off thousands of entries of many communities, a thousand of them poisoned", async () => {
    const store = openMemoryStore();
    const { agenda, add, left } = openAgenda(store);
    let done = 0;
    agenda.on("proposal.close", async (entry) => {
      if (entry.id.startsWith("poison")) throw new Error("bad");
      done += 1;
      await store.batch([agenda.toRemove(entry)]);
    });
    for (let n = 0; n < 4; n++)
      await add(...Array.from({ length: 250 }, (_, i) => closing(`poison-${i}`, startMs - 10_000 + n, communityOf(i % 50))));
    for (let n = 0; n < 6; n++)
      await add(...Array.from({ length: 1_000 }, (_, i) => closing(`entry-${n}-${i}`, startMs - i, communityOf(i % 50))));
    await agenda.tick();
    await agenda.tick();
    expect(done).toBe(6_000);
    expect(await left()).toBe(1_000);
  });

  it("leaves what it cannot read and kinds that nobody handles, and does the rest", async () => {
    const store = openMemoryStore();
    const { agenda, unreadable, add, left } = openAgenda(store);
    const raw = store.collection({ name: "agenda", schema: z.strictObject({}) });
    await raw.create(["2026-01-01T00:00:00.000Z", "comet.returns", communityOf(1), "halley"], {});
    await raw.create(["2026-01-01T00:00:00.000Z", "proposal.close", "no community", "x"], {});
    await add({ ...closing("mute"), kind: "mute.expire" }, closing("fine"));
    const done: string[] = [];
    agenda.on("proposal.close", async (entry) => {
      done.push(entry.id);
      await store.batch([agenda.toRemove(entry)]);
    });
    await agenda.tick();
    await agenda.tick();
    expect(done).toEqual(["fine"]);
    expect(unreadable).toHaveLength(2);
    expect(await left()).toBe(3);
  });

  it("survives a store that fails, and does everything once it is back", async () => {
    const memory = openMemoryStore();
    let isAway = true;
    const collection: Store["collection"] = (def) => {
      const view = memory.collection(def);
      return {
        ...view,
        list: (options) => (isAway ? Promise.reject(new AppError("store.unavailable", { detail: "away" })) : view.list(options)),
      };
    };
    const store: Store = { ...memory, collection };
    const { agenda, unreadable, add } = openAgenda(store);
    const done: string[] = [];
    agenda.on("proposal.close", async (entry) => {
      done.push(entry.id);
      await store.batch([agenda.toRemove(entry)]);
    });
    await add(closing("a"));
    for (let i = 0; i < 5; i++) await agenda.tick();
    expect(unreadable).toHaveLength(1);
    isAway = false;
    await agenda.tick();
    expect(done).toEqual(["a"]);
  });

  it.each(["memory", "sqlite"] as const)(
    "lets two hubs over one store (%s) do each thing once, by what the handler reads",
    async (kind) => {
      await using dir = await tempDir();
      const open = () => openSqliteStore({ path: join(dir.path, "state.db"), migrations: [], fsync: "interval" });
      const first = kind === "memory" ? openMemoryStore() : await open();
      const second = kind === "memory" ? first : await open();
      const hubs = [first, second].map((store) => {
        const { agenda, add } = openAgenda(store);
        const closed = store.collection({ name: "closed", schema: z.strictObject({}) });
        agenda.on("proposal.close", async (entry) => {
          if ((await closed.get([entry.id])) === undefined) await store.batch([closed.toPut([entry.id], {}, 0), agenda.toRemove(entry)]);
          else await store.batch([agenda.toRemove(entry)]);
        });
        return { agenda, add, closed };
      });
      const entries = Array.from({ length: 300 }, (_, i) => closing(`p${i}`, startMs - i, communityOf(i % 7)));
      await hubs[0]?.add(...entries);
      await Promise.all(hubs.map(({ agenda }) => agenda.tick()));
      // Whoever lost a race has put the entry off; it is gone by then.
      const { records } = (await hubs[1]?.closed.list({ limit: 1_000 })) ?? { records: [] };
      expect(records).toHaveLength(300);
      await first.close();
      if (second !== first) await second.close();
    },
  );
});
