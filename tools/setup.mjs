/**
 * Brings what a fresh clone lacks: the npm packages (and with them the project's Node), nats-server, the built web pages.
 *
 * Invariant: idempotent, silent when nothing is missing, one at a time (a lock), works without a network once done, and leaves nothing
 * outside the checkout. Runs on any Node from 20 on without dependencies, because it is what installs them; hence JavaScript and
 * not TypeScript. Progress goes to stderr. See docs/architecture/setup.md.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { installPackages } from "./setup/install-packages.mjs";
import { provideNatsServer } from "./setup/provide-nats-server.mjs";
import { SetupError, say } from "./setup/report.mjs";
import { root, toolsDir } from "./setup/places.mjs";
import { takeSetupLock } from "./setup/setup-lock.mjs";
import { buildWeb } from "./setup/build-web.mjs";

const completeFile = join(toolsDir, "complete");

function checkNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) throw new SetupError(`Node 20 or newer is needed for the set-up; this is ${process.version}.`);
}

/** @returns {Promise<void>} when everything is there; rejects with a SetupError that says in one line what to do */
export async function setUp() {
  checkNode();
  mkdirSync(toolsDir, { recursive: true });
  const release = await takeSetupLock();
  try {
    rmSync(completeFile, { force: true });
    await installPackages();
    await buildWeb();
    await provideNatsServer();
    writeFileSync(completeFile, readFileSync(join(root, "package.json")));
  } finally {
    release();
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await setUp();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}
