/** Identities of extensions: one each, sealed at rest, gone after a purge. What they do in rooms is tested where rooms are. */
import type { Bus, Caller, GuestRow } from "@althing/bus";
import type { CommunityId } from "@althing/contract";
import { verifyKeyCard } from "@althing/crypto";
import { openMemoryStore } from "@althing/store";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createExtensionRooms } from "./extension-rooms.ts";

const [garden, forest] = ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01BX5ZZKBKACTAV9WEVGEMMVRZ"] as [CommunityId, CommunityId];
const bell = "org.example.bell";
const room = { room: "hall" } as Parameters<Bus["guests"]["listFor"]>[1];
const clock = { now: () => 1_700_000_000_000 };

function open(store = openMemoryStore(), secretsKey = new Uint8Array(32).fill(7)) {
  const steps: string[] = [];
  const shown: GuestRow[] = [];
  let here = garden;
  const guests: Bus["guests"] = {
    publish: () => Promise.resolve(),
    retire: (endpoint) => Promise.resolve(void steps.push(`retire ${endpoint}`)),
    async listFor(_caller, _input, offered) {
      shown.push(...(await offered(here)));
      return { extensions: [] };
    },
    post: async (endpoint) => Promise.resolve(void steps.push(`post ${endpoint}`)).then(() => "id"),
  };
  const rooms = createExtensionRooms({ store, guests, secretsKey, clock, mayPost: () => Promise.resolve([bell]) });
  const look = async (community = garden) => {
    here = community;
    await rooms.list({} as Caller, room);
    const last = shown.at(-1);
    if (last === undefined) throw new Error("one is offered");
    return last;
  };
  return { store, rooms, steps, look };
}
const identities = (store: ReturnType<typeof openMemoryStore>) =>
  store.collection({ name: "ext-identities", schema: z.strictObject({ sealed: z.base64(), endpoint: z.string() }) });

describe("an extension's identity", () => {
  it("is made once, also when two look at the same time, and is another in each community", async () => {
    const world = open();
    const both = await Promise.all([world.look(), world.look()]);
    expect(new Set(both.map(({ endpoint }) => endpoint)).size).toBe(1);
    const [mine] = both;
    expect(mine).toMatchObject({ handle: `ext:${bell}`, extension: bell, community: garden });
    expect(await verifyKeyCard(mine.signPub, mine.keys)).toBe(true);
    expect((await open(world.store).look()).endpoint).toBe(mine.endpoint);
    expect((await world.look(forest)).endpoint).not.toBe(mine.endpoint);
  });

  it("does not open under another key, altered, or in another scope's place", async () => {
    const world = open();
    await world.look();
    const rows = identities(world.store);
    const row = await rows.get([garden, bell]);
    if (row === undefined) throw new Error("it was made");
    await expect(open(world.store, new Uint8Array(32).fill(8)).look()).rejects.toMatchObject({ code: "data.corrupt" });
    await rows.put([forest, bell], row.value);
    await expect(world.look(forest)).rejects.toMatchObject({ code: "data.corrupt" });
    const bytes = Buffer.from(row.value.sealed, "base64");
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await rows.put([garden, bell], { ...row.value, sealed: bytes.toString("base64") });
    await expect(world.rooms.post({ community: garden, extension: bell }, "hall", "x")).rejects.toMatchObject({ code: "data.corrupt" });
  });

  it("is retired before its keys are deleted; again is no error, and the next is another", async () => {
    const world = open();
    const { endpoint } = await world.look();
    await world.rooms.purge({ community: garden, extension: bell });
    await world.rooms.purge({ community: garden, extension: bell });
    expect(world.steps).toEqual([`retire ${endpoint}`]);
    expect((await identities(world.store).list()).records).toEqual([]);
    expect((await world.look()).endpoint).not.toBe(endpoint);
  });
});

it("posting without an identity finds no room, and a text that fits no frame is refused first", async () => {
  const world = open();
  const scope = { community: garden, extension: bell };
  await expect(world.rooms.post(scope, "hall", "x")).rejects.toMatchObject({ code: "room.not_found" });
  await expect(world.rooms.post(scope, "hall", "x".repeat(64 * 1024))).rejects.toMatchObject({ code: "frame.too_large" });
  expect(world.steps).toEqual([]);
});
