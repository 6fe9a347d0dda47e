/**
 * Reads a prepared component for a sandbox: glue and modules, each checked against its hash.
 *
 * The bytes that were hashed are the bytes that are sent, compiled and run; the sandbox process opens no file of the cache.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type GuestWorlds, type PreparedComponent, type PreparedFile, worldOf } from "../preparation/index.ts";
import type { LoadedModule, ServiceMessage } from "./messages.ts";

export type ComponentFiles = Omit<Extract<ServiceMessage, { type: "load" }>, "type">;

async function readChecked(folder: string, file: PreparedFile): Promise<Uint8Array> {
  if (!/^[A-Za-z0-9._-]+$/.test(file.name)) throw new Error("a prepared file has no plain name");
  const bytes = await readFile(join(folder, file.name));
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (bytes.length !== file.bytes || hash !== file.sha256) throw new Error(`${file.name} is not what was prepared`);
  return bytes;
}

/** @throws {Error} when a file is missing or differs from what was prepared */
export async function readComponentFiles(
  { folder, prepared }: { readonly folder: string; readonly prepared: PreparedComponent },
  worlds: GuestWorlds,
  slice: number,
): Promise<ComponentFiles> {
  const { profile, asyncImports, interfaces } = worldOf(worlds, prepared.profile);
  const glue = await readChecked(folder, prepared.glue);
  const modules = await Promise.all(
    prepared.modules.map(async (module): Promise<LoadedModule> => ({
      name: module.name,
      names: { fuel: module.names.fuel, refuel: module.names.refuel, start: module.names.start },
      minMemoryBytes: module.minMemoryBytes,
      bytes: await readChecked(folder, module),
    })),
  );
  return { profile, glue, modules, asyncImports, interfaces, slice };
}
