/** From SQLite to JetStream in place: killed at every border nothing is lost, and the same command ends it. */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAppError, type AppError } from "@althing/contract";
import { digestCollections, openSqliteClaims, openSqliteStore } from "@althing/store";
import { findNatsServer, tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { backUp, configOf, nowMs, oneShot, readTar, recorded, restore } from "../../test/backup-tools.ts";
import { beforeKvPlace, migrateToKv, settleMigration, undoMigration } from "./migrate-to-kv.ts";

let dir: TempDir;
const at = (...names: string[]) => join(dir.path, ...names);
const data = () => at("data");
beforeEach(async () => {
  dir = await tempDir();
  await restore(recorded, data());
});
afterEach(() => dir.remove());

async function refused(work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    if (isAppError(error)) return error;
    throw error;
  }
  throw new Error("it was taken");
}

const migrate = async (more: Partial<Parameters<typeof migrateToKv>[0]> = {}) =>
  migrateToKv({
    ...{ config: configOf(data()), natsServer: await findNatsServer(), migrations: [] },
    ...{ nowMs: () => nowMs, progress: () => undefined },
    ...more,
  });
const storeOf = (root: string) => (JSON.parse(readFileSync(join(root, "format.json"), "utf8")) as { store: string }).store;
const leftovers = () => readdirSync(dir.path).filter((name) => name.startsWith(".althing-"));

/** All that a backup of the folder holds, but for what differs between two of one content. */
async function contentOf(name: string) {
  const file = at(`${name}.backup`);
  const { counts, instance } = await backUp(data(), file);
  const parts = await readTar(file);
  const files = parts
    .filter((part) => part.header.name.endsWith(".db"))
    .map(({ header, bytes }) => {
      const path = at(`${name}-${header.name.slice(6)}`);
      writeFileSync(path, bytes);
      return { path };
    });
  const objects = parts.map((part) => part.header.name).filter((part) => /^(?:blobs|bundles)\//.test(part));
  return { counts, instance, objects: objects.toSorted(), records: Object.fromEntries(digestCollections(files)) };
}

test(
  "every record, object, message and claim is there, the log of executions too; the folder of before stays until it is settled",
  { timeout: 120_000 },
  async () => {
    const executions = await openSqliteStore({ path: at("data", "state", "executions.db"), migrations: [] });
    await executions.collection({ name: "ext-usage", schema: z.object({ calls: z.int() }) }).put(["c", "i", "h", "n"], { calls: 7 });
    await executions.close();
    const claims = openSqliteClaims({ path: at("data", "state", "claims.db"), clock: { now: () => nowMs } });
    await claims.claim("nonce", nowMs + 60_000);
    await claims.close();
    const before = await contentOf("before");
    const moved = await migrate();
    expect(moved.written).toMatchObject({ messages: 3, objects: 1, claims: 1 });
    expect([storeOf(data()), storeOf(beforeKvPlace(data()))]).toEqual(["kv", "sqlite"]);
    expect(readdirSync(at("data", "state"))).toEqual([]);
    const after = await contentOf("after");
    expect(after).toEqual(before);
    expect(after.records["ext-usage"]?.records).toBe(1);
    // Again: what is missing is the look and the end.
    expect(await migrate()).toEqual({ data: data(), before: beforeKvPlace(data()) });
    expect(await settleMigration(data())).toBe(true);
    expect(await settleMigration(data())).toBe(false);
    expect(await refused(migrate())).toMatchObject({ code: "migrate.refused" });
    expect(leftovers()).toEqual([]);
  },
);

test("killed at any border, the folder is the old or the new one, and running it again ends it", { timeout: 240_000 }, async () => {
  const input = { config: { data: data() }, natsServer: await findNatsServer() };
  const before = await contentOf("before");
  for (const border of ["objects", "messages", "records", "comparing", "compared; changing places"]) {
    const run = oneShot("migrate-to-kv", data(), input);
    await run.said(border);
    run.child.kill("SIGKILL");
    await run.answer;
    const isMissing = !existsSync(data());
    const wasMoved = isMissing || storeOf(data()) === "kv";
    if (isMissing) expect(existsSync(`${data()}.incoming`), border).toBe(true);
    if (wasMoved) {
      await migrate();
      await undoMigration(data());
    }
    expect(storeOf(data()), border).toBe("sqlite");
  }
  const again = await oneShot("migrate-to-kv", data(), input).answer;
  expect(again).toMatchObject({ code: 0 });
  const { counts, records } = await contentOf("after");
  expect({ counts, records }).toEqual({ counts: before.counts, records: before.records });
  expect(leftovers()).toEqual([]);
});

test("cut off between the two renames it goes on; taken back, the old folder is as it was", { timeout: 120_000 }, async () => {
  await migrate();
  // As a kill between them leaves it.
  renameSync(data(), `${data()}.incoming`);
  expect((await migrate()).written).toBeUndefined();
  expect(storeOf(data())).toBe("kv");
  await undoMigration(data());
  expect([storeOf(data()), existsSync(beforeKvPlace(data())), existsSync(`${data()}.incoming`)]).toEqual(["sqlite", false, false]);
  // Taken back by half: the new one waits, the old one is aside.
  await migrate();
  renameSync(data(), `${data()}.incoming`);
  renameSync(beforeKvPlace(data()), data());
  expect((await migrate()).written?.messages).toBe(3);
});

test("what cannot be moved is refused before anything is touched", { timeout: 60_000 }, async () => {
  const external = { ...configOf(data()), nats_url: "nats://127.0.0.1:4222", nats_acl_file: at("acl"), nats_pid_file: at("pid") };
  expect(await refused(migrate({ config: external }))).toMatchObject({ code: "migrate.refused" });
  expect(await refused(migrate({ config: configOf(at("nowhere")) }))).toMatchObject({ code: "data.not_found" });
  expect(await refused(migrate({ migrations: [{ version: 1, describe: "a step", run: () => Promise.resolve() }] }))).toMatchObject({
    code: "upgrade.needed",
  });
  writeFileSync(at("key"), `${Buffer.alloc(32, 1).toString("base64url")}\n`, { mode: 0o600 });
  expect(await refused(migrate({ config: { ...configOf(data()), at_rest_key_file: at("key") } }))).toMatchObject({
    code: "encryption.not_enabled",
  });
  expect([storeOf(data()), existsSync(beforeKvPlace(data())), leftovers()]).toEqual(["sqlite", false, []]);
});

test("an encrypted instance stays encrypted, and is not moved without its key", { timeout: 120_000 }, async () => {
  writeFileSync(at("key"), `${Buffer.alloc(32, 1).toString("base64url")}\n`, { mode: 0o600 });
  const config = { ...configOf(at("sealed")), at_rest_key_file: at("key") };
  await restore(recorded, at("sealed"), { config });
  expect(await refused(migrate({ config: configOf(at("sealed")) }))).toMatchObject({ code: "encryption.key_missing" });
  const seen = await backUp(at("sealed"), at("a.backup"), { config });
  await migrate({ config });
  const report = await backUp(at("sealed"), at("b.backup"), { config });
  expect([seen.encrypted, report.encrypted]).toEqual([true, true]);
  expect(report.counts).toEqual(seen.counts);
  const filesWithHandle = (folder: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes('"handle":"alice"'))
      .map((entry) => entry.name);
  expect(filesWithHandle(at("sealed"))).toEqual([]);
  await migrate();
  expect(filesWithHandle(join(data(), "nats", "js"))).not.toEqual([]);
  const unlock = { identities: [readFileSync(at("key"), "utf8").trim()] };
  expect((await restore(at("b.backup"), at("plain"), { unlock })).store).toBe("sqlite");
});
