/** Who is told of what, in which order, how often, and by which node: over a real event log and store, with guests that fail, hang and lie. */
import { afterEach, describe, expect, it } from "vitest";
import { AppError, endpointIdSchema } from "@althing/contract";
import type { Store } from "@althing/store";
import { done, failure, garden, openHookWorld, type Guest, type HookWorld, type HookWorldOptions } from "../../test/hook-world.ts";

let world: HookWorld;
const open = (options: HookWorldOptions = {}) => (world = openHookWorld(options));
afterEach(() => world?.close());

const range = (from: number, count: number) => Array.from({ length: count }, (_, at) => from + at);

describe("an event", () => {
  it("reaches whoever subscribed it or a prefix of it, in order, once, and nobody else", async () => {
    const { addNode, switchOn, happen, until } = open();
    const node = addNode();
    const exact = await switchOn(node, "exact", { events: ["proposal.created"] });
    const below = await switchOn(node, "below", { events: ["proposal.*", "proposal.created"] });
    const other = await switchOn(node, "other", { events: ["vote.cast", "propos.*"] });
    const first = await happen(node);
    const second = await happen(node, "proposal.withdrawn");
    await until(() => below.told.length >= 2 && exact.told.length >= 1);
    expect([exact.told, below.told, other.told]).toEqual([[first], [first, second], []]);
  });

  it("does not reach an install for what came before it was switched on, nor while it is off", async () => {
    const { addNode, switchOn, switchOff, happen, until, guests } = open();
    const node = addNode();
    await happen(node);
    const guest = await switchOn(node, "bot", { events: ["proposal.*"] });
    const one = await happen(node);
    await until(() => guest.told.length > 0);
    await switchOff(node, guest);
    await happen(node);
    const again = await switchOn(node, "bot", { events: ["proposal.*"] });
    const three = await happen(node);
    await until(() => again.told.length > 0);
    expect([guest.told, again.told]).toEqual([[one], [three]]);
    expect(guests.size).toBe(1);
  });

  it("wakes its maker only for a topic that it names exactly", async () => {
    const { addNode, switchOn, happen, until } = open();
    const node = addNode();
    const loose = await switchOn(node, "loose", { extension: "org.example.echo", events: ["ext.*"] });
    const other = await switchOn(node, "other", { events: ["ext.org.example.echo.*"] });
    const exact = await switchOn(node, "exact", { extension: "org.example.echo", events: ["ext.org.example.echo.said"] });
    const index = await happen(node, "ext.org.example.echo.said");
    await until(() => other.told.length > 0 && exact.told.length > 0);
    expect([loose.told, other.told, exact.told]).toEqual([[], [index], [index]]);
  });

  it("is told of with what names people, and without it once that is erased", async () => {
    const { addNode, switchOn, hold, until } = open();
    const node = addNode();
    const seen: unknown[] = [];
    const guest = await switchOn(node, "bot", { events: ["member.*"], on: ({ actor, data }) => (seen.push([actor, data]), done) });
    const member = endpointIdSchema.parse(`${"b".repeat(42)}A`);
    const joined = {
      topic: "member.joined" as const,
      actor: { kind: "member" as const, endpoint: member },
      ...{ subject: "", summary: "", data: { member, roles: ["member"], by: "open" as const } },
    };
    const joins = () => node.events.act(garden, () => Promise.resolve({ writes: [], events: [joined], result: undefined }));
    await joins();
    await until(() => seen.length === 1);
    await hold(node, guest, true);
    await joins();
    await node.events.erase(garden, member);
    await hold(node, guest, false);
    await until(() => seen.length === 2);
    expect(seen).toEqual([
      [member, { member, roles: ["member"], by: "open" }],
      [null, { member: null, roles: ["member"], by: "open" }],
    ]);
  });
});

describe("a guest that fails", () => {
  it("is tried five times with growing pauses, then the event is a dead letter and the next one comes", async () => {
    const { addNode, switchOn, happen, until, clock, lettersOf, cursorOf } = open();
    const node = addNode();
    const at: [number, boolean][] = [];
    const poison = { index: 0 };
    const guest = await switchOn(node, "bot", {
      events: ["proposal.*"],
      on: ({ index }, { isRepeat }) => {
        if (index !== poison.index) return done;
        at.push([clock.ms, isRepeat]);
        return failure;
      },
    });
    poison.index = (await node.events.head(garden)).index + 1;
    const first = await happen(node);
    const second = await happen(node);
    await until(() => guest.told.includes(second));
    expect(guest.told).toEqual([first, first, first, first, first, second]);
    expect(at.map(([ms], i) => ms - (at[i - 1]?.[0] ?? ms))).toEqual([0, 1_000, 2_000, 4_000, 8_000]);
    expect(at.map(([, isRepeat]) => isRepeat)).toEqual([false, true, true, true, true]);
    await until(async () => (await cursorOf("bot"))?.index === second);
    expect(await lettersOf("bot")).toMatchObject([
      { index: first, topic: "proposal.created", attempts: 5, code: "ext.trap", detail: "it fell" },
    ]);
  });

  it("keeps count of its attempts when the node dies in between", async () => {
    const { addNode, switchOn, happen, until, lettersOf } = open();
    const node = addNode();
    const guest = await switchOn(node, "bot", { events: ["proposal.*"], on: () => failure });
    const index = await happen(node);
    await until(() => guest.told.length === 2);
    node.isFrozen = true;
    addNode();
    await until(async () => (await lettersOf("bot")).length > 0);
    expect(guest.told.length).toBeLessThanOrEqual(6);
    expect(await lettersOf("bot")).toMatchObject([{ index, attempts: 5 }]);
  });

  it("loses the oldest dead letter when there is no room, and the loss is counted", async () => {
    const { addNode, switchOn, happen, until, lettersOf, cursorOf } = open({ settings: { lettersMax: 2, attemptsMax: 1 } });
    const node = addNode();
    await switchOn(node, "bot", { events: ["proposal.*"], on: () => failure });
    const indexes = [await happen(node), await happen(node), await happen(node)];
    await until(async () => (await cursorOf("bot"))?.index === indexes[2]);
    expect((await lettersOf("bot")).map(({ index }) => index)).toEqual(indexes.slice(1));
    expect(await cursorOf("bot")).toMatchObject({ dropped: 1 });
  });

  it("waits where nothing is wrong with it, as long as it takes, and that is no attempt", async () => {
    const { addNode, switchOn, happen, until, lettersOf, clock } = open();
    const node = addNode();
    const startMs = clock.ms;
    let left = 40;
    const guest = await switchOn(node, "bot", {
      events: ["proposal.*"],
      on: () => (left-- > 0 ? { kind: "wait", afterMs: 60_000, code: "ext.quota_exceeded", detail: "fuelPerHour" } : done),
    });
    const index = await happen(node);
    const next = await happen(node);
    await until(() => guest.told.includes(next));
    expect(guest.told).toEqual([...Array.from({ length: 41 }, () => index), next]);
    expect(clock.ms - startMs).toBeGreaterThanOrEqual(40 * 60_000);
    expect(await lettersOf("bot")).toEqual([]);
  });

  it("hangs without anybody else waiting for it", async () => {
    const { addNode, switchOn, happen, until } = open();
    const node = addNode();
    const hung = await switchOn(node, "hung", { events: ["proposal.*"], on: () => new Promise(() => undefined) });
    const other = await switchOn(node, "other", { events: ["proposal.*"] });
    const indexes = [await happen(node), await happen(node), await happen(node)];
    await until(() => other.told.length === 3);
    expect(other.told).toEqual(indexes);
    expect(hung.told).toEqual([indexes[0]]);
  });
});

describe("an install that is held", () => {
  it("is told afterwards of what came meanwhile", async () => {
    const { addNode, switchOn, hold, happen, until } = open();
    const node = addNode();
    const guest = await switchOn(node, "bot", { events: ["proposal.*"] });
    await hold(node, guest, true);
    const indexes = [await happen(node), await happen(node)];
    await hold(node, guest, false);
    await until(() => guest.told.length === 2);
    expect(guest.told).toEqual(indexes);
  });

  it("is told of the newest only when it took too long", async () => {
    const { addNode, switchOn, hold, happen, until, cursorOf } = open({ settings: { backlogMax: 3 } });
    const node = addNode();
    const guest = await switchOn(node, "bot", { events: ["proposal.*"] });
    await hold(node, guest, true);
    for (let count = 0; count < 10; count++) await happen(node);
    const last = (await node.events.head(garden)).index;
    await hold(node, guest, false);
    await until(() => guest.told.includes(last));
    expect(guest.told.length).toBeLessThanOrEqual(4);
    expect((await cursorOf("bot"))?.skipped).toBeGreaterThanOrEqual(6);
  });

  it("by policy, is tried again when the policy changes, not only when the hour comes", async () => {
    const { addNode, switchOn, happen, until, clock } = open();
    const node = addNode();
    let isBlocked = true;
    const guest = await switchOn(node, "bot", {
      events: ["proposal.*"],
      on: () => (isBlocked ? { kind: "blocked", code: "install.blocked", detail: "trust" } : done),
    });
    const index = await happen(node);
    await until(() => guest.told.length === 1);
    isBlocked = false;
    const beforeMs = clock.ms;
    await node.events.act(garden, () =>
      Promise.resolve({
        writes: [],
        events: [{ topic: "policy.changed", actor: { kind: "system" }, subject: "", summary: "", data: { keys: [] } }],
        result: undefined,
      }),
    );
    await until(() => guest.told.length === 2);
    expect(guest.told).toEqual([index, index]);
    expect(clock.ms - beforeMs).toBeLessThan(10_000);
  });
});

/** A store whose writes stop for good after so many: whoever held it is dead. */
function mortal(store: Store, lives: number): { store: Store; isDead: () => boolean } {
  let left = lives;
  const live = <T>(write: () => Promise<T>): Promise<T> => {
    if (left <= 0) return Promise.reject(new AppError("store.unavailable", { detail: "killed" }));
    left -= 1;
    return write();
  };
  return {
    isDead: () => left <= 0,
    store: {
      ...store,
      batch: (writes, id) => live(() => store.batch(writes, id)),
      collection(def) {
        const inner = store.collection(def);
        return {
          ...inner,
          create: (key, value) => live(() => inner.create(key, value)),
          put: (key, value, expect) => live(() => inner.put(key, value, expect)),
          delete: (key, expect) => live(() => inner.delete(key, expect)),
        };
      },
    },
  };
}

describe("a node that is killed", () => {
  it.each(range(0, 14))("after %i writes loses no event and no order for who comes after it", async (lives) => {
    const { addNode, switchOn, happen, until, store, lettersOf, cursorOf } = open({ settings: { retryMs: 10 } });
    const writer = addNode("writer", store);
    // It tells nobody: it is there to write events.
    await writer.hooks.close();
    const doomed = mortal(store, lives);
    const attempts = new Map<number, number>();
    const guests: Guest[] = [];
    for (const install of ["good", "bad"])
      guests.push(
        await switchOn(writer, install, {
          events: ["proposal.*"],
          on: ({ index }) => {
            if (install === "good") return done;
            attempts.set(index, (attempts.get(index) ?? 0) + 1);
            return index % 2 === 0 ? failure : done;
          },
        }),
      );
    const victim = addNode("victim", doomed.store);
    const indexes: number[] = [];
    for (let count = 0; count < 6; count++) indexes.push(await happen(writer));
    await until(() => doomed.isDead());
    victim.isFrozen = true;
    const heir = addNode("heir", store);
    const last = indexes.at(-1) ?? 0;
    const [good, bad] = guests;
    await until(async () => (await cursorOf("good"))?.index === last && (await cursorOf("bad"))?.index === last, "the end");
    const firsts = (told: readonly number[]) => [...new Set(told)];
    expect(firsts(good?.told ?? [])).toEqual(indexes);
    expect(firsts(bad?.told ?? [])).toEqual(indexes);
    expect((await lettersOf("bad")).map(({ index }) => index)).toEqual(indexes.filter((index) => index % 2 === 0));
    // What was in the air when it died is told once more; nothing else is.
    expect((good?.told.length ?? 0) - indexes.length).toBeLessThanOrEqual(1);
    expect(heir.isFrozen).toBe(false);
  });
});

describe("many subscriptions", () => {
  it("are matched by topic: of 10,000 in one community only those that are meant are told", async () => {
    const { addNode, switchOn, happen, until, pass } = open();
    const node = addNode();
    const guests: Guest[] = [];
    // As many as there can be: 200 installs with 50 topics each.
    for (let at = 0; at < 200; at++)
      guests.push(
        await switchOn(node, `i${at}`, {
          events: range(0, 50).map((n) => (n === 0 && at === 7 ? "proposal.created" : `ext.org.n${at}.t${n}`)),
        }),
      );
    const index = await happen(node);
    const meant = guests[7];
    await until(() => (meant?.told.length ?? 0) > 0);
    await pass(1_000);
    expect(meant?.told).toEqual([index]);
    expect(guests.reduce((sum, { told }) => sum + told.length, 0)).toBe(1);
  });

  it("of one install that is slow do not grow in memory without bound, and none is lost", async () => {
    const { addNode, switchOn, happenOften, until } = open({ settings: { pendingMax: 5 } });
    const node = addNode();
    let open_ = () => {};
    const gate = new Promise<void>((resolve) => (open_ = resolve));
    const guest = await switchOn(node, "bot", { events: ["proposal.*"], on: async () => (await gate, done) });
    const indexes = await happenOften(node, 450);
    open_();
    await until(() => guest.told.length >= 450);
    expect(guest.told).toEqual(indexes);
  });
});

describe("a node that comes back after a long time", () => {
  it.each([300, 2_500])("tells all %i events that it missed, in order, and those that come meanwhile", async (missed) => {
    const { addNode, switchOn, happen, happenOften, until } = open();
    const writer = addNode("writer");
    await writer.hooks.close();
    const guest = await switchOn(writer, "bot", { events: ["proposal.*"] });
    const near = await happenOften(writer, missed);
    const other = await switchOn(writer, "late", { events: ["proposal.*"] });
    const node = addNode("back");
    await until(() => guest.told.length > 10);
    const last = await happen(node);
    await until(() => guest.told.includes(last) && other.told.includes(last));
    expect(guest.told).toEqual([...near, last]);
    expect(other.told).toEqual([last]);
  });
});

describe("the end of an install", () => {
  it("leaves neither cursor nor letters when its data goes", async () => {
    const { addNode, switchOn, switchOff, happen, until, lettersOf, cursorOf } = open({ settings: { attemptsMax: 1 } });
    const node = addNode();
    const guest = await switchOn(node, "bot", { events: ["proposal.*"], on: () => failure });
    await happen(node);
    await until(async () => (await lettersOf("bot")).length > 0);
    await switchOff(node, guest);
    await node.hooks.purge(garden, "bot");
    await happen(node);
    await world.pass(1_000);
    expect([await cursorOf("bot"), await lettersOf("bot")]).toEqual([undefined, []]);
  });

  it("follows the log with the cursors of installs that nothing happens for", async () => {
    const { addNode, switchOn, happen, until, cursorOf } = open();
    const node = addNode();
    await switchOn(node, "bot", { events: ["vote.cast"] });
    for (let count = 0; count < 250; count++) await happen(node);
    await until(async () => ((await cursorOf("bot"))?.index ?? 0) >= 250);
  });
});
