/** State in files: whole or not at all, private, and shared by processes without damage. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openFileState } from "./state-file.ts";

const name = "room/01J00000000000000000000000";
let directory = "";
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "althing-state-")), "me.state");
});
afterEach(() => rm(join(directory, ".."), { recursive: true, force: true }));

describe("state in files", () => {
  it("gives back what was saved, and what was appended since, to the next run", async () => {
    const first = await openFileState(directory);
    await first.save("pins", { handles: { ada: "x" } });
    await first.save(name, { n: 1 });
    await first.append(name, { n: 2 });
    await first.append(name, { n: 3 });
    await first.close();
    const second = await openFileState(directory);
    expect(await second.load("pins")).toEqual({ handles: { ada: "x" } });
    expect(await second.load(name)).toEqual({ n: 1 });
    expect(await second.entries(name)).toEqual([{ n: 2 }, { n: 3 }]);
    await second.update(name, (stored, entries) => ({ stored, entries }));
    expect(await second.load(name)).toEqual({ stored: { n: 1 }, entries: [{ n: 2 }, { n: 3 }] });
    expect(await second.entries(name)).toEqual([]);
    await second.close();
  });

  it("keeps what is appended while a merge is written", async () => {
    const state = await openFileState(directory);
    await state.append(name, { n: 1 });
    await state.update(name, (_stored, entries) => {
      void state.append(name, { n: 2 });
      return entries.length;
    });
    expect(await state.load(name)).toBe(1);
    expect(await state.entries(name)).toContainEqual({ n: 2 });
    await state.update(name, (_stored, entries) => entries.length);
    expect(await state.entries(name)).toEqual([]);
    await state.close();
  });

  it("keeps everything from other users of the machine", async () => {
    const state = await openFileState(directory);
    await state.save("pins", {});
    await state.append(name, {});
    await state.close();
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    for (const file of await readdir(directory)) expect((await stat(join(directory, file))).mode & 0o077).toBe(0);
  });

  it("refuses a folder or file that others can read", async () => {
    const state = await openFileState(directory);
    await state.save("pins", {});
    await chmod(join(directory, "pins.json"), 0o644);
    await expect(state.load("pins")).rejects.toMatchObject({ code: "data.mode" });
    await state.close();
    await chmod(directory, 0o755);
    await expect(openFileState(directory)).rejects.toMatchObject({ code: "data.mode" });
  });

  it("says that a damaged file is damaged, and leaves it", async () => {
    const state = await openFileState(directory);
    await writeFile(join(directory, "pins.json"), "{", { mode: 0o600 });
    await expect(state.load("pins")).rejects.toMatchObject({ code: "state.corrupt" });
    await expect(state.update("pins", () => ({}))).rejects.toMatchObject({ code: "state.corrupt" });
    expect(await readFile(join(directory, "pins.json"), "utf8")).toBe("{");
    await state.close();
  });

  it("ignores the line that the end of a process tore", async () => {
    const state = await openFileState(directory);
    await state.append(name, { n: 1 });
    await appendFile(join(directory, "room-01J00000000000000000000000.log"), '{"n":');
    expect(await state.entries(name)).toEqual([{ n: 1 }]);
    await state.close();
  });

  it("loses no merge when several processes write at once, and outlives one that died with the lock", async () => {
    const code = `
      import { openFileState } from ${JSON.stringify(new URL("state-file.ts", import.meta.url).href)};
      const state = await openFileState(${JSON.stringify(directory)});
      for (let i = 0; i < 20; i += 1) await state.update("pins", (stored) => ({ n: (stored?.n ?? 0) + 1 }));
      await state.close();`;
    const dead = spawn(process.execPath, ["-e", ""]);
    await once(dead, "exit");
    const state = await openFileState(directory);
    await writeFile(join(directory, "lock"), String(dead.pid), { mode: 0o600 });
    const children = [1, 2, 3].map(() => spawn(process.execPath, ["--input-type=module-typescript", "-e", code], { stdio: "inherit" }));
    expect((await Promise.all(children.map((child) => once(child, "exit")))).map(([exit]: unknown[]) => exit)).toEqual([0, 0, 0]);
    expect(await state.load("pins")).toEqual({ n: 60 });
    await state.close();
  });
});
