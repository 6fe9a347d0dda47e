/**
 * Writes `src/guest/bindings.ts` after a change of the WIT: `node packages/sdk/src/build/write-bindings.ts`.
 */
import { readFile, writeFile } from "node:fs/promises";
import { generateBindings } from "./generate-bindings.ts";
import { witPath } from "./wit-path.ts";

await writeFile(new URL("../guest/bindings.ts", import.meta.url), await generateBindings(await readFile(witPath, "utf8")));
