/**
 * Where the interface lies: it ships with the contract, so that platform and toolchain cannot mean different versions.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Absolute path of `extension.wit`. */
export const witPath = join(dirname(createRequire(import.meta.url).resolve("@althing/contract")), "..", "wit", "extension.wit");

/** The world that guests implement. */
export const worldName = "extension";
