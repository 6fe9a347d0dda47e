/**
 * Finds the nats-server to run: the configured one, else PATH, else what the set-up brought.
 *
 * Invariant: what is returned was executed and named a version that has what rooms and state need; a configured one that is too old is
 * refused, never replaced behind the operator's back; a too old one on PATH is passed over when a better one is there.
 */
import { AppError } from "@althing/contract";
import { execFile } from "node:child_process";
import { access, constants, realpath } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";

/** The oldest version that is taken, and why (measured: see docs/architecture/supervision.md). */
export const natsServerMinimum = "2.12.0";
const reason = "older ones lack atomic batches or silently ignore message expiry and fsync settings";

export interface NatsProgram {
  readonly path: string;
  readonly version: string;
}

export interface FindNatsServerOptions {
  /** The `nats_server` setting; relative to `cwd`. */
  readonly configured: string | undefined;
  readonly cwd: string;
  readonly searchPath: string;
  /** Folder that the set-up brings programs to. */
  readonly toolsFolder: string;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ["--version"], { timeout: 10_000 });
    return /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

export function isNewEnough(version: string, minimum: string = natsServerMinimum): boolean {
  const [a, b] = [version.split(".").map(Number), minimum.split(".").map(Number)];
  for (const i of [0, 1, 2]) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

export function tooOld(path: string, observed: string | undefined): AppError {
  return new AppError("nats.version", { path, observed: observed ?? "of unknown version", minimum: natsServerMinimum, reason });
}

/** @throws {nats.not_found} {nats.version} */
export async function findNatsServer(options: FindNatsServerOptions): Promise<NatsProgram> {
  const { configured, cwd, searchPath, toolsFolder } = options;
  if (configured !== undefined) {
    const path = resolve(cwd, configured);
    if (!(await isExecutable(path))) throw new AppError("nats.not_found", { minimum: natsServerMinimum });
    const version = await versionOf(path);
    if (version === undefined || !isNewEnough(version)) throw tooOld(path, version);
    return { path, version };
  }
  let refused: AppError | undefined;
  const folders = [...searchPath.split(delimiter).filter((folder) => folder !== ""), toolsFolder];
  for (const folder of folders) {
    const path = join(folder, "nats-server");
    if (!(await isExecutable(path))) continue;
    const version = await versionOf(path);
    if (version !== undefined && isNewEnough(version)) return { path: await realpath(path), version };
    refused ??= tooOld(path, version);
  }
  throw refused ?? new AppError("nats.not_found", { minimum: natsServerMinimum });
}
