/**
 * Names of rooms on NATS: HMAC-SHA-256 of the room's id under the instance's name key (RFC 2104), so that subjects in files, logs and access
 * lists say nothing, and nobody who knows an id can guess the subject.
 *
 * Invariant: a function of id and key alone: every node finds the same name and shard without asking anyone. 128 bits of it (RFC 2104 §5 allows
 * half): a name has to be distinct and unguessable, no more, and the access list, which is read whole at each change, is mostly names.
 */
import { createHmac } from "node:crypto";
import { limits, subjects, type RoomId } from "@althing/contract";

export interface RoomSubjects {
  readonly input: string;
  readonly output: string;
}

const nameBytes = 16;
/** Rooms whose names are kept: each answer that shows a room names them. */
const keptMax = 4_096;

/** @param nameKey 32 secret bytes, equal on all nodes of an instance */
export function createRoomSubjects(nameKey: Uint8Array): (room: RoomId) => RoomSubjects {
  if (nameKey.length !== 32) throw new TypeError("the name key has 32 bytes");
  const key = Buffer.from(nameKey);
  const kept = new Map<RoomId, RoomSubjects>();
  return (room) => {
    const known = kept.get(room);
    if (known !== undefined) return known;
    const mac = createHmac("sha256", key).update(room).digest();
    const shard = mac.readUInt32BE(0) % limits.roomShards;
    const name = mac.subarray(0, nameBytes).toString("base64url");
    const made = { input: subjects.input(shard, name), output: subjects.output(shard, name) };
    if (kept.size >= keptMax) kept.clear();
    kept.set(room, made);
    return made;
  };
}
