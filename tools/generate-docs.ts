/**
 * `npm run docs`: writes the reference pages anew.
 *
 * Invariant: only files whose contents changed are written, and each is named; a second run writes nothing.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { generatedFiles } from "./docs/generated-files.ts";

const root = resolve(import.meta.dirname, "..");

for (const [path, contents] of Object.entries(await generatedFiles(root))) {
  const target = join(root, path);
  if (existsSync(target) && readFileSync(target, "utf8") === contents) continue;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, contents);
  console.error(`docs: wrote ${path}`);
}
