/**
 * Writes the recorded data of a schema version, which later versions must be able to read:
 * `node packages/store/test/record-folder.ts DIR` makes `DIR/sqlite-N` and `DIR/jetstream-N`.
 *
 * Run once per version, and the result is checked in; never run again for a version that was released: what is there already is refused.
 */
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startNats, tempDir } from "@althing/testkit";
import { connect } from "@nats-io/transport-node";
import { openJetStreamStore, openSqliteStore, type Store } from "../src/index.ts";
import { recordedMigrations, recordedStream, writeRecorded } from "./recorded-data.ts";

const [folder = "."] = process.argv.slice(2);
const version = recordedMigrations.length;

async function record(store: Store): Promise<void> {
  await writeRecorded(store);
  await store.close();
}

async function recordSqlite(into: string): Promise<void> {
  await mkdir(into);
  await record(await openSqliteStore({ path: join(into, "state.db"), migrations: recordedMigrations }));
}

/** The folder of a server that was stopped, as it is on disk. */
async function recordJetStream(into: string): Promise<void> {
  await mkdir(into);
  await using dir = await tempDir();
  const nats = await startNats({ dir: dir.path });
  const connection = await connect({ servers: nats.url });
  await record(await openJetStreamStore({ connection, stream: recordedStream, replicas: 1, migrations: recordedMigrations }));
  await connection.close();
  await nats.stop();
  await cp(join(dir.path, "js"), into, { recursive: true });
}

const made = await Promise.allSettled([
  recordSqlite(join(folder, `sqlite-${version}`)),
  recordJetStream(join(folder, `jetstream-${version}`)),
]);
for (const outcome of made) if (outcome.status === "rejected") process.stderr.write(`not recorded: ${String(outcome.reason)}\n`);
