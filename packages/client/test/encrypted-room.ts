/**
 * A server in memory that serves one encrypted room's records, and the founder's means to write into it. What is under test stands on the member's
 * side: the real core, opener and inbox.
 */
import type { Epoch, Room, RoomId, RoomName, RoomPolicy, RoomRole, RouteName } from "@althing/contract";
import {
  createFrameSealer,
  encodeInvite,
  proposeEpoch,
  type EpochMember,
  type FrameSealer,
  type Identity,
  type ProposedEpoch,
} from "@althing/crypto";
import type { Api } from "../src/api.ts";
import { createPins } from "../src/pins.ts";
import { openRoomCore, type RoomCore } from "../src/room-core.ts";
import { openMemoryState } from "../src/state.ts";

const id = "01J00000000000000000000000" as RoomId;
const name = "garden" as RoomName;
const subject = "s.0.x";
export const liveOnly: RoomPolicy = { encrypt: true, persist: false, sign: true, history: "from-join" };

export interface EncryptedRoom {
  /** The member's view. @param now Milliseconds since 1970 @param isSeveral its answers come from several nodes */
  open(now?: () => number, isSeveral?: boolean): Promise<RoomCore>;
  /** The next answers about the room are of the epoch before. */
  lag(answers: number): void;
  /** A stream of frames under this room's key; whoever makes them. */
  sealer(identity: Identity): FrameSealer;
}

const memberOf = (who: Identity, handle: string, role: RoomRole) =>
  ({ endpoint: who.endpoint, signPub: who.signPub, kexPub: who.kexPub, handle, role }) as EpochMember;

/** @param atMs time in the newest record */
export async function encryptedRoom(
  founder: Identity,
  member: Identity,
  atMs: number,
  policy: RoomPolicy = liveOnly,
): Promise<EncryptedRoom> {
  const common = { room: id, name, policy, identity: founder, now: atMs, link: false };
  const owner = memberOf(founder, "ada", "owner");
  const one = await proposeEpoch({ ...common, members: [owner], reason: "create" });
  const two = await proposeEpoch({ ...common, previous: one, members: [owner, memberOf(member, "bob", "member")], reason: "invite" });
  const invite = await encodeInvite(founder, {
    room: id,
    name,
    epoch: 2,
    recordHash: two.hash,
    invitee: member.endpoint,
    at: "2026-01-01T00:00:00Z",
  });
  const room = {
    id,
    name,
    policy,
    lastSeq: 0,
    createdBy: founder.endpoint,
    epoch: 2,
    epochHash: two.hash,
    gone: [],
    members: 2,
    rekeyNeeded: false,
    invite,
    subjects: { publish: "r.0.x", subscribe: subject },
  } as unknown as Room;
  const before = { ...room, epoch: 1, epochHash: one.hash, members: 1 } as unknown as Room;
  let lagging = 0;
  const answer = (): Room => {
    if (lagging === 0) return room;
    lagging -= 1;
    return before;
  };
  return {
    lag(answers) {
      lagging = answers;
    },
    open(now = Date.now, isSeveral = false) {
      const state = openMemoryState();
      const api = { ...serve(answer, [one, two], member), isSeveral };
      return openRoomCore({ api, identity: member, pins: createPins(state), state, now, warn: () => undefined, roomFreshMs: 5_000 }, room);
    },
    sealer: (identity) =>
      createFrameSealer({ identity, room: id, subject, policy, epoch: { epoch: 2, key: two.key, recordHash: two.hash } }),
  };
}

function serve(answer: () => Room, records: readonly ProposedEpoch[], me: Identity): Api {
  const epochOf = ({ record, proposal }: ProposedEpoch): Epoch => {
    const sealed = proposal.sealed.find((key) => key.endpoint === me.endpoint);
    return { epoch: record.epoch, record: proposal.record, ...(sealed === undefined ? {} : { sealed }) };
  };
  return {
    url: "http://localhost",
    raw: () => Promise.reject(new Error("unused")),
    call: async (route: RouteName, input: { query?: { from?: number } } = {}) => {
      if (route === "rooms.get") return answer() as never;
      if (route !== "rooms.epochs") throw new Error(`unexpected ${route}`);
      return { epochs: records.filter(({ record }) => record.epoch >= (input.query?.from ?? 1)).map(epochOf) } as never;
    },
  } as Api;
}
