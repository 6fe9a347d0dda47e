import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot, tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";

const run = promisify(execFile);
let dir: TempDir;
let house: string;

/** A checkout in small: the real launcher, a Node that tells how it was called, a set-up that leaves a mark. */
beforeEach(async () => {
  dir = await tempDir();
  house = join(dir.path, "a house");
  for (const folder of ["tools", ".tools", "packages/cli/src", "node_modules/.bin"]) await mkdir(join(house, folder), { recursive: true });
  await copyFile(join(repositoryRoot, "althing"), join(house, "althing"));
  await writeFile(join(house, "package-lock.json"), "{}");
  await writeFile(join(house, ".tools/installed-lock.json"), "{}");
  await writeFile(join(house, ".tools/complete"), "");
  await writeFile(join(house, "tools/setup.mjs"), 'console.error("set-up ran");\n');
  await writeFile(join(house, "node_modules/.bin/node"), '#!/bin/sh\npwd\nfor word in "$@"; do echo "[$word]"; done\n');
  await chmod(join(house, "node_modules/.bin/node"), 0o755);
});
afterEach(() => dir.remove());

test("arguments and the caller's folder reach the program unchanged, through symlinks of symlinks", async () => {
  const elsewhere = join(dir.path, "else where");
  await mkdir(elsewhere);
  await symlink(join(house, "althing"), join(dir.path, "first"));
  await symlink("../first", join(elsewhere, "second"));
  const { stdout, stderr } = await run(join(elsewhere, "second"), ["room", "send", "two words", ""], { cwd: elsewhere });
  expect(stdout.split("\n")).toEqual([
    elsewhere,
    "[--disable-warning=ExperimentalWarning]",
    `[${house}/packages/cli/src/main.ts]`,
    "[room]",
    "[send]",
    "[two words]",
    "[]",
    "",
  ]);
  expect(stderr).toBe("");
});

test("the set-up runs when the lock file changed, and for `up` also when it never finished", async () => {
  const launcher = join(house, "althing");
  await writeFile(join(house, "package-lock.json"), '{"newer":1}');
  expect((await run(launcher, ["status"])).stderr).toContain("set-up ran");
  await copyFile(join(house, "package-lock.json"), join(house, ".tools/installed-lock.json"));
  expect((await run(launcher, ["status"])).stderr).toBe("");
  await run("rm", [join(house, ".tools/complete")]);
  expect((await run(launcher, ["status"])).stderr).toBe("");
  expect((await run(launcher, ["up"])).stderr).toContain("set-up ran");
});

test("pages older than their sources are built again before `up`", async () => {
  const launcher = join(house, "althing");
  await mkdir(join(house, "packages/web/dist"), { recursive: true });
  for (const file of ["index.html", "dist/index.html"]) await writeFile(join(house, "packages/web", file), "");
  await writeFile(join(house, ".tools/web-built"), "");
  expect((await run(launcher, ["up"])).stderr).toBe("");
  await run("touch", ["-d", "2020-01-01", join(house, ".tools/web-built")]);
  expect((await run(launcher, ["up"])).stderr).toContain("set-up ran");
});

test("without a Node for the set-up one line says what to do", async () => {
  await writeFile(join(house, "package-lock.json"), '{"newer":1}');
  const bin = join(dir.path, "bin");
  await mkdir(bin);
  for (const tool of ["dirname", "readlink", "cmp"]) await symlink(join("/usr/bin", tool), join(bin, tool));
  const failure: unknown = await run("/bin/sh", [join(house, "althing"), "up"], { env: { PATH: bin } }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 1, stderr: expect.stringMatching(/^althing: Node 20 or newer.*\n$/) as string });
});

test("the launcher is executable and free of what POSIX sh lacks", async () => {
  const text = await readFile(join(repositoryRoot, "althing"), "utf8");
  expect(text.startsWith("#!/bin/sh\n")).toBe(true);
  expect(text).not.toMatch(/\[\[|\blocal\b|\bfunction\b|<\(|\$'/);
});
