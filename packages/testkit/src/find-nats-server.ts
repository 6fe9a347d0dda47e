/**
 * Finds the nats-server that the tests run against.
 *
 * Invariant: what is returned was run and named a version that the product takes; a too old one on PATH is passed over, one that was
 * named on purpose (ALTHING_NATS_SERVER) is refused loudly. Order: the variable, PATH, what the set-up brought (docs/architecture/setup.md).
 */
import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { AppError } from "@althing/contract";
import { repositoryRoot } from "./repository-root.ts";

/** The oldest nats-server that has what rooms and state need (atomic batches, message TTLs that work, fsync settings). */
export const natsServerMinimum = "2.12.0";

async function versionOf(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    const { stdout } = await promisify(execFile)(path, ["--version"], { timeout: 10_000 });
    return /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = natsServerMinimum.split(".").map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

async function find(env: NodeJS.ProcessEnv): Promise<string> {
  const named = env["ALTHING_NATS_SERVER"];
  if (named) {
    const observed = await versionOf(named);
    if (observed && isNewEnough(observed)) return named;
    throw new AppError("nats.version", {
      path: named,
      observed: observed ?? "unknown",
      minimum: natsServerMinimum,
      reason: "ALTHING_NATS_SERVER names it",
    });
  }
  const onPath = (env["PATH"] ?? "").split(delimiter).filter(Boolean);
  for (const path of [...onPath.map((dir) => join(dir, "nats-server")), join(repositoryRoot, ".tools", "nats-server")]) {
    const version = await versionOf(path);
    if (version && isNewEnough(version)) return path;
  }
  throw new AppError("nats.not_found", { minimum: natsServerMinimum });
}

let found: Promise<string> | undefined;

/**
 * @returns the path of a nats-server of `natsServerMinimum` or newer; looked up once a process
 * @throws {nats.not_found} {nats.version}
 */
export function findNatsServer(): Promise<string> {
  found ??= find(process.env);
  return found;
}
