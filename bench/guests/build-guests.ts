/** The bench's guests as components, made by the author's kit from the sources beside this file. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { buildAssemblyScript, buildTypeScript } from "@althing/sdk";
import { tempDir } from "@althing/testkit";

export async function buildAssemblyScriptGuest(): Promise<Uint8Array> {
  await using dir = await tempDir();
  const entry = join(dir.path, "index.ts");
  await cp(join(import.meta.dirname, "hello.as"), entry);
  return (await buildAssemblyScript({ entry })).component;
}

export async function buildTypeScriptGuest(): Promise<Uint8Array> {
  return (await buildTypeScript({ entry: join(import.meta.dirname, "hello.ts") })).component;
}
