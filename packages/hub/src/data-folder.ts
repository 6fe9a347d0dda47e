/**
 * The data folder: everything a node keeps, in one place that only its owner may read.
 *
 * ```
 * format.json            version of this layout
 * keys/                  hub.nkey, sys.nkey, instance.json
 * state/                 state.db, claims.db, executions.db (SQLite)
 * blobs/                 ciphertext by hash
 * bundles/               packages by content hash
 * uploads/               bundles on their way in
 * runner/                prepared components, the key of their seals
 * nats/                  nats.conf, acl.conf, fence.conf, js/
 * run/                   lock.db, hub.pid, hub.sock, nats.pid, up.json
 * ```
 * Invariant: opened by one process at a time, checked before nats-server is spawned; nothing is made anew in a folder that holds data
 * (docs/architecture/hub.md, "Data folder").
 */
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AppError } from "@althing/contract";
import { z } from "zod";
import { readAtRest, requireNoCutOff, requireSameKey, type AtRest } from "./at-rest/at-rest.ts";
import { acquireDataLock } from "./data-lock.ts";
import { openInstanceKeys, type InstanceKeys } from "./instance-keys.ts";
import { ensurePrivateFolder, isMissing, readPrivateFile, writePrivateFile } from "./private-file.ts";

export const dataFormatVersion = 1;
/**
 * `founded`: the state was opened once, so it must be there from then on. `atRest`: everything is encrypted, with the key of this fingerprint.
 */
const formatSchema = z.strictObject({
  version: z.int().positive(),
  store: z.enum(["sqlite", "kv"]),
  founded: z.boolean(),
  atRest: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});
export type Format = z.infer<typeof formatSchema>;

export interface DataPaths {
  readonly root: string;
  readonly keys: string;
  readonly stateDb: string;
  readonly claimsDb: string;
  readonly executionsDb: string;
  readonly blobs: string;
  readonly bundles: string;
  readonly uploads: string;
  readonly runner: string;
  readonly nats: string;
  readonly natsConfig: string;
  readonly acl: string;
  readonly fence: string;
  readonly jetStream: string;
  readonly natsPid: string;
  readonly run: string;
  readonly socket: string;
}

export interface DataFolder {
  readonly paths: DataPaths;
  readonly keys: InstanceKeys;
  /** What it is encrypted with, if it is. */
  readonly atRest: AtRest;
  /** Must the state be there already? */
  readonly founded: boolean;
  /** Remembers that the state was made; a missing one is damage from then on. */
  markFounded(): Promise<void>;
  close(): void;
}

export function dataPaths(data: string): DataPaths {
  const root = resolve(data);
  const nats = join(root, "nats");
  const run = join(root, "run");
  return {
    root,
    keys: join(root, "keys"),
    stateDb: join(root, "state", "state.db"),
    claimsDb: join(root, "state", "claims.db"),
    executionsDb: join(root, "state", "executions.db"),
    blobs: join(root, "blobs"),
    bundles: join(root, "bundles"),
    uploads: join(root, "uploads"),
    runner: join(root, "runner"),
    nats,
    natsConfig: join(nats, "nats.conf"),
    acl: join(nats, "acl.conf"),
    fence: join(nats, "fence.conf"),
    jetStream: join(nats, "js"),
    natsPid: join(run, "nats.pid"),
    run,
    socket: join(run, "hub.sock"),
  };
}

/**
 * Locks the folder, checks modes, format and keys; makes what a new folder lacks. A wrong at-rest key is refused before anything is touched.
 * @param atRestKeyFile its path, where there is one
 * @param isClustered of a node of a cluster, which is given the instance's keys before its first start
 * @throws {encryption.key_missing} {encryption.key_wrong} {encryption.not_enabled} {encryption.unfinished} and what reading the key file throws
 * @throws {data.locked} {data.mode} {data.corrupt} {data.key_missing} {store.version}
 */
export async function openDataFolder(
  data: string,
  store: "sqlite" | "kv",
  atRestKeyFile?: string,
  isClustered = false,
): Promise<DataFolder> {
  const paths = dataPaths(data);
  const atRest = await judgeAtRest(paths.root, atRestKeyFile);
  await ensurePrivateFolder(paths.root);
  await ensurePrivateFolder(paths.run);
  const lock = await acquireDataLock(paths.run, paths.root);
  try {
    for (const folder of [paths.keys, join(paths.root, "state"), paths.blobs, paths.nats, paths.bundles, paths.uploads, paths.runner])
      await ensurePrivateFolder(folder);
    const formatPath = join(paths.root, "format.json");
    const format = await openFormat(formatPath, { store, hasData: await hasData(paths), atRest });
    const stateIsThere = await hasContent(paths.stateDb);
    if (format.founded && store === "sqlite" && !stateIsThere)
      throw new AppError("data.corrupt", { path: paths.stateDb, detail: "it is missing" });
    const keys = await openInstanceKeys(paths.keys, !format.founded && !stateIsThere, atRest.instanceKey, isClustered);
    return {
      paths,
      keys,
      atRest,
      founded: format.founded,
      markFounded: async () => {
        if (!format.founded) await writeFormat(formatPath, { ...format, founded: true });
      },
      close: () => lock.close(),
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Reads two files and touches nothing: nothing was started yet, and nothing is to be. */
async function judgeAtRest(root: string, keyFile: string | undefined): Promise<AtRest> {
  requireNoCutOff(root);
  const atRest = await readAtRest(keyFile, root);
  const text = await readPrivateFile(join(root, "format.json"));
  if (text !== undefined) requireSameKey(root, parseFormat(join(root, "format.json"), text).atRest, { atRest, keyFile });
  return atRest;
}

/**
 * The format of a folder, and the keys that belong to it, without a lock and without making anything.
 * @throws as `readDataFormat`, and {encryption.key_missing} {encryption.key_wrong} {encryption.not_enabled}
 */
export async function readUnlocked(
  root: string,
  keyFile: string | undefined,
): Promise<{ readonly format: Format; readonly atRest: AtRest }> {
  const format = await readDataFormat(root);
  const atRest = await readAtRest(keyFile, root);
  requireSameKey(root, format.atRest, { atRest, keyFile });
  return { format, atRest };
}

/**
 * What the folder says of itself, without a lock and without making anything.
 * @throws {data.not_found} {data.mode} {data.corrupt} {store.version}
 */
export async function readDataFormat(root: string): Promise<Format> {
  const path = join(root, "format.json");
  const text = await readPrivateFile(path);
  if (text === undefined) throw new AppError("data.not_found", { path: root });
  return parseFormat(path, text);
}

async function hasData(paths: DataPaths): Promise<boolean> {
  for (const file of [paths.stateDb, paths.claimsDb]) if (await hasContent(file)) return true;
  for (const folder of [paths.jetStream, paths.blobs]) if ((await entriesOf(folder)).length > 0) return true;
  // The instance's keys alone are how a node of a cluster is prepared before its first start; its own keys are made then.
  return (await entriesOf(paths.keys)).some((name) => name !== "instance.json");
}

async function hasContent(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size > 0;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function entriesOf(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

export function writeFormat(path: string, format: Format): Promise<void> {
  return writePrivateFile(path, `${JSON.stringify(format)}\n`);
}

interface Expected {
  readonly store: "sqlite" | "kv";
  readonly hasData: boolean;
  readonly atRest: AtRest;
}

async function openFormat(path: string, { store, hasData, atRest }: Expected): Promise<Format> {
  const text = await readPrivateFile(path);
  if (text === undefined) {
    if (hasData) throw new AppError("data.corrupt", { path, detail: "it is missing, but the data folder is not empty" });
    const { fingerprint } = atRest;
    const made: Format = {
      ...{ version: dataFormatVersion, store, founded: false },
      ...(fingerprint === undefined ? {} : { atRest: fingerprint }),
    };
    await writeFormat(path, made);
    return made;
  }
  const format = parseFormat(path, text);
  if (format.store !== store) {
    throw new AppError("config.invalid", {
      key: "store",
      source: "the configuration",
      observed: store,
      detail: `the data folder was made with ${format.store}`,
    });
  }
  return format;
}

/** @throws {data.corrupt} {store.version} */
export function parseFormat(path: string, text: string): Format {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError("data.corrupt", { path, detail: "it is not JSON" });
  }
  const parsed = formatSchema.safeParse(value);
  if (!parsed.success) throw new AppError("data.corrupt", { path, detail: "it does not name a format" });
  const format = parsed.data;
  if (format.version !== dataFormatVersion) throw new AppError("store.version", { observed: format.version, expected: dataFormatVersion });
  return format;
}
