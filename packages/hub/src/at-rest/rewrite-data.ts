/**
 * Encrypts a stopped instance's data, or encrypts it with another key (docs/architecture/at-rest.md, "Changing it").
 *
 * Invariant: the folder is made anew beside the old one, which is not touched until the new one is complete, compared and on the disk; then they change
 * places. Killed at any moment, the place holds the old or the new folder, or the new one waits beside it under a name that everybody looks for.
 */
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, isAppError } from "@althing/contract";
import { lockFolder } from "../backup/data-source.ts";
import { syncTree } from "../backup/restore-backup.ts";
import { sweepAbandoned, temporaryName } from "../backup/temporary-names.ts";
import { dataPaths, readDataFormat, writeFormat, type DataPaths } from "../data-folder.ts";
import { ensurePrivateFolder } from "../private-file.ts";
import { beforePlace, incomingPlace } from "./at-rest.ts";
import { changePlaces } from "./folder-places.ts";
import { findPlainText } from "./plain-text-search.ts";
import {
  copyTheRest,
  rewriteDatabases,
  rewriteKeys,
  rewriteMessages,
  rewriteObjects,
  type Rewritten,
  type RewriteParts,
} from "./rewrite-parts.ts";

export type RewriteOptions = Pick<RewriteParts, "from" | "to" | "natsServer" | "progress" | "signal"> & {
  readonly data: string;
  /**
   * Of a node of a cluster: its messages are left out, because it fetches them from the others. Called when the folder is locked and nothing was done yet; it
   * refuses when the others do not have them.
   */
  readonly onEmptying?: () => Promise<void>;
  /** Tests look in between: the new folder is complete and has no place yet. */
  readonly onBuilt?: (staged: string) => Promise<void>;
};

export interface RewriteReport {
  readonly rows: number;
  readonly objects: number;
  readonly messages: number;
}

/** @throws {encryption.failed} {data.not_found} {data.locked} {store.corrupt} {nats.start_failed} {nats.unavailable} */
export async function rewriteData(options: RewriteOptions): Promise<RewriteReport> {
  const source = dataPaths(options.data);
  const { root } = source;
  const format = await readDataFormat(root);
  if (!format.founded) throw new AppError("data.not_found", { path: root });
  if (existsSync(beforePlace(root)))
    throw new AppError("encryption.failed", {
      path: root,
      detail: `${beforePlace(root)} is in the way; it is the folder before another change`,
    });
  const lock = await lockFolder(source);
  const parent = dirname(root);
  const target = dataPaths(join(parent, temporaryName("restore")));
  try {
    await sweepAbandoned(parent);
    await options.onEmptying?.();
    await rm(incomingPlace(root), { recursive: true, force: true });
    await mkdir(target.root, { mode: 0o700 });
    const report = await build({ ...options, source, target });
    const { fingerprint } = options.to;
    const { atRest: _, ...rest } = format;
    await writeFormat(join(target.root, "format.json"), { ...rest, ...(fingerprint === undefined ? {} : { atRest: fingerprint }) });
    await syncTree(target.root);
    await options.onBuilt?.(target.root);
    options.signal?.throwIfAborted();
    await changePlaces(root, target.root, beforePlace(root));
    return report;
  } catch (error) {
    throw isAppError(error) ? error : failure(root, error);
  } finally {
    await rm(target.root, { recursive: true, force: true });
    lock.close();
  }
}

function failure(path: string, cause: unknown): AppError {
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
  const told =
    code === "ENOSPC" ? "the disk is full: as much room is needed as the data takes" : cause instanceof Error ? cause.message : "unknown";
  return new AppError("encryption.failed", { path, detail: told.replace(/\.$/, "") }, { cause });
}

async function build(parts: RewriteParts & Pick<RewriteOptions, "onEmptying">): Promise<RewriteReport> {
  const { source, target, progress, signal, to } = parts;
  for (const folder of [dirname(target.stateDb), target.keys, target.blobs, target.nats, target.bundles, target.uploads, target.run])
    await ensurePrivateFolder(folder);
  await copyTheRest(parts);
  const keys = await rewriteKeys(parts);
  const rows = await rewriteDatabases(parts);
  progress(`records: ${rows.count}`);
  const objects = await rewriteObjects(parts);
  progress(`objects: ${objects.count}`);
  signal?.throwIfAborted();
  const messages = parts.onEmptying === undefined ? await rewriteMessages(parts) : { count: 0, samples: [] };
  progress(`messages: ${messages.count}`);
  if (to.fingerprint !== undefined) {
    progress("looking for what can still be read");
    await requireNothingPlain(source, target, [keys, rows, objects, messages]);
  }
  return { rows: rows.count, objects: objects.count, messages: messages.count };
}

/** The rest of the folder is not encrypted, and holds none of it (docs/architecture/at-rest.md, "What is not"). */
async function requireNothingPlain(source: DataPaths, target: DataPaths, written: readonly [Rewritten, ...Rewritten[]]): Promise<void> {
  const [keys, ...data] = written;
  const texts = data.flatMap(({ samples }) => samples);
  const searches = [dirname(target.stateDb), target.blobs, target.bundles, target.jetStream].map((folder) => ({ folder, texts }));
  for (const search of [...searches, { folder: target.keys, texts: keys.samples }]) {
    const found = await findPlainText(search);
    if (found === undefined) continue;
    const name = found.slice(target.root.length + 1);
    throw new AppError("encryption.failed", { path: source.root, detail: `${name} could still be read` });
  }
}

/** The new folder serves: the one of before goes. @returns whether there was one */
export async function removeBefore(data: string): Promise<boolean> {
  const before = beforePlace(dataPaths(data).root);
  if (!existsSync(before)) return false;
  await rm(before, { recursive: true, force: true });
  return true;
}
