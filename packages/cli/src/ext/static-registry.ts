/**
 * A static registry: a folder of packed bundles with their signatures, and the signed `index.json` that names them.
 *
 * Invariant: every bundle is judged before it is named; the number of a list is one more than that of the list it takes the place of, so that no instance that
 * saw the old one takes the new one for a roll-back. docs/architecture/registry.md.
 */
import { extensionIdSchema } from "@althing/contract";
import type { RegistryIndexEntry } from "@althing/extension/registry-index";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { usageError, type Context } from "../context.ts";
import { readBundleFile, signatureNameOf } from "./bundle-file.ts";
import type { Publisher } from "./publisher-keys.ts";

export interface WrittenRegistry {
  readonly file: string;
  readonly version: number;
  readonly expires: string;
  readonly packages: readonly RegistryIndexEntry[];
}

async function entryOf(context: Context, folder: string, file: string): Promise<RegistryIndexEntry> {
  const { bundle, signature, contentHash, manifest } = await readBundleFile(context, join(folder, file));
  if (signature === undefined) throw usageError(`${file} has no ${signatureNameOf(file)} beside it: a registry offers signed bundles`);
  const { name, version } = manifest;
  return { name: extensionIdSchema.parse(name), version, contentHash, bytes: bundle.length, path: file, signature: signatureNameOf(file) };
}

/** Of the list that is there. @throws {cli.usage} it is none */
async function versionOf(path: string): Promise<number> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return 0;
  const { registryIndexSchema } = await import("@althing/extension/registry-index");
  try {
    const { payload } = JSON.parse(text) as { payload: unknown };
    return registryIndexSchema.parse(JSON.parse(Buffer.from(String(payload), "base64").toString("utf8"))).version;
  } catch {
    throw usageError(`${path} is no registry's index; take it away to begin a new one`);
  }
}

/** @throws {cli.usage} {bundle.malformed} {manifest.invalid} {trust.malformed} {registry.index_invalid} */
export async function writeStaticRegistry(context: Context, folder: string, publisher: Publisher, days: number): Promise<WrittenRegistry> {
  const { signRegistryIndex } = await import("@althing/extension/registry-index");
  const files = (await readdir(folder)).filter((name) => name.endsWith(".althing")).sort();
  if (files.length === 0) throw usageError(`${folder} holds no packed bundle (*.althing)`);
  const packages: RegistryIndexEntry[] = [];
  for (const file of files) packages.push(await entryOf(context, folder, file));
  const path = join(folder, "index.json");
  const version = (await versionOf(path)) + 1;
  const expires = new Date(context.host.now() + days * 24 * 60 * 60_000).toISOString();
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, signRegistryIndex({ version, expires, packages }, publisher.signer));
  await rename(draft, path);
  return { file: path, version, expires, packages };
}
