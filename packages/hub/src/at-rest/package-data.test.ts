/** What packages leave behind (a secret, records of their own, a row in the log of executions): readable before, by nobody without the key afterwards. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { communityIdSchema, extensionIdSchema } from "@althing/contract";
import { createKvStore, createSecretVault } from "@althing/extension";
import { openSqliteStore } from "@althing/store";
import { findNatsServer, tempDir } from "@althing/testkit";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { filesWith, newKeyFile } from "../../test/at-rest-tools.ts";
import { recorded, restore } from "../../test/backup-tools.ts";
import { dataPaths, openDataFolder } from "../data-folder.ts";
import { plainAtRest, readAtRest, type AtRest } from "./at-rest.ts";
import { removeBefore, rewriteData } from "./rewrite-data.ts";

const here = {
  community: communityIdSchema.parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
  extension: extensionIdSchema.parse("org.example.orchard"),
};
/** Values are kept in base64. */
const value = Buffer.from("forty baskets of pears").toString("base64").slice(0, 24);
const known = ["org.example.orchard", "the-pear-harvest", value, "ORCHARD_API_KEY", "a path that was called"];
const rows = { name: "known-executions", schema: z.object({ path: z.string() }) };

/** The secrets key is the instance's, and goes with it. */
async function withPackageData<T>(
  data: string,
  atRest: AtRest,
  work: (parts: {
    readonly kv: ReturnType<typeof createKvStore>;
    readonly vault: ReturnType<typeof createSecretVault>;
    readonly calls: ReturnType<Awaited<ReturnType<typeof openSqliteStore>>["collection"]>;
  }) => Promise<T>,
): Promise<T> {
  const { stateDb, executionsDb } = dataPaths(data);
  const store = await openSqliteStore({ path: stateDb, migrations: [], ...atRest.sqlite });
  const executions = await openSqliteStore({ path: executionsDb, migrations: [], ...atRest.executions });
  try {
    const vault = createSecretVault({ store, clock: Date, secretsKey: new Uint8Array(32).fill(7) });
    return await work({ kv: createKvStore({ store, clock: Date }), vault, calls: executions.collection(rows) });
  } finally {
    await store.close();
    await executions.close();
  }
}

test("secrets, records and executions of packages are there under the key, and in no file in the clear", { timeout: 60_000 }, async () => {
  const dir = await tempDir();
  onTestFinished(() => dir.remove());
  const data = join(dir.path, "data");
  await restore(recorded, data);
  (await openDataFolder(data, "sqlite")).close();
  await withPackageData(data, plainAtRest, async ({ kv, vault, calls }) => {
    await kv.put(here, { key: "the-pear-harvest", value: Buffer.from("forty baskets of pears"), quotaBytes: 10_000 });
    await vault.put(here, "ORCHARD_API_KEY", { value: "s3cr3t-of-the-orchard", hosts: ["api.example.org"] });
    await calls.put(["one"], { path: "a path that was called" });
  });
  expect(filesWith(data, known).length).toBeGreaterThanOrEqual(4);
  const to = await readAtRest(newKeyFile(join(dir.path, "one.key")), data);
  await rewriteData({ data, from: plainAtRest, to, natsServer: await findNatsServer(), progress: () => undefined });
  await removeBefore(data);
  const secret = ["s3cr3t-of-the-orchard", readFileSync(join(dir.path, "one.key"), "utf8").trim()];
  expect(filesWith(data, [...known, ...secret])).toEqual([]);
  await withPackageData(data, to, async ({ kv, vault, calls }) => {
    expect(Buffer.from((await kv.get(here, "the-pear-harvest"))?.value ?? "").toString()).toBe("forty baskets of pears");
    expect(await vault.open(here, "ORCHARD_API_KEY")).toMatchObject({ value: "s3cr3t-of-the-orchard" });
    expect((await calls.get(["one"]))?.value).toEqual({ path: "a path that was called" });
    // While it is open its log holds nothing either.
    await kv.put(here, { key: "the-pear-harvest", value: Buffer.from("forty baskets of pears"), quotaBytes: 10_000 });
    expect(filesWith(data, known)).toEqual([]);
  });
});
