/** What a server may say of a room that it calls plain, and of rooms and members without end. */
import {
  AppError,
  limits,
  type EndpointId,
  type Room,
  type RoomId,
  type RoomMember,
  type RoomName,
  type RouteName,
} from "@althing/contract";
import { encodeInvite, identityFromPhrase, newRecoveryPhrase, type Identity } from "@althing/crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { encryptedRoom } from "../test/encrypted-room.ts";
import type { Api } from "./api.ts";
import { createPins } from "./pins.ts";
import { createDirectory } from "./room-directory.ts";
import { openRoomCore, type RoomCoreDeps } from "./room-core.ts";
import { createRooms, type RoomsDeps } from "./rooms.ts";
import { openMemoryState } from "./state.ts";

const id = "01J00000000000000000000000" as RoomId;
const name = "garden" as RoomName;
let ada: Identity;
let bob: Identity;
beforeAll(async () => {
  [ada, bob] = (await Promise.all([1, 2].map(() => identityFromPhrase(newRecoveryPhrase())))) as [Identity, Identity];
});

const plain = (more: Partial<Room> = {}): Room =>
  ({
    id,
    name,
    policy: { encrypt: false, persist: true, sign: true, history: "from-join" },
    createdBy: ada.endpoint,
    epoch: 0,
    gone: [],
    members: 2,
    subjects: { publish: "r.0.x", subscribe: "s.0.x" },
    ...more,
  }) as unknown as Room;

const answers = (call: (route: RouteName, input: { query?: { after?: string } }) => unknown): Api =>
  ({
    url: "http://localhost",
    raw: () => Promise.reject(new Error("unused")),
    call: async (...args: never) => call(...(args as Parameters<typeof call>)),
  }) as unknown as Api;

function bobs() {
  const state = openMemoryState();
  const warnings: string[] = [];
  const deps: RoomCoreDeps = {
    api: answers(() => {
      throw new AppError("client.unreachable", { detail: "unused" });
    }),
    identity: bob,
    pins: createPins(state),
    state,
    now: Date.now,
    warn: ({ code }) => void warnings.push(code),
    roomFreshMs: 5_000,
  };
  return { deps, warnings };
}

const invitation = (recordHash: string | null, invitee = bob, inviter = ada) =>
  encodeInvite(inviter, {
    room: id,
    name,
    epoch: recordHash === null ? 0 : 2,
    recordHash,
    invitee: invitee.endpoint,
    at: "2026-01-01T00:00:00Z",
  });
const forged = expect.objectContaining({ code: "epoch.forged" });

describe("a room that the server calls plain", () => {
  it("is refused when the invitation to it is kept back, is of a record, or is somebody else's", async () => {
    await expect(openRoomCore(bobs().deps, plain())).rejects.toEqual(forged);
    await expect(openRoomCore(bobs().deps, plain({ invite: await invitation("A".repeat(43)) }))).rejects.toEqual(forged);
    await expect(openRoomCore(bobs().deps, plain({ invite: await invitation(null, ada) }))).rejects.toEqual(forged);
  });

  it("is taken in silence only on the signed word of somebody known; else first sight is said", async () => {
    const { deps, warnings } = bobs();
    await openRoomCore(deps, plain({ invite: await invitation(null) }));
    expect(warnings).toEqual(["first-sight"]);
    const known = bobs();
    await known.deps.pins.pin("ada" as never, ada.endpoint);
    await openRoomCore(known.deps, plain({ invite: await invitation(null) }));
    expect(known.warnings).toEqual([]);
  });

  it("is first sight where the server says that one founded it oneself and nothing here remembers it", async () => {
    const { deps, warnings } = bobs();
    await openRoomCore(deps, plain({ createdBy: bob.endpoint }));
    expect(warnings).toEqual(["first-sight"]);
    await openRoomCore(deps, plain({ createdBy: bob.endpoint }));
    expect(warnings).toHaveLength(1);
  });
});

it("what a room without epochs appends is folded now and then: a bot's memory of it does not grow with the messages", async () => {
  const { deps } = bobs();
  const core = await openRoomCore(deps, plain({ createdBy: bob.endpoint }));
  for (let seq = 1; seq <= limits.epochMaxMessages; seq += 1) void core.append({ c: seq });
  await expect.poll(() => deps.state.entries(`room/${id}`)).toEqual([]);
  expect(await deps.state.load(`room/${id}`)).toMatchObject({ cursor: limits.epochMaxMessages });
});

describe("a list without end", () => {
  const bad = expect.objectContaining({ code: "client.bad_answer" });
  const ulid = (n: number) => String(n).padStart(26, "0") as RoomId;

  it("of rooms is not read to the end of the memory, nor in circles", async () => {
    let asked = 0;
    const endless = answers(() => ({ rooms: Array.from({ length: 200 }, () => plain()), next: ulid(++asked) }));
    const { deps } = bobs();
    await expect(createRooms({ ...deps, api: endless } as unknown as RoomsDeps).rooms.list()).rejects.toEqual(bad);
    expect(asked).toBeLessThan(20);
    const circling = answers((_, { query }) => ({ rooms: [], next: query?.after === ulid(2) ? ulid(1) : ulid(2) }));
    await expect(createRooms({ ...deps, api: circling } as unknown as RoomsDeps).rooms.list()).rejects.toEqual(bad);
  });

  it("of members likewise", async () => {
    let asked = 0;
    const member = (n: number) => ({ endpoint: String(n).padStart(43, "A") as EndpointId }) as RoomMember;
    const endless = answers(() => {
      asked += 1;
      return { members: Array.from({ length: 500 }, (_, i) => member(asked * 1_000 + i)), next: String(asked).padStart(43, "0") };
    });
    const { deps } = bobs();
    const directory = createDirectory(
      endless,
      deps.pins,
      id,
      () => undefined,
      async () => undefined,
      () => undefined,
    );
    await expect(directory.list()).rejects.toEqual(bad);
    expect(asked).toBeLessThan(10);
  });
});

describe("the age of a key", () => {
  const weekMs = limits.epochMaxAgeSeconds * 1_000;
  const minuteMs = 60_000;
  it.each([
    ["of the very moment", 0, false],
    ["of a week less a minute", weekMs - minuteMs, false],
    ["of more than a week", weekMs + minuteMs, true],
    ["dated a little ahead, as clocks differ", -4 * minuteMs, false],
    ["dated further ahead than clocks differ", -6 * minuteMs, true],
    ["dated into the next century", -100 * 365 * 24 * 60 * minuteMs, true],
  ])("%s: is it due for renewal?", async (_what, ageMs, due) => {
    const now = Date.now();
    const core = await (await encryptedRoom(ada, bob, now - ageMs)).open(() => now);
    expect(core.rekeyDue).toBe(due);
  });
});
