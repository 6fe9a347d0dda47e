/**
 * The two sides of a check and their room.
 *
 * Invariant: the room is deleted when the context ends, however it ends; a hub that is just away is waited for, because a check that
 * leaves rooms behind would fill the instance it watches over.
 */
import { AppError, hasCode } from "@althing/contract";
import { openMemoryState, type AlthingClient, type RoomHandle } from "@althing/client";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "./context.ts";
import { loadIdentity } from "./identity-files.ts";
import { clientFor } from "./open-client.ts";

export interface CheckSides {
  readonly sender: AlthingClient;
  readonly receiver: AlthingClient;
  readonly sendRoom: RoomHandle;
  readonly receiveRoom: RoomHandle;
  readonly persist: boolean;
  /** Ties messages to this run. */
  readonly nonce: string;
}

const deleteForMs = 7_000;

async function deleteSurely(room: RoomHandle): Promise<void> {
  const deadline = performance.now() + deleteForMs;
  for (;;) {
    try {
      return await room.delete();
    } catch (error) {
      if (hasCode(error, "room.not_found")) return;
      if (performance.now() > deadline) throw error;
      await sleep(200);
    }
  }
}

/** Both sides connected; nothing sent yet. */
export async function openCheckRoom(
  context: Context,
  { prefix, persist }: { readonly prefix: string; readonly persist: boolean },
): Promise<CheckSides> {
  const loaded = await loadIdentity(context);
  const sender = await clientFor(context, loaded, openMemoryState());
  const receiver = await clientFor(context, loaded, openMemoryState());
  const nonce = randomBytes(8).toString("hex");
  const name = `${prefix}-${nonce}`;
  const sendRoom = await sender.rooms.create({ name, policy: { encrypt: true, persist, sign: true, history: "from-join" } });
  context.defer(async () => {
    try {
      await deleteSurely(sendRoom);
    } catch (error) {
      context.output.warn(`the room ${name} could not be deleted: ${error instanceof AppError ? error.message : String(error)}`);
    }
  });
  const receiveRoom = await receiver.rooms.open(name);
  return { sender, receiver, sendRoom, receiveRoom, persist, nonce };
}

export function checkText(nonce: string, n: number): string {
  return `check ${nonce} ${n}`;
}

/** The number in a text of this run. */
export function checkNumber(nonce: string, text: string | undefined): number | undefined {
  const [word, run, n] = (text ?? "").split(" ");
  return word === "check" && run === nonce && n !== undefined && /^\d+$/.test(n) ? Number(n) : undefined;
}
