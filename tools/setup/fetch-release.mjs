/**
 * Brings nats-server as its makers release it, for machines whose package mirror has none that is new enough.
 *
 * Invariant: the bytes are compared with a checksum that stands here before anything of them is unpacked or run, so neither the way nor the place they come
 * from has to be trusted; what does not agree is removed and said. One version, moved on by hand together with its checksums: a checksum fetched
 * beside the file would protect from nothing. See docs/architecture/setup.md.
 */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { say, SetupError } from "./report.mjs";
import { runProgram } from "./run-program.mjs";

/**
 * @typedef {object} Release
 * @property {string} version
 * @property {string} base address under which the archives of this version lie
 * @property {Readonly<Record<string, string>>} sha256 of the archive, by `<platform>-<architecture>` as the archive's name has it
 */

/**
 * The checksums are those of the makers' own container recipe (nats-io/nats-docker, 2.12.x/alpine3.22, Apache-2.0).
 *
 * @type {Release}
 */
export const natsServerRelease = {
  version: "2.12.7",
  base: "https://github.com/nats-io/nats-server/releases/download/v2.12.7",
  sha256: {
    "linux-amd64": "570d2d627db111e679cc1e6bc57ba78f373ed1769acd8dc9c21c8f62d15b3c52",
    "linux-arm64": "3b9a79986778285c0e5acaba0b1218b72f6159db68fe5b8916a7d846240f9f22",
  },
};

const largestBytes = 64 * 1024 * 1024;
const timeoutMs = 300_000;

/** @param {{ platform: string, arch: string }} machine */
function nameOf({ platform, arch }) {
  return `${platform}-${arch === "x64" ? "amd64" : arch}`;
}

/**
 * @param {string} url
 * @returns {Promise<Uint8Array>} the whole of it
 */
async function download(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!answer.ok || answer.body === null) throw new Error(`answered ${answer.status}`);
  const parts = [];
  let bytes = 0;
  for await (const part of answer.body) {
    bytes += part.length;
    if (bytes > largestBytes) throw new Error(`is longer than ${largestBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * @param {object} options
 * @param {string} options.folder for what is in between; removed
 * @param {string} options.target where the program is put
 * @param {(path: string) => Promise<string | undefined>} options.accept runs the program; its version, or nothing when it is not good enough
 * @param {Release} [options.release]
 * @param {{ platform: string, arch: string }} [options.machine]
 * @returns {Promise<string | undefined>} the version; nothing where no checksum is known or nothing can be reached
 * @throws {SetupError} what came is not what was released
 */
export async function fetchRelease({ folder, target, accept, release = natsServerRelease, machine = process }) {
  const name = nameOf(machine);
  const wanted = release.sha256[name];
  if (wanted === undefined) return undefined;
  const full = `nats-server-v${release.version}-${name}`;
  const url = `${release.base}/${full}.tar.gz`;
  say(`fetching the release ${release.version} of nats-server …`);
  let bytes;
  try {
    bytes = await download(url);
  } catch (error) {
    say(`  not taken: ${url} ${error instanceof Error ? error.message : "cannot be reached"}`);
    return undefined;
  }
  const observed = createHash("sha256").update(bytes).digest("hex");
  if (observed !== wanted) {
    throw new SetupError(
      `${url} has the SHA-256 ${observed} and not ${wanted}: something between here and there changed it. Nothing of it is kept.`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    const archive = join(folder, "release.tar.gz");
    writeFileSync(archive, bytes);
    await runProgram("tar", ["-xzf", archive, "-C", folder, `${full}/nats-server`], { timeoutMs: 60_000 });
    const program = join(folder, full, "nats-server");
    const accepted = await acceptedAt(program, accept);
    if (accepted !== undefined) renameSync(program, target);
    return accepted;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} program
 * @param {(path: string) => Promise<string | undefined>} accept
 */
async function acceptedAt(program, accept) {
  try {
    chmodSync(program, 0o755);
  } catch {
    return undefined;
  }
  return accept(program);
}
