/**
 * Extensions as members of rooms: identities whose keys this instance holds, and what they post.
 *
 * Invariant: a guest is in rooms and nowhere else: it is no user, opens no session and signs no request, so a row here gives no right but to be invited.
 * It comes into rooms of its own community only, invited by a member who said that the server may read along. It posts under the room's lock, on
 * rows read there: whoever removes it is answered after its last message. It never renews a key. docs/architecture/rooms.md, "Extensions in rooms".
 */
import { AppError, limits, type CommunityId, type EndpointId, type Epoch, type RoomId, type RoomPolicy } from "@althing/contract";
import { retryConflicts } from "@althing/store";
import { ulid } from "ulid";
import type { Caller } from "./caller.ts";
import type { GuestRow } from "./collections.ts";
import { isoTime } from "./environment.ts";
import type { BusConnection } from "./nats-connection.ts";
import type { Input, Output } from "./route-input.ts";
import { readEpoch } from "./rooms/epoch-rows.ts";
import { leaveAllRooms } from "./rooms/membership.ts";
import { memberKey, requireJoined, roomIdOf, standingIn, standingOf, type RoomsDeps } from "./rooms/room-deps.ts";

/** What a guest's frame is made for. */
export interface PostContext {
  readonly room: RoomId;
  /** Of the message; a ULID. */
  readonly id: string;
  /** The room's output subject. */
  readonly subject: string;
  readonly policy: RoomPolicy;
  /** The newest record with the guest's sealed key; absent in a room without encryption. */
  readonly epoch: Epoch | undefined;
}

export interface Guests {
  /** Makes the identity known, so that it can be invited. Again is no error. */
  publish(guest: Omit<GuestRow, "endpoint" | "status" | "createdAt"> & { readonly endpoint: EndpointId }): Promise<void>;
  /** Takes it out of all rooms, for good. Repeatable. */
  retire(endpoint: EndpointId): Promise<void>;
  /** For whoever may invite. @param offered identities of the community's extensions that may post */
  listFor(
    caller: Caller,
    input: Input<"rooms.extensions">,
    offered: (community: CommunityId) => Promise<readonly GuestRow[]>,
  ): Promise<Output<"rooms.extensions">>;
  /**
   * Posts into a room of the guest's community that it is in.
   * @param seal makes the frame's bytes
   * @returns the message's id
   * @throws {room.not_found} {room.quota} {room.rekey_pending} {nats.unavailable} and what `seal` throws
   */
  post(endpoint: EndpointId, room: string, seal: (context: PostContext) => Promise<Uint8Array>): Promise<string>;
}

/** A key that members renew before their next message; how many messages it has seen only they count. */
function needsRekey(
  { gone, epochAt }: { readonly gone: readonly EndpointId[]; readonly epochAt?: string | undefined },
  nowMs: number,
): boolean {
  return gone.length > 0 || (epochAt !== undefined && nowMs - Date.parse(epochAt) > limits.epochMaxAgeSeconds * 1_000);
}

export function createGuests(deps: RoomsDeps & { readonly nats: Pick<BusConnection, "account"> }): Guests {
  const { collections, clock, locks, usage, subjectsOf, nats } = deps;

  return {
    publish: (guest) =>
      retryConflicts("the extension's identity", async () => {
        if (await collections.guests.get([guest.endpoint])) return;
        await collections.guests.put([guest.endpoint], { ...guest, status: "active", createdAt: isoTime(clock.now()) }, 0);
      }),

    async retire(endpoint) {
      await retryConflicts("the extension's identity", async () => {
        const row = await collections.guests.get([endpoint]);
        if (row?.value.status === "active") await collections.guests.put([endpoint], { ...row.value, status: "revoked" }, row.revision);
      });
      await leaveAllRooms(deps, endpoint);
    },

    async listFor(caller, { room: ref }, offered) {
      const standing = await standingIn(deps, caller, ref);
      await requireJoined(deps, standing, "room.invite");
      const { id, community } = standing.room.value;
      const guests = community === undefined ? [] : await offered(community);
      const extensions = await Promise.all(
        guests.map(async ({ endpoint, signPub, handle, keys, extension, status }) => ({
          ...{ endpoint, signPub, handle, keys, extension, status },
          member: (await collections.members.get(memberKey(id, endpoint))) !== undefined,
        })),
      );
      return { extensions };
    },

    async post(endpoint, ref, seal) {
      const notThere = () => new AppError("room.not_found", { room: ref.slice(0, 64) });
      const id = await roomIdOf(collections, ref);
      if (id === undefined) throw notThere();
      return locks.run(`room/${id}`, async () => {
        const standing = await standingOf(deps, id, endpoint);
        if (standing === undefined) throw notThere();
        const room = standing.room.value;
        if (usage.isFull(id)) throw new AppError("room.quota", { limit: deps.limits.roomMaxBytes });
        if (room.policy.encrypt && needsRekey(room, clock.now())) throw new AppError("room.rekey_pending");
        const { input, output } = subjectsOf(id);
        const epoch = room.policy.encrypt ? await readEpoch(collections, id, room.epoch, endpoint) : undefined;
        const message = ulid(clock.now());
        const bytes = await seal({ room: id, id: message, subject: output, policy: room.policy, epoch });
        nats.account.publish(room.policy.persist ? input : output, bytes);
        // What the server has read comes before whatever is published later. Storing follows; nobody acknowledges it (`no_ack`).
        await nats.account.flush().catch((cause: unknown) => {
          throw new AppError("nats.unavailable", { detail: "the message may not have arrived" }, { cause });
        });
        return message;
      });
    },
  };
}
