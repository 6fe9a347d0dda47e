/**
 * What the suites of backups share: the recorded backup, data folders made of it, tars written and altered by hand, and the one-shot program as a process.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { resolveConfig, type Config } from "@althing/contract";
import { findNatsServer, repositoryRoot } from "@althing/testkit";
import { extract, pack, type Header } from "tar-stream";
import { createBackup } from "../src/backup/create-backup.ts";
import { restoreBackup, verifyBackup } from "../src/backup/restore-backup.ts";

export const recorded = join(repositoryRoot, "tests", "operations", "recorded", "schema-0.backup");
export const nowMs = Date.UTC(2026, 10, 22, 12);
const quiet = { nowMs: () => nowMs, progress: () => undefined };

export function configOf(data: string): Config {
  return resolveConfig({ flags: { data }, env: {}, file: {} }).config;
}

type CreateOptions = Parameters<typeof createBackup>[0];

/** Backs up a folder that nobody uses. */
export async function backUp(data: string, file: string, more: Partial<CreateOptions> = {}) {
  return createBackup({
    ...quiet,
    config: configOf(data),
    natsServer: await findNatsServer(),
    file,
    migrations: [],
    program: "0.0.0",
    ...more,
  });
}

export async function restore(file: string, data: string, more: Partial<Parameters<typeof restoreBackup>[0]> = {}) {
  return restoreBackup({ ...quiet, config: configOf(data), natsServer: await findNatsServer(), file, unlock: {}, migrations: [], ...more });
}

export async function verify(file: string, scratch: string, more: Partial<Parameters<typeof verifyBackup>[0]> = {}) {
  return verifyBackup({ ...quiet, file, unlock: {}, migrations: [], scratch, ...more });
}

export interface TarPart {
  readonly header: Partial<Header> & { readonly name: string };
  readonly bytes: Buffer;
}

export async function readTar(file: string): Promise<TarPart[]> {
  const parts: TarPart[] = [];
  const tar = extract();
  tar.end(readFileSync(file));
  for await (const entry of tar) {
    const pieces: Uint8Array[] = [];
    for await (const piece of entry) if (piece instanceof Uint8Array) pieces.push(piece);
    parts.push({ header: { name: entry.header.name, type: "file" }, bytes: Buffer.concat(pieces) });
  }
  return parts;
}

export async function writeTar(file: string, parts: readonly TarPart[]): Promise<void> {
  const tar = pack();
  const pieces: Uint8Array[] = [];
  const all = (async () => {
    for await (const piece of tar) if (piece instanceof Uint8Array) pieces.push(piece);
  })();
  for (const { header, bytes } of parts) {
    await new Promise<void>((resolve, reject) => {
      const isFile = header.type === "file" || header.type === undefined;
      const done = (error?: Error | null) => (error ? reject(error) : resolve());
      if (isFile) tar.entry({ ...header, size: bytes.length }, bytes, done);
      else tar.entry({ ...header, size: 0 }, done).end(undefined);
    });
  }
  tar.finalize();
  await all;
  writeFileSync(file, Buffer.concat(pieces), { mode: 0o600 });
}

/** Where the data of each part begins in a plain tar. */
export function offsetsIn(file: string): { readonly name: string; readonly at: number; readonly size: number }[] {
  const bytes = readFileSync(file);
  const found: { name: string; at: number; size: number }[] = [];
  for (let at = 0; at + 512 <= bytes.length;) {
    const name = bytes
      .subarray(at, at + 100)
      .toString("latin1")
      .replace(/\0.*$/s, "");
    if (name === "") break;
    const size = Number.parseInt(bytes.subarray(at + 124, at + 135).toString("latin1"), 8);
    found.push({ name, at: at + 512, size });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return found;
}

const mainProgram = join(repositoryRoot, "packages", "hub", "src", "main.ts");

export interface OneShot {
  readonly child: ChildProcess;
  /** Waits for a line of progress. */
  said(text: string): Promise<void>;
  /** What it answered, once it has ended. */
  readonly answer: Promise<{ readonly code: number | null; readonly value: unknown }>;
}

/** The program as a process of its own. @param fileBlocks the largest file that it may write, in blocks of 512 bytes */
export function oneShot(mode: string, data: string, input: object, fileBlocks?: number): OneShot {
  const limit = fileBlocks === undefined ? "" : `ulimit -f ${fileBlocks}; `;
  const child = spawn(
    "sh",
    [
      "-c",
      `${limit}exec "$0" "$@"`,
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      mainProgram,
      "one-shot",
      mode,
      "--data",
      data,
    ],
    {
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  let [out, err] = ["", ""];
  const waiting: (() => void)[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    for (const look of waiting) look();
  });
  const answer = once(child, "close").then(() => {
    let value: unknown;
    try {
      value = JSON.parse(out);
    } catch {
      value = undefined;
    }
    for (const look of waiting) look();
    return { code: child.exitCode, value };
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(JSON.stringify(input));
  return {
    child,
    answer,
    said: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (err.includes(text)) resolve();
          else if (child.exitCode !== null || child.signalCode !== null) reject(new Error(`ended before "${text}": ${err}${out}`));
        };
        waiting.push(look);
        look();
      }),
  };
}

/** Processes whose command line names the text. */
export function processesNaming(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text) ? [Number(pid)] : [];
      } catch {
        return [];
      }
    });
}
