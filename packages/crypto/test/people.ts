/**
 * Deterministic identities and rooms for tests.
 */
import type { Handle, RoomId, RoomName, RoomPolicy, RoomRole } from "@althing/contract";
import { utf8 } from "../src/bytes.ts";
import type { EpochMember } from "../src/epoch.ts";
import { identityFromSeeds, type Identity } from "../src/identity.ts";
import { sha256Now } from "../src/primitives-node.ts";

export interface Person {
  readonly identity: Identity;
  as(role: RoomRole): EpochMember;
}

/** The same name gives the same identity, in every run. */
export async function person(name: string): Promise<Person> {
  const identity = await identityFromSeeds({ signSeed: sha256Now(utf8(`sign ${name}`)), kexSeed: sha256Now(utf8(`kex ${name}`)) });
  const { endpoint, signPub, kexPub } = identity;
  return { identity, as: (role) => ({ endpoint, signPub, kexPub, handle: name as Handle, role }) };
}

export const room = "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C" as RoomId;
export const otherRoom = "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7D" as RoomId;
export const roomName = "garden" as RoomName;
export const messageId = "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7E";
export const subject = "s.3.mJ0nq1xXk2sV5Yt8";
export const encrypted: RoomPolicy = { encrypt: true, persist: true, sign: true, history: "from-join" };
export const shared: RoomPolicy = { ...encrypted, history: "shared" };
export const now = Date.UTC(2026, 10, 21, 12, 0, 0);
