/** Records of an older schema brought forward, what fails on the way, and the way back. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openCollections } from "@althing/bus";
import { AppError, isAppError } from "@althing/contract";
import { openSqliteStore, type Migration } from "@althing/store";
import { findNatsServer, tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { backUp, configOf, nowMs, recorded, restore } from "../../test/backup-tools.ts";
import { dataPaths } from "../data-folder.ts";
import { requireUpgraded } from "./require-upgraded.ts";
import { newestUpgradeBackup, newUpgradeBackup, rollBack, upgradeData } from "./upgrade-data.ts";

let dir: TempDir;
const at = (...names: string[]) => join(dir.path, ...names);
const data = () => at("data");
const mottoes = { name: "mottoes", schema: z.object({ text: z.string() }) };

/** A released version of the future: every user gets a motto. */
const addMottoes: Migration = {
  version: 1,
  describe: "mottoes",
  async run(store) {
    const { records } = await openCollections(store).users.list({ limit: 1_000 });
    for (const { key, value } of records) await store.collection(mottoes).put(key, { text: `I am ${value.handle}` });
  },
};
const breakOff: Migration = {
  version: 2,
  describe: "breaks off",
  async run(store) {
    const users = openCollections(store).users;
    for (const { key } of (await users.list()).records) await users.delete(key);
    throw new AppError("store.value_invalid", { collection: "users", detail: "planted" });
  },
};
/** It ends well and has lost people. */
const loseUsers: Migration = { ...breakOff, describe: "loses people", run: (store) => breakOff.run(store).catch(() => undefined) };

const upgrade = (migrations: readonly Migration[]) =>
  upgradeData({ data: data(), migrations, backup: "x.backup", schema: 0, progress: () => undefined });
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "taken",
    (error: unknown) => (isAppError(error) ? error.code : String(error)),
  );
const stateHash = () =>
  createHash("sha256")
    .update(readFileSync(dataPaths(data()).stateDb))
    .digest("hex");

async function mottoesOf(migrations: readonly Migration[]): Promise<string[]> {
  const store = await openSqliteStore({ path: dataPaths(data()).stateDb, migrations });
  const { records } = await store.collection(mottoes).list();
  await store.close();
  return records.map(({ value }) => value.text).toSorted();
}

beforeEach(async () => {
  dir = await tempDir();
  await restore(recorded, data());
});
afterEach(() => dir.remove());

describe("an older folder", () => {
  test("is refused by whoever would serve it, and is brought forward by an upgrade, once", async () => {
    const paths = dataPaths(data());
    expect(await codeOf(requireUpgraded(paths, [addMottoes]))).toBe("upgrade.needed");
    expect(await upgrade([addMottoes])).toEqual({ from: 0, to: 1 });
    await requireUpgraded(paths, [addMottoes]);
    expect(await mottoesOf([addMottoes])).toEqual(["I am alice", "I am bob"]);
    const before = stateHash();
    expect(await upgrade([addMottoes])).toEqual({ from: 1, to: 1 });
    expect(stateHash()).toBe(before);
    expect(readdirSync(at("data", "state")).toSorted()).toEqual(["executions.db", "state.db"]);
  });

  test.each([
    ["that throws", breakOff],
    ["that loses people", loseUsers],
  ])("a second step %s undoes the first as well: not a byte is another", async (_, second) => {
    const before = stateHash();
    const why = await upgrade([addMottoes, second]).catch((error: unknown) => error);
    expect(why).toMatchObject({ code: "upgrade.failed", params: { backup: "x.backup" } });
    expect(stateHash()).toBe(before);
    expect(await upgrade([addMottoes])).toEqual({ from: 0, to: 1 });
  });

  test("a backup of it keeps its schema, and restores where a newer program runs", { timeout: 30_000 }, async () => {
    expect((await backUp(data(), at("old.backup"), { migrations: [addMottoes] })).schema).toBe(0);
    await restore(at("old.backup"), at("two"), { migrations: [addMottoes] });
    expect(await codeOf(requireUpgraded(dataPaths(at("two")), [addMottoes]))).toBe("upgrade.needed");
    await upgrade([addMottoes]);
    await backUp(data(), at("new.backup"), { migrations: [addMottoes] });
    expect(await codeOf(restore(at("new.backup"), at("three")))).toBe("backup.version");
  });
});

test("a newer folder is refused with both versions, and stays", async () => {
  await upgrade([addMottoes]);
  const before = stateHash();
  const { stateDb } = dataPaths(data());
  for (const work of [() => upgrade([]), () => backUp(data(), at("x.backup")), () => openSqliteStore({ path: stateDb, migrations: [] })])
    expect(await codeOf(work())).toBe("store.version");
  expect(stateHash()).toBe(before);
  writeFileSync(at("data", "format.json"), '{"version":2,"store":"sqlite","founded":true}');
  expect(await codeOf(upgrade([addMottoes]))).toBe("store.version");
});

test("a folder that is in use is refused", async () => {
  const { lockFolder } = await import("./data-source.ts");
  const lock = await lockFolder(dataPaths(data()));
  // The same process may lock again: another one is asked.
  const { oneShot } = await import("../../test/backup-tools.ts");
  const { value } = await oneShot("upgrade", data(), { backup: "x", schema: 0 }).answer;
  expect(value).toMatchObject({ code: "data.locked" });
  lock.close();
});

describe("the way back", () => {
  const options = async (file: string) => ({
    config: configOf(data()),
    natsServer: await findNatsServer(),
    file,
    unlock: {},
    migrations: [addMottoes],
    nowMs: () => nowMs,
    progress: () => undefined,
  });

  test("leads to the newest backup of an upgrade, and sets aside what is there", { timeout: 30_000 }, async () => {
    expect(await codeOf(newestUpgradeBackup(data()))).toBe("rollback.no_backup");
    const older = await newUpgradeBackup(data(), "9.0.0", nowMs - 1_000);
    const newer = await newUpgradeBackup(data(), "0.1.0", nowMs);
    for (const file of [older, newer]) await backUp(data(), file);
    writeFileSync(join(at("data.upgrades"), "notes.txt"), "not a backup");
    expect(await newestUpgradeBackup(data())).toBe(newer);
    await upgrade([addMottoes]);
    const back = await rollBack(await options(newer));
    expect(await codeOf(requireUpgraded(dataPaths(data()), [addMottoes]))).toBe("upgrade.needed");
    expect(readdirSync(back.replaced ?? "")).toContain("state");
  });

  test(
    "is gone on with when it was cut off while the folder was away, and changes nothing when the backup is damaged",
    { timeout: 30_000 },
    async () => {
      await backUp(data(), at("x.backup"));
      const bytes = readFileSync(at("x.backup"));
      writeFileSync(at("bad.backup"), bytes.subarray(0, bytes.length / 2));
      const before = stateHash();
      expect(await codeOf(rollBack(await options(at("bad.backup"))))).toBe("backup.damaged");
      expect(stateHash()).toBe(before);
      mkdirSync(at("elsewhere"));
      const { renameSync } = await import("node:fs");
      renameSync(data(), at("elsewhere", "data"));
      const back = await rollBack(await options(at("x.backup")));
      expect([back.replaced, back.data]).toEqual([undefined, data()]);
      await requireUpgraded(dataPaths(data()), []);
    },
  );
});
