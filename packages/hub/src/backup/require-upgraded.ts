/**
 * Is the state of a folder at this program's schema?
 *
 * Invariant: asked before the state is opened to be served; a hub never migrates by itself, because nobody has made a backup then
 * (docs/architecture/backup.md, "Upgrade").
 */
import { stat } from "node:fs/promises";
import { AppError } from "@althing/contract";
import { readSqliteSchemaVersion, type Migration } from "@althing/store";
import type { DataPaths } from "../data-folder.ts";
import { isMissing } from "../private-file.ts";

/** A file with content. */
export async function isThere(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size > 0;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * For whoever opens the state to serve it; a new folder has none yet.
 * @throws {upgrade.needed} {store.version} {store.corrupt}
 */
export async function requireUpgraded({ root, stateDb }: DataPaths, migrations: readonly Migration[], key?: Uint8Array): Promise<void> {
  if (!(await isThere(stateDb))) return;
  const observed = readSqliteSchemaVersion(stateDb, key);
  if (observed < migrations.length) throw new AppError("upgrade.needed", { path: root, observed, expected: migrations.length });
}
