/**
 * Finds a nats-server that is new enough, or brings one.
 *
 * Invariant: what is accepted was run and named its version. Order: ALTHING_NATS_SERVER (refused loudly when it does not fit, because
 * someone meant it), PATH, `.tools/nats-server`, then the machine's own package mirror, newer suites included, then the official release.
 * Never a download without a verified origin: apt checks the archive's signature, the release is compared with a checksum that stands here.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fetchFromApt } from "./fetch-from-apt.mjs";
import { fetchRelease } from "./fetch-release.mjs";
import { toolsDir } from "./places.mjs";
import { SetupError, say } from "./report.mjs";
import { runProgram } from "./run-program.mjs";

/** Major and minor of the oldest that has atomic batches and message expiry that works. */
const minimum = /** @type {const} */ ([2, 12]);
const brought = join(toolsDir, "nats-server");

/**
 * @param {string} path
 * @returns {Promise<string | undefined>}
 */
export async function natsServerVersion(path) {
  if (!existsSync(path)) return undefined;
  const { status, stdout } = await runProgram(path, ["--version"], { timeoutMs: 20_000 });
  return status === 0 ? /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] : undefined;
}

/** @param {string | undefined} version */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = (version ?? "").split(".").map(Number);
  return major > minimum[0] || (major === minimum[0] && minor >= minimum[1]);
}

async function findThere() {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter(Boolean);
  for (const path of [...onPath.map((folder) => join(folder, "nats-server")), brought]) {
    if (isNewEnough(await natsServerVersion(path))) return path;
  }
  return undefined;
}

export async function provideNatsServer() {
  const wanted = `nats-server ${minimum.join(".")} or newer`;
  const named = process.env["ALTHING_NATS_SERVER"];
  if (named) {
    const version = await natsServerVersion(named);
    if (isNewEnough(version)) return;
    throw new SetupError(`ALTHING_NATS_SERVER names ${named} (${version ?? "which does not run"}); ${wanted} is needed.`);
  }
  if (await findThere()) return;
  say(`looking for ${wanted} on this machine's package mirror …`);
  const accept = async (/** @type {string} */ path) => {
    const observed = await natsServerVersion(path);
    return isNewEnough(observed) ? observed : undefined;
  };
  const version =
    (await fetchFromApt({ name: "nats-server", target: brought, isPromising: isNewEnough, accept })) ??
    (await fetchRelease({ folder: join(toolsDir, "release"), target: brought, accept }));
  if (version === undefined) {
    throw new SetupError(
      `${wanted} is needed and was not found: install it and put it on PATH (or set ALTHING_NATS_SERVER), then run this again.`,
    );
  }
  say(`nats-server ${version} is ready`);
}
