/** Rooms of communities from a member's client to NATS and back: founding, coming in, going, being muted; with the real community plane. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, openMemoryState, type AlthingClient, type Identity, type RoomEvent, type RoomHandle } from "@althing/client";
import type { CommunityId, EndpointId } from "@althing/contract";
import { createExtensionRooms } from "@althing/hub";
import { z } from "zod";
import { newIdentity, serveHub, type ServedHub } from "../../packages/hub/test/serve-hub.ts";

let served: ServedHub;
let ada: AlthingClient;
let ben: AlthingClient;
let cleo: AlthingClient;
const open: AlthingClient[] = [];

function clientOf(identity: Identity): AlthingClient {
  const client = createClient({ identity, urls: [served.url], state: openMemoryState() });
  open.push(client);
  return client;
}

beforeAll(async () => {
  served = await serveHub();
  ada = clientOf(served.admin);
  const others = await Promise.all(
    (["ben", "cleo"] as const).map(async (handle) => {
      const identity = await newIdentity();
      await ada.call("users.add", { body: { signPub: identity.signPub, handle: handle as never } });
      const client = clientOf(identity);
      await client.publishKeys();
      return client;
    }),
  );
  const [first, second] = others;
  if (first === undefined || second === undefined) throw new Error("two people");
  [ben, cleo] = [first, second];
});
afterAll(async () => {
  for (const client of open) await client.close();
  await served[Symbol.asyncDispose]();
});

let serial = 0;
const endpointOf = (client: AlthingClient): EndpointId => client.identity.endpoint;

async function town(...members: AlthingClient[]): Promise<{ community: CommunityId; name: string }> {
  const name = `town-${++serial}`;
  const { id } = await ada.call("communities.create", { body: { name: name as never } });
  for (const member of members)
    await ada.call("communities.addMember", { params: { community: id }, body: { identity: endpointOf(member), roles: ["member"] } });
  return { community: id, name };
}

/** A room of ada's in the town, with ben in it. */
async function hall(name: string): Promise<{ mine: RoomHandle; bens: RoomHandle }> {
  const mine = await ada.rooms.create({ name: `${name}-hall`, community: name });
  await mine.invite("ben");
  const { room } = await ben.rooms.join(`${name}-hall`);
  if (room === undefined) throw new Error("ben is in");
  return { mine, bens: room };
}

const textOf = (event: RoomEvent) => (event.kind === "message" ? event.text : undefined);
const eventsOf = async (community: CommunityId) =>
  (await ada.call("events.list", { params: { community } })).events.filter(({ topic }) => topic.startsWith("room."));

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const at = new Error("it did not come to hold");
  for (const deadline = performance.now() + 10_000; !(await holds()); await new Promise((wake) => setTimeout(wake, 20)))
    if (performance.now() > deadline) throw at;
}

describe("a room of a community", () => {
  test("is founded by its members, takes in no others, and is told in the log", async () => {
    const { community, name } = await town(ben);
    const { mine } = await hall(name);
    expect(await mine.info()).toMatchObject({ community, members: 2 });
    await expect(mine.invite("cleo")).rejects.toMatchObject({ code: "room.not_in_community" });
    await expect(cleo.rooms.join(mine.name)).rejects.toMatchObject({ code: "room.not_in_community" });
    await expect(cleo.rooms.create({ name: `${name}-other`, community: name })).rejects.toMatchObject({ code: "community.not_found" });
    await expect(cleo.rooms.listOf(name)).rejects.toMatchObject({ code: "community.not_found" });
    const [told] = await eventsOf(community);
    expect(told).toMatchObject({ topic: "room.created", subject: `room/${mine.id}` });
    expect(JSON.stringify(told)).not.toContain(mine.name);
  });

  test("keeps the community from ending, until it is deleted by who runs its rooms", async () => {
    const { community, name } = await town(ben);
    const bens = await ben.rooms.create({ name: `${name}-attic`, community: name });
    await expect(ada.call("communities.delete", { params: { community } })).rejects.toMatchObject({
      code: "community.not_empty",
      params: { what: "rooms" },
    });
    await expect(ada.rooms.open(bens.name)).rejects.toMatchObject({ code: "room.not_found" });
    expect((await ada.rooms.listOf(name)).map((room) => [room.name, room.members, room.role])).toEqual([[bens.name, 1, undefined]]);
    await ada.call("rooms.delete", { params: { room: bens.id } });
    await expect(bens.info()).rejects.toMatchObject({ code: "room.not_found" });
    expect((await eventsOf(community)).map(({ topic }) => topic)).toEqual(["room.created", "room.deleted"]);
    await ada.call("communities.delete", { params: { community } });
  });

  test("ends for who is removed from the community, and those who stay write under a new key", async () => {
    const { community, name } = await town(ben);
    const { mine, bens } = await hall(name);
    const got: (string | undefined)[] = [];
    const subscription = await bens.subscribe((event) => void got.push(textOf(event)), { since: "start" });
    await mine.send("hello");
    await until(() => got.includes("hello"));
    const before = (await mine.info()).epoch;
    await ada.call("communities.removeMember", { params: { community, endpoint: endpointOf(ben) } });
    await expect(ben.rooms.listOf(name)).rejects.toMatchObject({ code: "community.not_found" });
    await expect(ben.call("rooms.history", { params: { room: mine.id } })).rejects.toMatchObject({ code: "room.not_found" });
    await until(async () => (await mine.info()).rekeyNeeded);
    await mine.send("without ben");
    expect((await mine.info()).epoch).toBe(before + 1);
    expect((await mine.members()).map(({ handle }) => handle)).toEqual(["root"]);
    expect((await mine.history({ last: 1 })).map(textOf)).toEqual(["without ben"]);
    expect(got).not.toContain("without ben");
    await subscription.close();
  });
});

describe("a muted member", () => {
  test.each([{ persist: true }, { persist: false }])(
    "reads on, and is told until when it may not write ($persist)",
    async ({ persist }) => {
      const { community, name } = await town(ben);
      const mine = await ada.rooms.create({ name: `${name}-hall`, community: name, policy: { persist } });
      await mine.invite("ben");
      const { room: bens } = await ben.rooms.join(mine.name);
      if (bens === undefined) throw new Error("ben is in");
      const got: (string | undefined)[] = [];
      await bens.subscribe((event) => void got.push(textOf(event)), { since: "now" });
      await bens.send("before");
      const entry = await ada.call("moderation.act", {
        params: { community },
        body: { kind: "mute", member: endpointOf(ben), reason: "too loud", hours: 1 },
      });
      await until(async () => (await bens.info()).mutedUntil !== undefined);
      const until_ = (await bens.info()).mutedUntil;
      await expect(bens.send("muted")).rejects.toMatchObject({ code: "room.muted", params: { until: until_ } });
      await mine.send("read this");
      await until(() => got.includes("read this"));
      await ada.call("moderation.lift", { params: { community, action: entry.id }, body: { reason: "enough" } });
      await until(async () => (await bens.info()).mutedUntil === undefined);
      await bens.send("back");
      await until(() => got.includes("back"));
      expect(got).not.toContain("muted");
      await mine.delete();
    },
  );

  test("whose client did not hear of it gets the same answer from a refused publish", async () => {
    const { community, name } = await town(ben);
    await hall(name);
    const deaf = createClient({ identity: ben.identity, urls: [served.url], state: openMemoryState(), roomFreshMs: 600_000 });
    open.push(deaf);
    const bens = await deaf.rooms.open(`${name}-hall`);
    await bens.send("before");
    // Notices are hints and may be lost.
    const { account } = served.state.connection;
    const publish = account.publish.bind(account);
    account.publish = (subject, ...rest) => (subject.endsWith(".notice") ? undefined : publish(subject, ...rest));
    try {
      await ada.call("moderation.act", {
        params: { community },
        body: { kind: "mute", member: endpointOf(ben), reason: "too loud", hours: 1 },
      });
      let refusal: unknown;
      for (const deadline = performance.now() + 2_000; refusal === undefined && performance.now() < deadline;)
        refusal = await bens.send("more").then(
          () => undefined,
          (error: unknown) => error,
        );
      expect(refusal).toMatchObject({ code: "room.muted" });
      await expect(bens.send("again")).rejects.toMatchObject({ code: "room.muted" });
    } finally {
      account.publish = publish;
    }
  });
});

describe("an extension", () => {
  const bell = "org.example.bell";

  test("comes in with everybody's knowledge, posts what members can read, and is heard no more once it is out", async () => {
    const { community, name } = await town(ben);
    const { mine, bens } = await hall(name);
    const { extensionRooms, broker } = served.extensions;
    // Installs are other tests' business; whoever was granted `rooms.post` is said here.
    const own = createExtensionRooms({
      ...{ store: served.state.store, guests: served.state.bus.guests, secretsKey: served.folder.keys.secretsKey, clock: Date },
      mayPost: () => Promise.resolve([bell]),
    });
    Object.assign(extensionRooms, own);
    const { token } = broker.issue({
      community,
      extension: bell,
      requestId: "r",
      capabilities: ["rooms.post"],
      kvBytes: 0,
      hostCallsMax: 50,
    });
    const post = (text: string) => broker.answer(token, { op: "rooms.post", room: mine.name, text });

    expect(await post("early")).toMatchObject({ error: { code: "room.not_found" } });
    expect((await mine.extensions()).map(({ extension, member }) => [extension, member])).toEqual([[bell, false]]);
    await expect(mine.inviteExtension(bell, { serverCanRead: false })).rejects.toMatchObject({ code: "room.extension_needs_consent" });
    await expect(mine.inviteExtension("org.example.other", { serverCanRead: true })).rejects.toMatchObject({ code: "user.not_found" });
    const events: RoomEvent[] = [];
    await bens.subscribe((event) => void events.push(event), { since: "now" });
    await mine.inviteExtension(bell, { serverCanRead: true });
    expect((await bens.members()).map(({ handle, kind, role }) => [handle, kind, role])).toContainEqual([
      `ext:${bell}`,
      "extension",
      "member",
    ]);

    expect(await post("ding")).toMatchObject({ ok: { id: expect.any(String) } });
    await until(() => events.some((event) => textOf(event) === "ding"));
    expect(events.find((event) => event.kind === "message")).toMatchObject({ handle: `ext:${bell}`, authenticated: true, text: "ding" });
    expect(events.some((event) => event.kind === "epoch" && event.added.some(({ handle }) => handle === `ext:${bell}`))).toBe(true);

    await bens.leave();
    expect(await post("while the key is due")).toMatchObject({ error: { code: "room.rekey_pending" } });
    await mine.send("renewed");
    expect(await post("dong")).toMatchObject({ ok: {} });
    await expect.poll(async () => (await mine.history({ last: 2 })).map(textOf)).toEqual(["renewed", "dong"]);

    await mine.kick(`ext:${bell}`);
    expect(await post("late")).toMatchObject({ error: { code: "room.not_found" } });
    await mine.inviteExtension(bell, { serverCanRead: true });
    const again = await mine.members();
    await own.purge({ community, extension: bell });
    expect(await post("purged")).toMatchObject({ error: { code: "room.not_found" } });
    expect(await served.state.store.collection({ name: "ext-identities", schema: z.unknown() }).list()).toEqual({ records: [] });
    expect((await mine.info()).rekeyNeeded).toBe(true);
    await mine.send("alone");
    expect(again).toHaveLength(2);
    expect((await mine.members()).map(({ handle }) => handle)).toEqual(["root"]);
    expect((await mine.history({ last: 3 })).map(textOf)).toEqual(["renewed", "dong", "alone"]);
  });
});
