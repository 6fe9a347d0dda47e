/** The life of a proposal is the same over every store, with two hubs on it at a time. */
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openJetStreamStore, openMemoryStore, openSqliteStore, type Store } from "@althing/store";
import { startNats, tempDir, type TestNats } from "@althing/testkit";
import { join } from "node:path";
import { openProposalsWorld } from "../../../test/proposals-world.ts";

let nats: TestNats;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());

interface Opened {
  readonly store: Store;
  close(): Promise<void>;
}

const stores: Record<Store["kind"], () => Promise<Opened>> = {
  memory: () => {
    const store = openMemoryStore();
    return Promise.resolve({ store, close: () => store.close() });
  },
  sqlite: async () => {
    const dir = await tempDir();
    const store = await openSqliteStore({ path: join(dir.path, "state.db"), migrations: [], fsync: "interval" });
    return {
      store,
      async close() {
        await store.close();
        await dir[Symbol.asyncDispose]();
      },
    };
  },
  jetstream: async () => {
    const connection = await connect({ servers: nats.url });
    const store = await openJetStreamStore({ connection, stream: "STATE", replicas: 1, migrations: [] });
    return {
      store,
      async close() {
        await store.close();
        await connection.close();
      },
    };
  },
};

it.each(Object.entries(stores))("over %s", async (_, open) => {
  const { store, close } = await open();
  try {
    const world = await openProposalsWorld({ store });
    const { proposals, ben, ada, garden } = world;
    const second = world.secondHub();
    const made = await world.create(ben, { options: [{ text: "Roses" }], discuss: true });
    const here = { community: garden, proposal: made.id };
    await Promise.all([
      proposals.comments.add(ben, { ...here, body: "One" }),
      second.proposals.comments.add(ada, { ...here, body: "Two" }),
      second.proposals.edit(ada, { ...here, title: "Beds", body: "", options: [] }),
    ]);
    const opened = await Promise.allSettled([proposals.open(ben, here), second.proposals.open(ada, here)]);
    expect(opened.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await world.cast(ben, made, { choice: "yes" });
    world.clock.ms += 8 * 24 * 3_600_000;
    await Promise.all([world.plane.agenda.tick(), second.tick()]);
    expect(await proposals.get(ben, here)).toMatchObject({ state: "decided", version: 2, comments: 2, report: { outcome: "passed" } });
    expect((await world.topics()).filter((topic) => topic === "proposal.decided")).toHaveLength(1);
    expect((await proposals.list(ada, { community: garden, mine: "false", state: "decided", limit: 5 })).proposals).toHaveLength(1);
    await proposals.erase(garden, ben.endpoint);
    expect(await proposals.get(ada, here)).toMatchObject({ author: null });
    await proposals.purge(garden);
    await expect(proposals.get(ada, here)).rejects.toMatchObject({ code: "proposal.not_found" });
    expect(world.lines).toEqual([]);
  } finally {
    await close();
  }
});
