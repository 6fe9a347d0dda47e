/**
 * A wall clock for each node, which the test sets: libfaketime, loaded into every process of the node that lets itself be told.
 *
 * Invariant: supervisor and hub read the node's clock from a file in its folder, again each second; monotonic time stays true, as it does when a machine's clock is
 * set. nats-server (Go asks the kernel by itself) and the runner (started with an environment of its own) keep the machine's clock: what jumps is the
 * clock by which the hub judges signatures, sessions, schedules and everything it writes.
 */
import { access, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestNode } from "@althing/testkit";

const fileName = "clock.faketime";
const libraryName = "libfaketimeMT.so.1";
/** The library looks into the file so often. */
export const clockDelayMs = 1_000;

/** Where Debian's package puts it, or `CHAOS_FAKETIME`. @returns undefined when there is none */
export async function findFakeTime(): Promise<string | undefined> {
  const folders = await readdir("/usr/lib").catch(() => []);
  const places = [process.env["CHAOS_FAKETIME"], ...folders.map((name) => join("/usr/lib", name, "faketime", libraryName))];
  for (const place of places) {
    if (place === undefined) continue;
    const exists = await access(place).then(
      () => true,
      () => false,
    );
    if (exists) return place;
  }
  return undefined;
}

/** The environment of nodes whose clocks can be set; each is started in a folder of its own. */
export const clockEnvironment = (library: string): Readonly<Record<string, string>> => ({
  LD_PRELOAD: library,
  FAKETIME_TIMESTAMP_FILE: fileName,
  FAKETIME_CACHE_DURATION: String(clockDelayMs / 1_000),
  FAKETIME_DONT_FAKE_MONOTONIC: "1",
  NO_FAKE_STAT: "1",
});

/** @param seconds ahead of the machine's clock; negative: behind */
export async function setClock({ home }: Pick<TestNode, "home">, seconds: number): Promise<void> {
  const path = join(home, fileName);
  // In one step: half a file would be another time.
  await writeFile(`${path}.new`, `${seconds < 0 ? "" : "+"}${seconds}\n`);
  await rename(`${path}.new`, path);
}
