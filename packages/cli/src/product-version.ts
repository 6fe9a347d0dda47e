/**
 * The version of this program: the one of its package.
 *
 * Read from the manifest, so that there is one place to change.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";

export const productVersion = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))).version;
