/** Two nodes on one store, whichever it is: they share the work, and one that dies or freezes leaves it to the other. */
import { connect } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openJetStreamStore, openMemoryStore, openSqliteStore, type Store } from "@althing/store";
import { startNats, tempDir, type TestNats } from "@althing/testkit";
import { join } from "node:path";
import { hookSettings } from "./hook-settings.ts";
import { done, garden, openHookWorld, type Guest, type HookWorld } from "../../test/hook-world.ts";

let nats: TestNats;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());

interface Opened {
  /** Each node's own way to the same records. */
  readonly one: Store;
  readonly two: Store;
  readonly patienceMs?: number;
  close(): Promise<void>;
}

const stores: Record<Store["kind"], () => Promise<Opened>> = {
  memory: () => {
    const store = openMemoryStore();
    return Promise.resolve({ one: store, two: store, close: () => Promise.resolve() });
  },
  sqlite: async () => {
    const dir = await tempDir();
    const store = await openSqliteStore({ path: join(dir.path, "state.db"), migrations: [], fsync: "interval" });
    return { one: store, two: store, close: () => dir.remove() };
  },
  jetstream: async () => {
    const open = async () => {
      const connection = await connect({ servers: nats.url });
      return { connection, store: await openJetStreamStore({ connection, stream: "STATE", replicas: 1, migrations: [] }) };
    };
    const [one, two] = [await open(), await open()];
    return {
      one: one.store,
      two: two.store,
      // As long as an answer takes.
      patienceMs: 60,
      async close() {
        await two.store.close();
        await one.connection.close();
        await two.connection.close();
      },
    };
  },
};

describe.each(Object.entries(stores))("two nodes over %s", (_kind, open) => {
  let opened: Opened;
  let world: HookWorld;
  beforeEach(async () => {
    opened = await open();
    const { one: store, patienceMs } = opened;
    world = openHookWorld({ store, ...(patienceMs === undefined ? {} : { patienceMs }) });
  });
  afterEach(async () => {
    await world.close();
    await opened.close();
  });
  const nodes = () => [world.addNode("one", opened.one), world.addNode("two", opened.two)] as const;

  it("tell each of every event once between them", async () => {
    const [one, two] = nodes();
    const guests: Guest[] = [];
    for (const name of ["a", "b", "c", "d"]) guests.push(await world.switchOn(one, name, { events: ["proposal.*"] }));
    const indexes: number[] = [];
    for (let count = 0; count < 40; count++) indexes.push(await world.happen(count % 2 === 0 ? one : two));
    await world.until(() => guests.every(({ told }) => told.length >= 40));
    await world.pass(60_000);
    for (const { told } of guests) expect(told).toEqual(indexes);
  });

  it("take over from each other when one freezes in the middle, and the frozen one writes nothing when it wakes", async () => {
    const [one, two] = nodes();
    let finish = () => {};
    const hanging = new Promise<void>((resolve) => (finish = resolve));
    const guest = await world.switchOn(one, "bot", {
      events: ["proposal.*"],
      on: async () => {
        if (guest.nodes.length === 1) await hanging;
        return done;
      },
    });
    const first = await world.happen(one);
    await world.until(() => guest.told.length === 1);
    const [frozen, awake] = guest.nodes[0] === one.name ? [one, two] : [two, one];
    frozen.isFrozen = true;
    const second = await world.happen(awake);
    await world.until(() => guest.told.length === 3);
    expect(guest.told).toEqual([first, first, second]);
    expect(guest.nodes.slice(1)).toEqual([awake.name, awake.name]);
    await world.until(async () => (await world.cursorOf("bot"))?.index === second);
    const revisionOf = async () => (await world.collections.cursors.get([garden, "bot"]))?.revision;
    const before = await revisionOf();
    finish();
    await world.pass(100);
    expect(await revisionOf()).toBe(before);
    frozen.isFrozen = false;
    const third = await world.happen(frozen);
    await world.until(() => guest.told.length === 4);
    await world.pass(60_000);
    expect(guest.told).toEqual([first, first, second, third]);
  });

  /** A node dies while a guest works on its event. */
  async function died(name: string | undefined) {
    const dead = world.addNode("life 1", opened.one, name);
    const guest = await world.switchOn(dead, "bot", {
      events: ["proposal.*"],
      on: () => (guest.nodes.length === 1 ? new Promise<never>(() => undefined) : done),
    });
    const index = await world.happen(dead);
    await world.until(() => guest.told.length === 1);
    dead.isFrozen = true;
    return { guest, index, diedMs: world.clock.ms };
  }

  it("that is the same node started again does not wait for the lease of its own earlier life", async () => {
    const { guest, index, diedMs } = await died("n1");
    world.addNode("life 2", opened.two, "n1");
    await world.until(() => guest.told.length === 2);
    expect(guest).toMatchObject({ told: [index, index], nodes: ["life 1", "life 2"] });
    expect(world.clock.ms - diedMs).toBeLessThan(hookSettings.leaseMs / 10);
  });

  it.each([
    ["another", "n2"],
    ["one without a name", undefined],
  ])("that is %s waits for the lease of one that may live", async (_what, name) => {
    const { guest, diedMs } = await died("n1");
    world.addNode("other", opened.two, name);
    await world.until(() => guest.told.length === 2);
    expect(world.clock.ms - diedMs).toBeGreaterThanOrEqual(hookSettings.leaseMs * 0.9);
  });
});
