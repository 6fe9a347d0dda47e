/**
 * The counter of revisions after batches that delete: it goes up whatever is left in the file, also over a reopen. And records that are remembered: never
 * beside one that is younger than they are.
 */
import { join } from "node:path";
import Database from "better-sqlite3-multiple-ciphers";
import { expect, it } from "vitest";
import { tempDir } from "@althing/testkit";
import { z } from "zod";
import { openSqliteStore } from "./index.ts";

const schema = z.object({ n: z.number() });

it("never gives a revision twice, whether a batch ends with a delete or with a put behind it", async () => {
  await using dir = await tempDir();
  let highest = 0;
  /** In a process of its own, as far as the file can tell. */
  const inNewStore = async (work: (store: Awaited<ReturnType<typeof openSqliteStore>>) => Promise<number>) => {
    const store = await openSqliteStore({ path: join(dir.path, "state.db"), migrations: [], fsync: "interval" });
    try {
      const revision = await work(store);
      expect(revision).toBeGreaterThan(highest);
      highest = revision;
    } finally {
      await store.close();
    }
  };
  const things = (store: Awaited<ReturnType<typeof openSqliteStore>>) => store.collection({ name: "things", schema });
  await inNewStore((store) => store.batch([things(store).toPut(["a"], { n: 1 }), things(store).toPut(["b"], { n: 1 })]));
  // The put's number is the largest there is, and nothing else remembers the delete's.
  await inNewStore((store) => store.batch([things(store).toDelete(["a"]), things(store).toPut(["c"], { n: 1 })]));
  // Its row goes too: now the number has to be kept.
  await inNewStore((store) => store.batch([things(store).toPut(["b"], { n: 2 }), things(store).toDelete(["c"])]));
  await inNewStore((store) => store.batch([things(store).toDelete(["b"]), things(store).toCheck(["c"], 0)]));
  await inNewStore((store) => store.batch([things(store).toPut(["d"], { n: 1 })]));
});

it("shows no remembered record that is older than what was read from the file a moment before, within one callback too", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "state.db");
  const store = await openSqliteStore({ path, migrations: [], fsync: "interval" });
  const foreign = new Database(path);
  try {
    const things = store.collection({ name: "things", schema });
    await store.batch(["remembered", "listed", "unread"].map((key, n) => things.toPut([key], { n })));
    const seen = async (key: string) => (await things.get([key]))?.value.n;
    const readers = { read: () => seen("unread"), list: () => things.list(), revision: () => store.revision() };
    for (const [name, look] of Object.entries(readers)) {
      await things.put(["remembered"], { n: 1 });
      // From here to the end nothing but promises that are settled: one callback of the event loop.
      expect(await seen("remembered")).toBe(1);
      foreign.exec("DELETE FROM records WHERE instr(key, CAST('remembered' AS BLOB)) > 0");
      await look();
      expect(await seen("remembered"), name).toBeUndefined();
    }
  } finally {
    foreign.close();
    await store.close();
  }
});
