/**
 * Bringing data forward, one version a step.
 *
 * Invariant: the recorded version is raised only after its step is complete; data newer than the program is refused untouched. A
 * step is atomic where the back end can hold a transaction open (SQLite) and otherwise may be run again after an interruption, so
 * every step must reach the same end when parts of it are already done.
 */
import { AppError } from "@althing/contract";
import type { Migration, Store } from "./types.ts";

/**
 * Versions must be 1, 2, 3 … without gaps.
 * @throws TypeError a defect of the program, not of the data
 */
export function checkMigrations(migrations: readonly Migration[]): readonly Migration[] {
  for (const [index, migration] of migrations.entries()) {
    if (migration.version !== index + 1) throw new TypeError(`migration ${index + 1} has version ${migration.version}`);
  }
  return migrations;
}

/**
 * @param mode `all` brings old data to the newest version; `none` opens data of this version or the one before as it is (a
 * cluster whose other nodes still run the version before)
 * @throws {store.version}
 */
export function pendingMigrations(
  observed: number,
  migrations: readonly Migration[],
  mode: "all" | "none",
  fresh: boolean,
): readonly Migration[] {
  const expected = migrations.length;
  if (observed > expected) throw new AppError("store.version", { observed, expected });
  if (mode === "all" || fresh) return migrations.slice(observed);
  if (observed < expected - 1) throw new AppError("store.version", { observed, expected });
  return [];
}

/** Runs each step after `from`, then records its version. */
export async function migrateInSteps(
  store: Store,
  migrations: readonly Migration[],
  from: number,
  record: (version: number) => void | Promise<void>,
): Promise<void> {
  for (const migration of migrations.slice(from)) {
    await migration.run(store);
    await record(migration.version);
  }
}
