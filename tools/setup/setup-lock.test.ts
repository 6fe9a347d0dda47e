import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { repositoryRoot, tempDir } from "@althing/testkit";
import { expect, test } from "vitest";

/** The lock with its neighbours in a folder of its own, because the places are derived from where the file lies. */
async function copyOfLock(root: string): Promise<string> {
  for (const folder of ["tools/setup", ".tools"]) await mkdir(join(root, folder), { recursive: true });
  for (const name of ["setup-lock", "places", "report"]) {
    await copyFile(join(repositoryRoot, `tools/setup/${name}.mjs`), join(root, `tools/setup/${name}.mjs`));
  }
  return pathToFileURL(join(root, "tools/setup/setup-lock.mjs")).href;
}

test("of several set-ups one works at a time, even when the lock was left by one that died", async () => {
  await using dir = await tempDir();
  const module = await copyOfLock(dir.path);
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  await writeFile(join(dir.path, ".tools/setup.lock"), String(dead));
  const script = `
    import { takeSetupLock } from ${JSON.stringify(module)};
    import { rmSync, writeFileSync } from "node:fs";
    for (let i = 0; i < 5; i += 1) {
      const release = await takeSetupLock();
      writeFileSync("inside", "", { flag: "wx" });
      await new Promise((done) => setTimeout(done, 5));
      rmSync("inside");
      release();
    }`;
  const children: ChildProcess[] = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: dir.path, stdio: "ignore" }),
  );
  const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0] as number));
  expect(codes).toEqual([0, 0, 0, 0]);
});
