/**
 * `<data>/run/up.json`: the lock of a data folder and the card of the instance that runs on it.
 *
 * Invariant: at most one supervisor holds a folder. The file is created exclusively; one whose process is gone (or is another program that got
 * the same id) is set aside first, by rename, so that of two starters only one wins. Mode 0600.
 */
import { AppError, isAppError, runFileSchema, type RunFile } from "@althing/contract";
import { existsSync } from "node:fs";
import { chmod, link, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isTrustedOwner } from "../file-privacy.ts";
import { commandOf, isRunning, startedAtMs } from "./process-view.ts";

const toleranceMs = 15_000;

export function runFolder(data: string): string {
  return join(data, "run");
}

export function runFilePath(data: string): string {
  return join(runFolder(data), "up.json");
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

/**
 * The card as it lies there, or `undefined`; says nothing about whether the process lives. One that is neither the caller's nor root's is refused:
 * it would choose whom commands talk to and which process `stop` ends.
 * @throws {data.corrupt} {data.mode}
 */
export async function readRunFile(data: string): Promise<RunFile | undefined> {
  const path = runFilePath(data);
  let text: string;
  try {
    text = await readTrusted(path);
  } catch (error) {
    if (isAppError(error)) throw error;
    if (isMissing(error)) return undefined;
    throw new AppError("data.corrupt", { path, detail: error instanceof Error ? error.message : "?" }, { cause: error });
  }
  const parsed = runFileSchema.safeParse(tryJson(text));
  if (!parsed.success) throw new AppError("data.corrupt", { path, detail: "it is no run file" });
  return parsed.data;
}

async function readTrusted(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { uid } = await file.stat();
    if (!isTrustedOwner(uid, process.getuid?.())) throw new AppError("data.mode", { path, observed: `owner ${uid}`, expected: "600" });
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Does the process that wrote this card still run? Ids are reused, so command line and start time must fit, too. */
export async function isHolderRunning(run: RunFile): Promise<boolean> {
  if (!(await isRunning(run.pid))) return false;
  const command = await commandOf(run.pid);
  if (command !== undefined && !/\bup\b/.test(command)) return false;
  const started = await startedAtMs(run.pid);
  return started === undefined || started <= Date.parse(run.startedAt) + toleranceMs;
}

/** The instance that runs on this folder. @throws {up.not_running} {data.corrupt} */
export async function runningInstance(data: string): Promise<RunFile> {
  const run = await readRunFile(data);
  if (run === undefined || !(await isHolderRunning(run))) throw new AppError("up.not_running", { path: data });
  return run;
}

/** Makes the data folder private; one that is open to others is refused, not repaired. @throws {data.mode} */
export async function prepareDataFolder(data: string): Promise<void> {
  // A change of its key was cut off between two renames: a new folder must not take the place.
  const incoming = `${data}.incoming`;
  if (!existsSync(data) && existsSync(incoming)) throw new AppError("encryption.unfinished", { path: data, incoming });
  await mkdir(data, { recursive: true, mode: 0o700 });
  const { mode, uid } = await stat(data);
  const own = process.getuid?.();
  if (own !== undefined && own !== 0 && uid !== own)
    throw new AppError("data.mode", { path: data, observed: `owner ${uid}`, expected: "700" });
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    throw new AppError("data.mode", { path: data, observed: (mode & 0o777).toString(8), expected: "700" });
  }
  for (const folder of ["run", "logs"]) {
    await mkdir(join(data, folder), { recursive: true, mode: 0o700 });
    await chmod(join(data, folder), 0o700);
  }
}

export interface RunLock {
  /** Replaces the card (the address is final only when the hub is ready). */
  update(run: RunFile): Promise<void>;
  release(): Promise<void>;
}

async function createExclusively(path: string, run: RunFile): Promise<boolean> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(run)}\n`, { mode: 0o600 });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Sets a dead holder's card aside; true when it is out of the way. */
async function removeStale(path: string, stale: string): Promise<void> {
  const aside = `${path}.${process.pid}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  // Another starter may have won between our look and our rename: then this is its card, and it goes back.
  if ((await readFile(aside, "utf8")) !== stale) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/** Takes the folder for this process. @throws {data.locked} {data.corrupt} */
export async function lockDataFolder(data: string, run: RunFile): Promise<RunLock> {
  const path = runFilePath(data);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if (await createExclusively(path, run)) return { update: (next) => replace(path, next), release: () => release(path, run.pid) };
    const text = await readFile(path, "utf8").catch(() => "");
    const holder = runFileSchema.safeParse(tryJson(text));
    if (holder.success && (await isHolderRunning(holder.data))) throw new AppError("data.locked", { path: data, pid: holder.data.pid });
    if (text !== "" || !holder.success) await removeStale(path, text);
  }
  throw new AppError("data.locked", { path: data, pid: "of another start" });
}

async function replace(path: string, run: RunFile): Promise<void> {
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(run)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

async function release(path: string, pid: number): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => "");
  const run = runFileSchema.safeParse(tryJson(text));
  if (run.success && run.data.pid === pid) await rm(path, { force: true });
}
