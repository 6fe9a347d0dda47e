/** Where compiled code is kept between runs, for the command line and the hub alike: in the checkout, beside what the set-up brings. */
import { fileURLToPath } from "node:url";

export const compileCacheFolder = fileURLToPath(new URL("../../../.tools/compile-cache", import.meta.url));
