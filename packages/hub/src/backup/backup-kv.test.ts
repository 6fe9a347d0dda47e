/** Backups of an instance that has its records in JetStream: one form whatever kept them, there and back. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clusterOf, isAppError, resolveConfig, type AppError } from "@althing/contract";
import { digestCollections } from "@althing/store";
import { findNatsServer, tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { backUp, configOf, readTar, recorded, restore, verify } from "../../test/backup-tools.ts";
import { createBackup } from "./create-backup.ts";
import { readInstanceKeys } from "./read-instance-keys.ts";

let dir: TempDir;
const at = (...names: string[]) => join(dir.path, ...names);
beforeEach(async () => {
  dir = await tempDir();
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

/** The records of a backup's file, without their revisions. */
async function recordsOf(file: string, name: string) {
  const files = [];
  for (const { header, bytes } of await readTar(file)) {
    if (!/^state\/.*\.db$/.test(header.name)) continue;
    const path = at(`${name}-${header.name.slice(6)}`);
    writeFileSync(path, bytes);
    files.push({ path });
  }
  return digestCollections(files);
}

test("from SQLite to kv and back, nothing of it is another: records, messages, objects, chains", { timeout: 120_000 }, async () => {
  await restore(recorded, at("sqlite"));
  const first = await backUp(at("sqlite"), at("sqlite.backup"));
  const moved = await restore(at("sqlite.backup"), at("kv"), { store: "kv" });
  expect(moved.store).toBe("kv");
  expect(JSON.parse(readFileSync(at("kv", "format.json"), "utf8"))).toMatchObject({ store: "kv", founded: true });
  expect([existsSync(at("kv", "state", "state.db")), existsSync(at("kv", "nats", "js"))]).toEqual([false, true]);
  const second = await backUp(at("kv"), at("kv.backup"));
  expect(second).toMatchObject({ instance: first.instance, counts: first.counts, schema: first.schema });
  const back = await restore(at("kv.backup"), at("back"));
  expect(back.store).toBe("sqlite");
  const third = await backUp(at("back"), at("back.backup"));
  expect(third.counts).toEqual(first.counts);
  const [was, is, again] = [
    await recordsOf(at("sqlite.backup"), "a"),
    await recordsOf(at("kv.backup"), "b"),
    await recordsOf(at("back.backup"), "c"),
  ];
  expect(is).toEqual(was);
  expect(again).toEqual(was);
  expect(was.size).toBeGreaterThan(5);
});

test("a damaged part of a backup of kv is found and named", { timeout: 60_000 }, async () => {
  await restore(recorded, at("kv"), { store: "kv" });
  await backUp(at("kv"), at("kv.backup"));
  await verify(at("kv.backup"), dir.path);
  const bytes = readFileSync(at("kv.backup"));
  const spot = bytes.indexOf("SQLite format 3") + 5_000;
  bytes[spot] = (bytes[spot] ?? 0) ^ 1;
  writeFileSync(at("kv.backup"), bytes);
  expect(await refused(restore(at("kv.backup"), at("two"), { store: "kv" }))).toMatchObject({ code: "backup.damaged" });
  expect(existsSync(at("two"))).toBe(false);
});

test(
  "of a node of a cluster that stands still no backup is made, and into its settings none is restored",
  { timeout: 60_000 },
  async () => {
    await restore(recorded, at("kv"), { store: "kv" });
    const node = (n: number) => ({
      name: `n${n}`,
      url: `http://127.0.0.1:${n}1`,
      nats: `nats://127.0.0.1:${n}2`,
      route: `127.0.0.1:${n}3`,
    });
    const file = { store: "kv", bundle_store: "jetstream", node_name: "n1", cluster_nodes: [1, 2, 3].map(node), routes_host: "127.0.0.1" };
    const tls = { route_tls_cert: at("c"), route_tls_key: at("k"), route_tls_ca: at("ca") };
    const { config } = resolveConfig({ flags: { data: at("kv") }, env: {}, file: { ...file, ...tls } });
    expect(clusterOf(config)).toBeDefined();
    const options = {
      config,
      natsServer: await findNatsServer(),
      file: at("x.backup"),
      migrations: [],
      program: "0",
      nowMs: () => 0,
      progress: () => undefined,
    };
    expect(await refused(createBackup(options))).toMatchObject({ code: "backup.node_stopped" });
    expect(existsSync(at("x.backup"))).toBe(false);
    expect(await refused(restore(recorded, at("new"), { config: { ...config, data: at("new") } }))).toMatchObject({ code: "cli.usage" });
    expect(configOf(at("kv")).store).toBe("sqlite");
  },
);

test("the keys of a backup's instance are given of a whole file only", { timeout: 60_000 }, async () => {
  await restore(recorded, at("one"));
  expect(await readInstanceKeys({ file: recorded, unlock: {} })).toEqual(
    JSON.parse(readFileSync(at("one", "keys", "instance.json"), "utf8")),
  );
  const bytes = readFileSync(recorded);
  writeFileSync(at("cut.backup"), bytes.subarray(0, bytes.length - 4_096));
  expect(["backup.damaged", "backup.foreign"]).toContain((await refused(readInstanceKeys({ file: at("cut.backup"), unlock: {} }))).code);
});
