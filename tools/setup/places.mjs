/** Where the set-up finds and puts things; all inside the checkout. */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const toolsDir = join(root, ".tools");
/** The Node that the project runs on; npm links it from the platform's package. */
export const projectNode = join(root, "node_modules", ".bin", "node");
