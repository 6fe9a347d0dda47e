import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { describeObjects, flipped, keyOf } from "../test/objects.contract.ts";
import { openFolderObjects } from "./open-folder-objects.ts";

const place = async () => {
  const folder = mkdtempSync(join(tmpdir(), "althing-objects-"));
  const path = join(folder, "blobs");
  return {
    path,
    open: async () => openFolderObjects({ path }),
    files: async () =>
      readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    async damage(key: string) {
      const file = join(path, key.slice(0, 2), key);
      writeFileSync(file, flipped(readFileSync(file)));
    },
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
  };
};

describeObjects("folder", true, place);

const bytes = new Uint8Array([1, 2, 3, 4]);
const key = keyOf(bytes);

test("folder: files are 0600, folders 0700", async () => {
  await using here = await place();
  await (await here.open()).put(key, bytes);
  const [file = ""] = await here.files();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  for (const folder of [here.path, dirname(file), join(here.path, "staging")]) expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test("folder: a changed bit on the disk is store.corrupt, and putting the object again heals it", async () => {
  await using here = await place();
  const objects = await here.open();
  await objects.put(key, bytes);
  const [file = ""] = await here.files();
  writeFileSync(file, new Uint8Array([1, 2, 3, 5]));
  await expect(objects.get(key)).rejects.toMatchObject({ code: "store.corrupt" });
  expect([...readFileSync(file)]).toEqual([1, 2, 3, 5]);
  await objects.put(key, bytes);
  expect([...(await objects.get(key))]).toEqual([1, 2, 3, 4]);
});

test("folder: what a killed process left in staging is removed at the next open, what a running one writes is not", async () => {
  await using here = await place();
  const objects = await here.open();
  await objects.put(key, bytes);
  const staging = join(here.path, "staging");
  const program = `
    import { openFolderObjects } from ${JSON.stringify(new URL("./open-folder-objects.ts", import.meta.url).href)};
    const objects = openFolderObjects({ path: ${JSON.stringify(here.path)} });
    async function* slow() { for (;;) { yield new Uint8Array(1000); process.stdout.write("."); await new Promise((r) => setTimeout(r, 5)); } }
    await objects.put("0".repeat(64), slow());`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  await here.open();
  expect(readdirSync(staging)).toHaveLength(1);
  child.kill("SIGKILL");
  await gone;
  expect(readdirSync(staging)).toHaveLength(1);
  const mine = join(staging, `${process.pid}-running`);
  const old = join(staging, `${process.pid}-old`);
  writeFileSync(mine, "x");
  writeFileSync(old, "x");
  writeFileSync(join(staging, "junk"), "x");
  utimesSync(old, 1, 1);
  await here.open();
  expect(readdirSync(staging)).toEqual([`${process.pid}-running`]);
  expect([...(await objects.get(key))]).toEqual([1, 2, 3, 4]);
});

test("folder: a folder that cannot be used is store.unavailable", async () => {
  await using here = await place();
  mkdirSync(dirname(here.path), { recursive: true });
  writeFileSync(here.path, "a file");
  expect(() => openFolderObjects({ path: here.path })).toThrow(expect.objectContaining({ code: "store.unavailable" }));
});
