/**
 * A data folder that was made anew beside the old one takes its place (docs/architecture/at-rest.md, "Changing it").
 *
 * Invariant: each step leaves something that `finishCutOff` or the next run understands: the place holds the old or the new folder, or the new one waits
 * beside it under the name that every start looks for. The old one stays until the new one has served.
 */
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { AppError } from "@althing/contract";
import { syncPath } from "../backup/archive-writer.ts";
import { lockFolder } from "../backup/data-source.ts";
import { dataPaths } from "../data-folder.ts";
import { incomingPlace } from "./at-rest.ts";

/** Of a folder that is missing because a change was cut off: puts the new one into its place. @returns whether there was such */
export async function finishCutOff(root: string): Promise<boolean> {
  if (existsSync(root) || !existsSync(incomingPlace(root))) return false;
  await rename(incomingPlace(root), root);
  await syncPath(dirname(root));
  return true;
}

/** @param before where the folder of now waits for its end */
export async function changePlaces(root: string, staged: string, before: string): Promise<void> {
  await rename(staged, incomingPlace(root));
  try {
    await rename(root, before);
  } catch (error) {
    await rm(incomingPlace(root), { recursive: true, force: true });
    throw error;
  }
  await rename(incomingPlace(root), root).catch(async (error: unknown) => {
    await rename(before, root);
    throw error;
  });
  await syncPath(dirname(root));
}

/** The new folder does not serve: the one of before comes back. @throws {data.not_found} there is none @throws {data.locked} */
export async function putBack(root: string, before: string): Promise<void> {
  if (!existsSync(before)) throw new AppError("data.not_found", { path: before });
  const lock = await lockFolder(dataPaths(root));
  try {
    await rename(root, incomingPlace(root));
    await rename(before, root);
    await syncPath(dirname(root));
    await rm(incomingPlace(root), { recursive: true, force: true });
  } finally {
    lock.close();
  }
}
