/**
 * The chosen place of bundles: what it lacks is found at the start.
 */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { resolveConfig } from "@althing/contract";
import { tempDir } from "@althing/testkit";
import { openBundleObjects } from "./bundle-objects.ts";
import { openDataFolder } from "./data-folder.ts";

async function place(flags: Record<string, unknown>) {
  const dir = await tempDir();
  onTestFinished(() => dir.remove());
  const { config } = resolveConfig({ flags: { data: join(dir.path, "data"), ...flags }, env: {}, file: {} });
  const folder = await openDataFolder(config.data, config.store);
  onTestFinished(() => folder.close());
  return { config, folder };
}

/** The places of these tests ask nothing of NATS. */
const noNats = {
  get account(): never {
    throw new Error("NATS was asked");
  },
};

it("keeps bundles in the data folder by default", async () => {
  const { config, folder } = await place({});
  const objects = await openBundleObjects(config, folder, noNats);
  const bytes = new TextEncoder().encode("a bundle");
  await objects.put(createHash("sha256").update(bytes).digest("hex"), bytes);
  await objects.close();
  expect(readdirSync(folder.paths.bundles).filter((name) => name !== "staging")).toHaveLength(1);
});

it.each([
  [{ bundle_store: "s3", s3_credentials: "c.json" }, "s3_endpoint"],
  [{ bundle_store: "s3", s3_endpoint: "https://s3.example.org/b" }, "s3_credentials"],
])("names what a bucket lacks: %j", async (flags, key) => {
  const { config, folder } = await place(flags);
  await expect(openBundleObjects(config, folder, noNats)).rejects.toMatchObject({ code: "config.invalid", params: { key } });
});
