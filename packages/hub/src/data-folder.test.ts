/** Modes, locks, missing and damaged files: refused, and left as they were. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hasCode, type ErrorCode } from "@althing/contract";
import { tempDir } from "@althing/testkit";
import { openDataFolder } from "./data-folder.ts";
import { writePrivateFile } from "./private-file.ts";

let dir: Awaited<ReturnType<typeof tempDir>>;
let data: string;
beforeEach(async () => {
  dir = await tempDir();
  data = join(dir.path, "data");
});
afterEach(() => dir[Symbol.asyncDispose]());

async function codeOf(opening: Promise<{ close(): void }>): Promise<ErrorCode | "opened"> {
  try {
    (await opening).close();
    return "opened";
  } catch (error) {
    if (hasCode(error, "data.mode", "data.corrupt", "data.key_missing", "data.locked", "store.version", "config.invalid"))
      return error.code;
    throw error;
  }
}

async function openOnce(found = false): Promise<void> {
  const folder = await openDataFolder(data, "sqlite");
  if (found) {
    await writeFile(folder.paths.stateDb, "data", { mode: 0o600 });
    await folder.markFounded();
  }
  folder.close();
}

test("a new folder is 0700 and its keys 0600; the second opening finds the same keys", async () => {
  const first = await openDataFolder(data, "sqlite");
  first.close();
  expect((await stat(data)).mode & 0o777).toBe(0o700);
  for (const name of ["hub.nkey", "sys.nkey", "instance.json"]) expect((await stat(join(data, "keys", name))).mode & 0o777).toBe(0o600);
  const second = await openDataFolder(data, "sqlite");
  second.close();
  expect(second.keys).toEqual(first.keys);
  expect(new Set([first.keys.hubPublic, first.keys.sysPublic]).size).toBe(2);
});

test("a node of a cluster is prepared with the instance's keys; its own are made at the first start", async () => {
  await openOnce();
  const shared = await readFile(join(data, "keys", "instance.json"), "utf8");
  await rm(data, { recursive: true });
  await mkdir(join(data, "keys"), { recursive: true, mode: 0o700 });
  await chmod(data, 0o700);
  await writeFile(join(data, "keys", "instance.json"), shared, { mode: 0o600 });
  const folder = await openDataFolder(data, "kv");
  folder.close();
  expect(Buffer.from(folder.keys.nameKey).toString("base64url")).toBe((JSON.parse(shared) as { nameKey: string }).nameKey);
  expect(await readFile(join(data, "keys", "instance.json"), "utf8")).toBe(shared);
});

test("a node of a cluster without the instance's keys is refused, makes none, and starts once it has them", async () => {
  await openOnce();
  const shared = await readFile(join(data, "keys", "instance.json"), "utf8");
  await rm(data, { recursive: true });
  for (let tries = 0; tries < 2; tries++) {
    await expect(openDataFolder(data, "kv", undefined, true)).rejects.toMatchObject({
      code: "data.key_missing",
      params: { path: join(data, "keys", "instance.json") },
      message: expect.stringContaining("althing cluster init"),
    });
    await expect(stat(join(data, "keys", "instance.json"))).rejects.toThrow("ENOENT");
  }
  await writeFile(join(data, "keys", "instance.json"), shared, { mode: 0o600 });
  const folder = await openDataFolder(data, "kv", undefined, true);
  folder.close();
  expect(Buffer.from(folder.keys.nameKey).toString("base64url")).toBe((JSON.parse(shared) as { nameKey: string }).nameKey);
});

test.each(["keys/hub.nkey", "nats/js/x", "blobs/x"])(
  "instance keys beside %s without a format are damage, no preparation",
  async (name) => {
    await openOnce();
    await rm(join(data, "format.json"));
    for (const key of ["hub.nkey", "sys.nkey"]) await rm(join(data, "keys", key));
    await mkdir(join(data, name, ".."), { recursive: true, mode: 0o700 });
    await writeFile(join(data, name), "data", { mode: 0o600 });
    expect(await codeOf(openDataFolder(data, "kv"))).toBe("data.corrupt");
  },
);

test.each(["", "keys", "nats", "state", "run", "blobs"])("a folder open to others is refused: %s", async (name) => {
  await openOnce();
  await chmod(join(data, name), 0o755);
  expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("data.mode");
  expect((await stat(join(data, name))).mode & 0o777).toBe(0o755);
});

test.each(["keys/hub.nkey", "keys/sys.nkey", "keys/instance.json", "format.json"])("a file open to others is refused: %s", async (name) => {
  await openOnce();
  await chmod(join(data, name), 0o640);
  expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("data.mode");
});

test.each([
  ["keys/hub.nkey", "SUAAAA"],
  ["keys/sys.nkey", ""],
  ["keys/instance.json", "{"],
  ["keys/instance.json", '{"version":1}'],
  ["format.json", "x"],
  ["format.json", '{"version":"1"}'],
])("a damaged file is refused and left as it was: %s = %s", async (name, text) => {
  await openOnce(true);
  await writeFile(join(data, name), text);
  expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("data.corrupt");
  expect(await readFile(join(data, name), "utf8")).toBe(text);
});

test("a key file that is a link is refused", async () => {
  await openOnce();
  const path = join(data, "keys", "hub.nkey");
  await writePrivateFile(join(dir.path, "elsewhere"), await readFile(path, "utf8"));
  await rm(path);
  await symlink(join(dir.path, "elsewhere"), path);
  expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("data.corrupt");
});

test.each(["hub.nkey", "sys.nkey", "instance.json"])(
  "a missing key of a folder with data is an error and is not made anew: %s",
  async (name) => {
    await openOnce(true);
    await rm(join(data, "keys", name));
    expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("data.key_missing");
    await expect(stat(join(data, "keys", name))).rejects.toThrow();
  },
);

test("a missing state of a founded folder is an error, and so is a missing format", async () => {
  await openOnce(true);
  await rm(join(data, "state", "state.db"));
  expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("data.corrupt");
  await rm(join(data, "format.json"));
  expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("data.corrupt");
});

test("a first start that was cut off before the state was made goes on", async () => {
  await openOnce();
  await mkdir(join(data, "nats", "js"));
  await writeFile(join(data, "nats", "js", "x"), "");
  expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("opened");
});

test("another version or another store is refused", async () => {
  await openOnce();
  expect(await codeOf(openDataFolder(data, "kv"))).toBe("config.invalid");
  await writeFile(join(data, "format.json"), '{"version":2,"store":"sqlite","founded":true}');
  expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("store.version");
});

test("a folder in use by another process is refused with its pid, and free once that is killed", async () => {
  const script = `import("${new URL("./data-folder.ts", import.meta.url).href}").then((m) => m.openDataFolder(${JSON.stringify(data)}, "sqlite")).then(() => { console.log("open"); setInterval(() => {}, 1000); })`;
  const holder = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  await expect(openDataFolder(data, "sqlite")).rejects.toMatchObject({ code: "data.locked", params: { pid: String(holder.pid) } });
  const gone = once(holder, "exit");
  holder.kill("SIGKILL");
  await gone;
  expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("opened");
});
