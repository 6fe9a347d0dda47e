/**
 * Client state in a folder: one JSON file and one log of appended entries for each name.
 *
 * Invariant: the folder is 0700, files 0600, looser modes are refused; a value is replaced by temp + fsync + rename, so it is old or new, never
 * half. Read-merge-write is serialised among processes by a lock file that names its holder, because `chat` and `send` may run side by side
 * with one identity. Values grow monotonically, so an entry that another process's merge overtook does no harm.
 */
import { randomUUID } from "node:crypto";
import { closeSync, openSync, statSync, truncateSync, writeSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "@althing/contract";
import type { ClientState } from "./state.ts";

const namePattern = /^(?:pins|room\/[0-9A-Z]{26})$/;
/** A holder that is alive is waited for; merges take milliseconds. */
const lockWaitMs = 5_000;
const lockRetryMs = 5;

/**
 * @throws {data.mode} the folder or a file in it can be read by others
 * @throws {state.corrupt} a file is not what was written; it is left as it is
 */
export async function openFileState(directory: string): Promise<ClientState> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await checkMode(directory, 0o700);
  const folder = createFolder(directory);
  let tail: Promise<unknown> = Promise.resolve();
  const serial = <T>(task: () => Promise<T>): Promise<T> => {
    const result = tail.then(task);
    tail = result.catch(() => undefined);
    return result;
  };
  const update: ClientState["update"] = (name, change) =>
    serial(() =>
      folder.locked(async () => {
        const stored = await folder.read(name);
        const log = await folder.readLog(name);
        await folder.replace(name, change(stored, log.entries), log.bytes);
      }),
    );
  return {
    load: (name) => folder.read(name),
    save: (name, value) => update(name, () => value),
    entries: async (name) => (await folder.readLog(name)).entries,
    append: (name, entry) => folder.append(name, entry),
    update,
    async close() {
      await tail;
      folder.close();
    },
  };
}

function createFolder(directory: string) {
  const logs = new Map<string, number>();
  const path = (name: string, ending: string) => {
    if (!namePattern.test(name)) throw new AppError("state.corrupt", { path: directory, detail: `${name} is no name of a state` });
    return join(directory, `${name.replace("/", "-")}${ending}`);
  };
  return {
    async read(name: string): Promise<unknown> {
      const file = path(name, ".json");
      const text = await readIfThere(file);
      if (text === undefined) return undefined;
      try {
        return JSON.parse(text);
      } catch (cause) {
        throw new AppError("state.corrupt", { path: file, detail: "it is not JSON" }, { cause });
      }
    },
    /** @returns its entries, and how many bytes it had */
    async readLog(name: string): Promise<{ readonly entries: unknown[]; readonly bytes: number }> {
      const file = path(name, ".log");
      const text = (await readIfThere(file)) ?? "";
      const lines = text.split("\n");
      // Whatever follows the last newline was torn by the end of its writer, before the message it belongs to was acknowledged.
      lines.pop();
      return { entries: lines.flatMap((line) => parseLine(line, file)), bytes: Buffer.byteLength(text) };
    },
    append(name: string, entry: unknown): void {
      let descriptor = logs.get(name);
      if (descriptor === undefined) {
        descriptor = openSync(path(name, ".log"), "a", 0o600);
        logs.set(name, descriptor);
      }
      writeSync(descriptor, `${JSON.stringify(entry)}\n`);
    },
    /** @param logBytes how long the log was whose entries are in the value */
    async replace(name: string, value: unknown, logBytes: number): Promise<void> {
      const file = path(name, ".json");
      const draft = `${file}.${randomUUID()}.tmp`;
      const handle = await open(draft, "wx", 0o600);
      try {
        await handle.writeFile(JSON.stringify(value));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, file);
      emptyLog(path(name, ".log"), logBytes);
    },
    async locked<T>(task: () => Promise<T>): Promise<T> {
      const release = await takeLock(join(directory, "lock"));
      try {
        return await task();
      } finally {
        await release();
      }
    },
    close(): void {
      for (const descriptor of logs.values()) closeSync(descriptor);
      logs.clear();
    },
  };
}

/** Only what the value holds goes: entries that came meanwhile stay, and those before them are taken in once more, which changes nothing. */
function emptyLog(file: string, bytes: number): void {
  try {
    // Without a pause between the two, in which this process could append.
    if (statSync(file).size === bytes) truncateSync(file, 0);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

/** A blank line is what a merge leaves when it empties the log under another process's append. */
function parseLine(line: string, file: string): unknown[] {
  const text = line.replaceAll("\0", "").trim();
  if (text === "") return [];
  try {
    return [JSON.parse(text)];
  } catch (cause) {
    throw new AppError("state.corrupt", { path: file, detail: "a line is not JSON" }, { cause });
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    await checkMode(file, 0o600);
    return await readFile(file, "utf8");
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

async function checkMode(path: string, expected: number): Promise<void> {
  const found = (await stat(path)).mode & 0o777;
  if (process.platform !== "win32" && (found & 0o077) !== 0) {
    throw new AppError("data.mode", {
      path,
      observed: found.toString(8).padStart(4, "0"),
      expected: expected.toString(8).padStart(4, "0"),
    });
  }
}

/** Taken by exclusive creation; a lock whose holder is no longer alive is broken. */
async function takeLock(file: string): Promise<() => Promise<void>> {
  const deadline = performance.now() + lockWaitMs;
  for (;;) {
    if (await createLock(file)) return () => rm(file, { force: true });
    const holder = await holderOf(file);
    if (holder !== undefined && !isAlive(holder)) await breakLock(file);
    else if (performance.now() > deadline) throw new AppError("data.locked", { path: file, pid: holder ?? 0 });
    await new Promise((resolve) => setTimeout(resolve, lockRetryMs));
  }
}

async function createLock(file: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx", 0o600);
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  }
}

async function holderOf(file: string): Promise<number | undefined> {
  const pid = Number(await readFile(file, "utf8").catch(() => ""));
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

/** One process breaks at a time and looks again before it does, so that nobody removes a lock that was taken meanwhile. */
async function breakLock(file: string): Promise<void> {
  const breaking = `${file}.break`;
  if (!(await createLock(breaking))) {
    const age = Date.now() - (await stat(breaking).then((found) => found.mtimeMs, Date.now));
    if (age > lockWaitMs) await rm(breaking, { force: true });
    return;
  }
  try {
    const holder = await holderOf(file);
    if (holder !== undefined && !isAlive(holder)) await rm(file, { force: true });
  } finally {
    await rm(breaking, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isCode(error, "EPERM");
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function isAbsent(error: unknown): boolean {
  return isCode(error, "ENOENT");
}
