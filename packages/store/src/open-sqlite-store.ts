/**
 * The store of one machine: an SQLite file in WAL mode (docs/architecture/store.md).
 *
 * Invariant: data that is damaged, foreign, newer than the program, or not opened by the key is refused at the open and left as it is.
 */
import { createStore } from "./create-store.ts";
import { checkMigrations, pendingMigrations } from "./migrations.ts";
import { createSqliteEngine, sqliteStoreApplicationId, sqliteStoreFormat, sqliteStoreSchema } from "./sqlite-engine.ts";
import { openSqliteFile, type Fsync } from "./sqlite-file.ts";
import type { Migration, Store } from "./types.ts";

export interface SqliteStoreOptions {
  /** The file; its folder is made (0700) when missing. */
  readonly path: string;
  readonly migrations: readonly Migration[];
  /** Default `always`. */
  readonly fsync?: Fsync;
  /** At-rest key of 32 bytes; without it the file is not encrypted. */
  readonly key?: Uint8Array;
  /** `none`: open data of the version before without migrating it. Default `all`. */
  readonly migrate?: "all" | "none";
  readonly clock?: { now(): number };
  /** How long a write waits for one of another process; default 5,000. */
  readonly busyTimeoutMs?: number;
  /** Changes a watcher may lag behind; default 10,000. */
  readonly watchBacklogMax?: number;
  /** Outcomes of requests kept at most; default 1,000,000. */
  readonly requestsMax?: number;
}

/**
 * Watchers see the writes of this `Store` only: a data folder belongs to one process, and other processes' writes (a one-shot
 * command) are seen by every read but not announced.
 * @throws {store.corrupt} {store.version} {store.unavailable}
 * @example
 * const store = await openSqliteStore({ path: "data/state.db", migrations: [] });
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path } = options;
  const migrations = checkMigrations(options.migrations);
  const database = openSqliteFile({
    path,
    fsync: options.fsync ?? "always",
    overwritesDeleted: (options.fsync ?? "always") === "always",
    ...(options.key === undefined ? {} : { key: options.key }),
    applicationId: sqliteStoreApplicationId,
    format: sqliteStoreFormat,
    schema: sqliteStoreSchema,
    busyTimeoutMs: options.busyTimeoutMs ?? 5_000,
  });
  try {
    const engine = createSqliteEngine({
      database,
      path,
      clock: options.clock ?? Date,
      ...(options.requestsMax === undefined ? {} : { requestsMax: options.requestsMax }),
    });
    const migrating = createStore(engine);
    const fresh = (await engine.revision()) === 0;
    await engine.migrate((observed) =>
      pendingMigrations(observed, migrations, options.migrate ?? "all", fresh && observed === 0).map((m) => ({
        version: m.version,
        run: () => m.run(migrating),
      })),
    );
    return createStore(engine, options.watchBacklogMax === undefined ? {} : { watchBacklogMax: options.watchBacklogMax });
  } catch (error) {
    database.close();
    throw error;
  }
}
