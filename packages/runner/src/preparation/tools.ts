/**
 * Names the versions of everything that has a part in a prepared component; part of the cache key.
 *
 * Own code counts by its text, so a change to the walk, the wrapping or the metering pass makes every cached entry old without
 * anybody having to remember a number.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const packageSchema = z.object({ name: z.string(), version: z.string() });

async function transpilerVersion(): Promise<string> {
  let folder = dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco-transpile/component")));
  for (; dirname(folder) !== folder; folder = dirname(folder)) {
    const text = await readFile(join(folder, "package.json"), "utf8").catch(() => "");
    const parsed = text === "" ? undefined : packageSchema.safeParse(JSON.parse(text)).data;
    if (parsed !== undefined) return `${parsed.name}@${parsed.version}`;
  }
  throw new Error("the transpiler's package has no version");
}

async function sourceHash(): Promise<string> {
  const own = dirname(fileURLToPath(import.meta.url));
  const hash = createHash("sha256");
  for (const folder of [own, join(dirname(own), "metering")]) {
    for (const name of (await readdir(folder)).filter((entry) => /\.[jt]s$/.test(entry)).sort()) {
      hash.update(`${name}\n`).update(await readFile(join(folder, name)));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/** @example "@bytecodealliance/jco-transpile@0.15.0 preparation#6f1c… node@v26.10.0" */
export async function describeTools(): Promise<string> {
  return `${await transpilerVersion()} preparation#${await sourceHash()} node@${process.version}`;
}
