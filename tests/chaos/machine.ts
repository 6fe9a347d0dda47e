/**
 * What this machine lets a chaos run do, found out by trying.
 *
 * Invariant: nothing of the machine is changed but what is undone at once; what cannot be done is a reason in words, which the table shows beside SKIPPED.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface SmallDisk {
  unmount(): Promise<void>;
}

/** A file system of its own, as large as said; what lay there lies there afterwards, keys above all. @throws what `mount` says */
export async function mountSmallDisk(path: string, maxBytes: number): Promise<SmallDisk> {
  const aside = `${path}.aside`;
  await mkdir(path, { recursive: true, mode: 0o700 });
  await run("cp", ["-a", path, aside]);
  await run("mount", ["-t", "tmpfs", "-o", `size=${maxBytes},mode=0700`, "tmpfs", path]);
  await run("cp", ["-a", `${aside}/.`, path]);
  await rm(aside, { recursive: true });
  return {
    async unmount() {
      await run("umount", ["-l", path]);
    },
  };
}

/** @returns why file systems cannot be mounted here; undefined when they can */
export async function whyNoDisks(scratch: string): Promise<string | undefined> {
  if (process.platform !== "linux") return "only Linux mounts a small disk without a driver of its own";
  try {
    const disk = await mountSmallDisk(scratch, 1024 * 1024);
    await disk.unmount();
    return undefined;
  } catch {
    return "mounting a small disk takes root";
  } finally {
    await rm(scratch, { recursive: true, force: true });
    await rm(`${scratch}.aside`, { recursive: true, force: true });
  }
}

/** Microseconds in which some task of this machine was ready and had no processor, since it started. */
function processorWaitUs(): number | undefined {
  try {
    const total = Number(/^some .*total=(\d+)$/m.exec(readFileSync("/proc/pressure/cpu", "utf8"))?.[1]);
    return Number.isFinite(total) ? total : undefined;
  } catch {
    return undefined;
  }
}

/** @returns tells, for the time since this call, how much of it somebody waited for a processor: load and fault look alike without it */
export function watchProcessors(): { share(): number | undefined } {
  const [beganMs, beganUs] = [performance.now(), processorWaitUs()];
  return {
    share() {
      const nowUs = processorWaitUs();
      if (beganUs === undefined || nowUs === undefined) return undefined;
      return (nowUs - beganUs) / 1_000 / (performance.now() - beganMs);
    },
  };
}
