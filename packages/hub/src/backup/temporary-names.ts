/**
 * Names of what is not finished, beside the place it will have, and the removal of what killed processes left.
 *
 * Invariant: a name tells machine and process; only what a process of this machine left that is gone is removed. A file system may be shared, and another
 * machine's process cannot be seen from here.
 */
import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

export type TemporaryKind = "partial" | "spool" | "restore" | "state";
const machine = hostname().replace(/[^A-Za-z0-9]/g, "_");
const grammar = /^\.althing-([A-Za-z0-9_]+)-(\d+)-[0-9a-f]{12}\.(?:partial|spool|restore|state)$/;

export function temporaryName(kind: TemporaryKind): string {
  return `.althing-${machine}-${process.pid}-${randomBytes(6).toString("hex")}.${kind}`;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Names of unfinished work whose process is gone. */
export async function abandoned(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => {
    const match = grammar.exec(name);
    return match !== null && match[1] === machine && !isRunning(Number(match[2]));
  });
}

export async function sweepAbandoned(folder: string): Promise<void> {
  for (const name of await abandoned(folder)) await rm(join(folder, name), { recursive: true, force: true });
}
