/**
 * One set-up at a time in a checkout.
 *
 * Invariant: the lock file is created exclusively and names its holder; a holder that is gone loses it. Taking over is done by renaming
 * the file away, so that of several waiters one succeeds; a waiter that renamed a living holder's file by mistake puts it back.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { toolsDir } from "./places.mjs";
import { say } from "./report.mjs";

const lockFile = join(toolsDir, "setup.lock");

/** @param {string} path */
function holderOf(path) {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

function tryTake() {
  // Written aside and linked, so that no one ever sees a lock file without a holder in it.
  const draft = `${lockFile}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, lockFile);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

function takeOverFromDead() {
  const aside = `${lockFile}.stale.${process.pid}`;
  try {
    renameSync(lockFile, aside);
    const holder = holderOf(aside);
    if (holder !== undefined && isAlive(holder)) linkSync(aside, lockFile);
  } catch {
    // Another waiter was faster; the next round sees what is true then.
  } finally {
    rmSync(aside, { force: true });
  }
}

/** @returns {Promise<() => void>} releases the lock */
export async function takeSetupLock() {
  let told = false;
  while (!tryTake()) {
    const holder = holderOf(lockFile);
    if (holder === undefined) continue;
    if (!isAlive(holder)) {
      takeOverFromDead();
      continue;
    }
    if (!told) say(`waiting for another set-up (process ${holder}) …`);
    told = true;
    await delay(200);
  }
  return () => rmSync(lockFile, { force: true });
}
