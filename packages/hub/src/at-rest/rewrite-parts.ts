/**
 * Brings the parts of a data folder into another, under another key: databases, objects, messages, keys, the rest.
 *
 * Invariant: the source is only read. Each part is compared with its original when it is written: the same rows, the same bytes of each object, the same
 * messages. What differs is an error.
 */
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { AppError } from "@althing/contract";
import { copySqliteFile, digestSqliteFile, openFolderObjects, rekeySqliteFile } from "@althing/store";
import { startPrivateNats, type PrivateNatsOptions } from "../backup/private-nats.ts";
import { isThere } from "../backup/require-upgraded.ts";
import { temporaryName } from "../backup/temporary-names.ts";
import type { DataPaths } from "../data-folder.ts";
import { openInstanceKeys } from "../instance-keys.ts";
import { isMissing, readPrivateFile, writePrivateFile } from "../private-file.ts";
import type { AtRest } from "./at-rest.ts";
import { openText, sealText } from "./instance-keys-seal.ts";
import { readStreams, sameStreams, type StreamContent } from "./private-streams.ts";

export interface RewriteParts {
  readonly source: DataPaths;
  readonly target: DataPaths;
  readonly from: AtRest;
  readonly to: AtRest;
  /** The nats-server program. */
  readonly natsServer: string;
  readonly progress: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** How much was written, and some of what must not be found in the clear. */
export interface Rewritten {
  readonly count: number;
  readonly samples: readonly Uint8Array[];
}

function differs(path: string, detail: string): AppError {
  return new AppError("encryption.failed", { path, detail });
}

export async function rewriteDatabases({ source, target, from, to }: RewriteParts): Promise<Rewritten> {
  const samples: Uint8Array[] = [];
  let count = 0;
  for (const [name, part] of [
    ["stateDb", "sqlite"],
    ["claimsDb", "sqlite"],
    ["executionsDb", "executions"],
  ] as const) {
    const [path, copy] = [source[name], target[name]];
    if (!(await isThere(path))) continue;
    await copySqliteFile({ from: path, to: copy, key: from[part].key });
    const before = digestSqliteFile(copy, from[part].key);
    rekeySqliteFile({ path: copy, from: from[part].key, to: to[part].key });
    const after = digestSqliteFile(copy, to[part].key);
    if (before.rows !== after.rows || before.sha256 !== after.sha256) throw differs(path, "its rows are not those of before");
    samples.push(...before.samples);
    count += after.rows;
  }
  return { count, samples };
}

async function objectFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const files = entries.filter((entry) => entry.isFile() && /^[0-9a-f]{64}$/.test(entry.name));
  return files.map((entry) => join(entry.parentPath, entry.name));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** @throws {store.corrupt} a file does not open, or is not the object of its name */
async function readObject(path: string, { cipher }: AtRest["objects"]): Promise<{ readonly hash: string; readonly bytes: Buffer }> {
  const corrupt = (detail: string, cause?: unknown) =>
    new AppError("store.corrupt", { path, detail }, cause === undefined ? {} : { cause });
  const stored = await readFile(path);
  const parts: Uint8Array[] = [];
  try {
    for await (const part of cipher === undefined ? once(stored) : cipher.open(once(stored))) parts.push(part);
  } catch (cause) {
    throw corrupt("it does not open with the at-rest key", cause);
  }
  const bytes = Buffer.concat(parts);
  const hash = createHash("sha256").update(bytes).digest("hex");
  if ((cipher?.nameOf(hash) ?? hash) !== basename(path)) throw corrupt("its bytes do not have its hash");
  return { hash, bytes };
}

export async function rewriteObjects({ source, target, from, to, signal }: RewriteParts): Promise<Rewritten> {
  const samples: Uint8Array[] = [];
  let count = 0;
  for (const kind of ["blobs", "bundles"] as const) {
    const objects = openFolderObjects({ path: target[kind], ...to.objects });
    try {
      for (const path of await objectFiles(source[kind])) {
        signal?.throwIfAborted();
        const { hash, bytes } = await readObject(path, from.objects);
        await objects.put(hash, bytes);
        // It compares the hash.
        await objects.get(hash);
        samples.push(Buffer.from(hash), new Uint8Array(bytes.subarray(0, 64)));
        count += 1;
      }
    } finally {
      await objects.close();
    }
  }
  return { count, samples };
}

async function contentOf(options: PrivateNatsOptions): Promise<StreamContent> {
  const nats = await startPrivateNats(options);
  try {
    return await readStreams(nats.connection.account);
  } finally {
    await nats.stop();
  }
}

/** What nats-server would take for its state: it was written under the key of before. */
async function removeIndexes(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && entry.name === "index.db") await rm(join(entry.parentPath, entry.name));
}

/** A copy is read with the old key, then opened with the new one, which encrypts it block by block, and read again. */
export async function rewriteMessages({ source, target, from, to, natsServer }: RewriteParts): Promise<Rewritten> {
  const entries = await readdir(source.jetStream).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  if (entries.length === 0) return { count: 0, samples: [] };
  await cp(source.jetStream, target.jetStream, { recursive: true });
  const keys = await openInstanceKeys(source.keys, false, from.instanceKey);
  const common = { program: natsServer, storeDir: target.jetStream, keys };
  const folder = join(target.root, temporaryName("spool"));
  const before = await contentOf({ ...common, folder, ...from.nats });
  await removeIndexes(target.jetStream);
  const { natsKey: previousNatsKey } = from.nats;
  const after = await contentOf({ ...common, folder, ...to.nats, ...(previousNatsKey === undefined ? {} : { previousNatsKey }) });
  if (!sameStreams(before.streams, after.streams)) throw differs(source.jetStream, "its messages are not those of before");
  const again = await contentOf({ ...common, folder, ...to.nats });
  if (!sameStreams(before.streams, again.streams)) throw differs(source.jetStream, "its messages do not come back with the new key");
  const count = Object.values(after.streams).reduce((sum, stream) => sum + stream.messages, 0);
  return { count, samples: before.samples };
}

export async function rewriteKeys({ source, target, from, to }: RewriteParts): Promise<Rewritten> {
  await mkdir(target.keys, { recursive: true, mode: 0o700 });
  for (const name of await readdir(source.keys))
    if (name !== "instance.json" && !name.startsWith(".")) await cp(join(source.keys, name), join(target.keys, name), { recursive: true });
  const path = join(source.keys, "instance.json");
  const stored = await readPrivateFile(path);
  if (stored === undefined) throw new AppError("data.key_missing", { path, detail: "the data folder is not empty" });
  const text = (await openText(from.instanceKey, stored)) ?? stored;
  const { instanceKey } = to;
  await writePrivateFile(join(target.keys, "instance.json"), instanceKey === undefined ? text : await sealText(instanceKey, text));
  const opened = await openInstanceKeys(target.keys, false, instanceKey);
  const secrets = [opened.nameKey, opened.secretsKey, opened.receiptKey].map((key) => Buffer.from(Buffer.from(key).toString("base64url")));
  return { count: 3, samples: secrets };
}

/** Uploads on their way are begun anew by who made them; `run` is of this machine's processes. */
const ownWays: ReadonlySet<string> = new Set(["state", "blobs", "bundles", "keys", "nats", "run", "uploads", "format.json"]);

export async function copyTheRest({ source, target }: RewriteParts): Promise<void> {
  for (const name of await readdir(source.root))
    if (!ownWays.has(name)) await cp(join(source.root, name), join(target.root, name), { recursive: true, verbatimSymlinks: true });
  for (const entry of await readdir(source.nats, { withFileTypes: true }))
    if (entry.isFile()) await cp(join(source.nats, entry.name), join(target.nats, entry.name));
}
