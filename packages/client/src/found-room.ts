/**
 * Founds a room.
 *
 * Invariant: what the founder chose is remembered here before the server hears of the room, so nobody else can say later what it was.
 */
import { roomPolicySchema, type CommunityId, type CommunityName, type Room, type RoomId, type RoomName } from "@althing/contract";
import { proposeEpoch, type Identity } from "@althing/crypto";
import { ownRow, type Api } from "./api.ts";
import { newMessageId } from "./message-id.ts";
import type { RoomCoreDeps } from "./room-core.ts";
import { emptyRoomMemory } from "./room-memory.ts";
import type { NewRoom } from "./rooms.ts";

/** Makes the room, and pins its first record before anybody else can say what it was. */
export async function foundRoom(
  deps: { readonly api: Api; readonly identity: Identity; readonly now: () => number; readonly state: RoomCoreDeps["state"] },
  input: Omit<NewRoom, "community"> & { readonly community: CommunityId | CommunityName | undefined },
): Promise<Room> {
  const { api, identity } = deps;
  const id = newMessageId(deps.now()) as RoomId;
  const policy = roomPolicySchema.parse(input.policy ?? {});
  const name = input.name as RoomName;
  const community = input.community === undefined ? {} : { community: input.community };
  if (!policy.encrypt) {
    // Remembered before anybody else can say who founded it.
    await deps.state.update(`room/${id}`, () => ({ ...emptyRoomMemory(), policy }));
    return api.call("rooms.create", { body: { id, name, policy, ...community } });
  }
  const me = await ownRow(api, identity);
  const made = await proposeEpoch({
    room: id,
    name,
    policy,
    members: [{ endpoint: identity.endpoint, signPub: identity.signPub, kexPub: identity.kexPub, handle: me.handle, role: "owner" }],
    reason: "create",
    identity,
    now: deps.now(),
    link: false,
  });
  await deps.state.update(`room/${id}`, () => ({ ...emptyRoomMemory(), policy, epoch: 1, hash: made.hash, inviters: [identity.endpoint] }));
  return api.call("rooms.create", { body: { id, name, policy, epoch: made.proposal, ...community } });
}
