/**
 * The keys of the instance that a backup is of: for the files of a cluster that is to be that instance.
 *
 * Invariant: given out only of a file that was read to its end with every hash right; nothing of it is written anywhere.
 */
import { resolve } from "node:path";
import { AppError, instanceKeysFileSchema, type InstanceKeysFile } from "@althing/contract";
import type { Unlock } from "./archive-crypto.ts";
import { readArchive } from "./archive-reader.ts";

const name = "keys/instance.json";

/** @throws {backup.not_found} {backup.foreign} {backup.damaged} {backup.version} {backup.key} */
export async function readInstanceKeys({ file, unlock }: { readonly file: string; readonly unlock: Unlock }): Promise<InstanceKeysFile> {
  const path = resolve(file);
  let text = "";
  await readArchive({
    path,
    unlock,
    async take(part, bytes) {
      for await (const piece of bytes) if (part === name) text += Buffer.from(piece).toString("utf8");
    },
  });
  try {
    return instanceKeysFileSchema.parse(JSON.parse(text));
  } catch {
    // The cause could quote the file, so it stays out.
    throw new AppError("backup.damaged", { path, part: name, detail: "it does not hold the instance's keys" });
  }
}
