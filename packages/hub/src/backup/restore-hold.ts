/**
 * What keeps the hubs of a cluster out of their state while a backup is restored into it.
 *
 * Invariant: a record of the state itself, so all nodes see it in one order with what is written after it. A hub that serves ends when it appears, and one that is started
 * waits until it says that the restore is over: nobody is served from a state that is half there. Cut off, it stays, and so do they, until the restore is
 * run again to its end. Afterwards it says since when no older request is taken.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, timeSchema } from "@althing/contract";
import type { Store } from "@althing/store";
import { z } from "zod";

export const holdCollection = "restore-hold";
const holdSchema = z.strictObject({
  phase: z.enum(["restoring", "restored"]),
  /** When the restore began. */
  restoredAt: timeSchema,
  /** The backup's id. */
  backup: z.string(),
});
export type RestoreHold = z.infer<typeof holdSchema>;

const key = ["cluster"] as const;
const open = (store: Store) => store.collection({ name: holdCollection, schema: holdSchema });

export async function readHold(store: Store): Promise<RestoreHold | undefined> {
  return (await open(store).get(key))?.value;
}

export async function writeHold(store: Store, hold: RestoreHold): Promise<void> {
  await open(store).put(key, hold);
}

/** Of a state that is a backup's: its cluster's restores are not those of where it goes. */
export async function removeHold(store: Store): Promise<void> {
  await open(store).delete(key);
}

function held(): AppError {
  return new AppError("store.unavailable", { detail: "a backup is being restored into this cluster" });
}

/** @returns when the last restore began, if there was one @throws {store.unavailable} one is under way */
export async function requireNotHeld(store: Store): Promise<string | undefined> {
  const hold = await readHold(store);
  if (hold?.phase === "restoring") throw held();
  return hold?.restoredAt;
}

const lookAgainMs = 1_000;

/** Tells once when a restore begins. Where changes may have been missed it looks, and watches again. @returns a function that ends it */
export function watchHold(store: Store, onHeld: (reason: AppError) => void): () => void {
  const ending = new AbortController();
  const watchOnce = async (): Promise<boolean> => {
    const changes = open(store).watch({ signal: ending.signal });
    if ((await readHold(store))?.phase === "restoring") return true;
    for await (const change of changes) if (change.type === "put" && change.record.value.phase === "restoring") return true;
    return false;
  };
  const watch = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      if (await watchOnce().catch(() => false)) return onHeld(held());
      if (!ending.signal.aborted) await sleep(lookAgainMs, undefined, { ref: false });
    }
  };
  void watch();
  return () => ending.abort();
}
