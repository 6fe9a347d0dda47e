/**
 * Data folders of released schema versions, as they were on disk, opened by today's program. What had a day to live (delete markers,
 * outcomes of request ids) may be gone by now: nothing here depends on it.
 */
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startNats, tempDir, type TempDir } from "@althing/testkit";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { laterMigrations, readRecorded, recordedLines, recordedMigrations, recordedStream } from "../test/recorded-data.ts";
import { openJetStreamStore } from "./open-jetstream-store.ts";
import { openSqliteStore } from "./open-sqlite-store.ts";
import type { Migration, Store } from "./types.ts";

interface Restored {
  open(migrations: readonly Migration[]): Promise<Store>;
  [Symbol.asyncDispose](): Promise<void>;
}

const recorded = (name: string) => new URL(`../test/recorded/${name}`, import.meta.url);

async function restoreSqlite(dir: TempDir): Promise<Restored> {
  const path = join(dir.path, "state.db");
  await cp(recorded("sqlite-1/state.db"), path);
  return { open: (migrations) => openSqliteStore({ path, migrations }), [Symbol.asyncDispose]: dir.remove };
}

async function restoreJetStream(dir: TempDir): Promise<Restored> {
  await mkdir(join(dir.path, "js"));
  await cp(recorded("jetstream-1"), join(dir.path, "js"), { recursive: true });
  const nats = await startNats({ dir: dir.path });
  const connection = await connect({ servers: nats.url });
  return {
    open: (migrations) => openJetStreamStore({ connection, stream: recordedStream, replicas: 1, create: false, migrations }),
    async [Symbol.asyncDispose]() {
      await connection.close();
      await nats.stop();
      await dir.remove();
    },
  };
}

const backends: readonly [string, (dir: TempDir) => Promise<Restored>][] = [
  ["sqlite", restoreSqlite],
  ["jetstream", restoreJetStream],
];

test.each(backends)("%s: recorded data of version 1 is read as it is, and goes on", async (_, restore) => {
  await using data = await restore(await tempDir());
  const store = await data.open(recordedMigrations);
  expect(await store.schemaVersion()).toBe(1);
  expect(await readRecorded(store)).toEqual(recordedLines());
  const before = await store.revision();
  expect(before).toBeGreaterThan(50);
  const next = await store.batch([{ op: "check", collection: "users", key: ["gone"], expect: 0 }], "another request");
  expect(next).toBeGreaterThanOrEqual(before);
  await store.close();
});

test.each(backends)("%s: recorded data of version 1 is brought to version 2", async (_, restore) => {
  await using data = await restore(await tempDir());
  const migrated = await data.open(laterMigrations);
  expect(await readRecorded(migrated)).toEqual(recordedLines("member"));
  await migrated.close();
  const store = await data.open(laterMigrations);
  expect(await store.schemaVersion()).toBe(2);
  expect(await readRecorded(store)).toEqual(recordedLines("member"));
  await store.close();
});

test.each(backends)("%s: recorded data is too new for a program that knows no versions, and stays", async (_, restore) => {
  await using data = await restore(await tempDir());
  await expect(data.open([])).rejects.toMatchObject({ code: "store.version" });
  const store = await data.open(recordedMigrations);
  expect(await readRecorded(store)).toEqual(recordedLines());
  await store.close();
});
