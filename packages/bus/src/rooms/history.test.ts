/** Reading back, counting, quotas and blobs of persisted rooms. */
import { createHash } from "node:crypto";
import { streams, type BlobHash, type RoomId } from "@althing/contract";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectBus } from "../index.ts";
import {
  codeOf,
  collect,
  foundRoom,
  inviteTo,
  kickFrom,
  startBus,
  type Person,
  type SessionConnection,
  type World,
} from "../../test/start-bus.ts";

let world: World;
let ann: Person;
let bob: Person;
let eve: Person;
let annNats: SessionConnection;

beforeAll(async () => {
  world = await startBus({
    limits: { roomMaxBytes: 40_000, roomMessagesMax: 60, historyPageMaxBytes: 20_000, blobMaxBytes: 1_000, blobsPerUserMaxBytes: 2_500 },
  });
  ann = await world.person("ann");
  bob = await world.person("bob");
  eve = await world.person("eve");
  annNats = await world.session(ann);
});
afterAll(() => world.stop());

const text = (frame: { frame: string }) => Buffer.from(frame.frame, "base64url").toString();
const read = (person: Person, room: RoomId, query: { after?: number; limit?: number; last?: number } = {}) =>
  world.bus.rooms.history(person.caller, { room, after: 0, limit: 100, ...query });

async function sayAll(subject: string, output: string, texts: readonly string[]): Promise<void> {
  const got = collect(annNats.nats, output);
  for (const one of texts) annNats.nats.publish(subject, one);
  await got.count(texts.length);
  got.subscription.unsubscribe();
}

describe("history", () => {
  it("gives every frame once, page by page, each with the sequence before it, other rooms' between", async () => {
    const [one, two] = [await foundRoom(world, ann, "pages"), await foundRoom(world, ann, "pages-other")];
    for (let index = 0; index < 25; index++) {
      await sayAll(one.room.subjects.publish, one.room.subjects.subscribe, [`one ${index}`]);
      await sayAll(two.room.subjects.publish, two.room.subjects.subscribe, [`two ${index}`]);
    }
    const frames = [];
    let after: number | undefined = 0;
    while (after !== undefined) {
      const page: Awaited<ReturnType<typeof read>> = await read(ann, one.held.id, { after, limit: 7 });
      frames.push(...page.frames);
      after = page.next;
    }
    expect(frames.map(text)).toEqual(Array.from({ length: 25 }, (_, index) => `one ${index}`));
    expect(frames.map((frame) => frame.previous)).toEqual([0, ...frames.slice(0, -1).map((frame) => frame.seq)]);
    const middle = frames[10]?.seq ?? 0;
    expect((await read(ann, one.held.id, { after: middle, limit: 1 })).frames[0]).toEqual(frames[11]);
    for (const last of [1, 2, 24, 25, 26, 100]) {
      const page = await read(ann, one.held.id, { last });
      expect(page.frames.map(text)).toEqual(frames.slice(-last).map(text));
      expect(page.next).toBeUndefined();
    }
    const { firstSeq, lastSeq } = await read(ann, one.held.id);
    expect([firstSeq, lastSeq]).toEqual([frames[0]?.seq, frames.at(-1)?.seq]);
    expect(await codeOf(read(ann, one.held.id, { after: 3, last: 2 }))).toBe("request.invalid");
  });

  it("hides what came before the membership where it is from-join, also after going and coming back", async () => {
    for (const history of ["from-join", "shared"] as const) {
      const { held, room } = await foundRoom(world, ann, `before-${history}`, { history });
      await sayAll(room.subjects.publish, room.subjects.subscribe, ["early"]);
      await inviteTo(world, held, ann, bob);
      await sayAll(room.subjects.publish, room.subjects.subscribe, ["with bob"]);
      expect((await read(bob, held.id)).frames.map(text)).toEqual(history === "shared" ? ["early", "with bob"] : ["with bob"]);
      expect((await read(bob, held.id, { last: 50 })).frames.map(text)).toEqual(
        history === "shared" ? ["early", "with bob"] : ["with bob"],
      );
      await kickFrom(world, held, ann, bob);
      await sayAll(room.subjects.publish, room.subjects.subscribe, ["without bob"]);
      expect(await codeOf(read(bob, held.id))).toBe("room.not_found");
      await inviteTo(world, held, ann, bob);
      expect((await read(bob, held.id)).frames.map(text)).toEqual(history === "shared" ? ["early", "with bob", "without bob"] : []);
    }
  });

  it("keeps one answer below its bytes and says where to go on", async () => {
    const { held, room } = await foundRoom(world, ann, "large-frames");
    await sayAll(
      room.subjects.publish,
      room.subjects.subscribe,
      Array.from({ length: 5 }, (_, index) => `${index}`.repeat(6_000)),
    );
    const sizes = [];
    let after: number | undefined = 0;
    while (after !== undefined) {
      const page: Awaited<ReturnType<typeof read>> = await read(ann, held.id, { after });
      expect(JSON.stringify(page).length).toBeLessThan(21_000);
      sizes.push(page.frames.length);
      after = page.next;
    }
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(5);
    expect(sizes.length).toBeGreaterThan(1);
  });
});

describe("quotas", () => {
  it("by bytes, headers included: a full room takes nothing more from anybody, and says so", async () => {
    const { held, room } = await foundRoom(world, ann, "heavy");
    await sayAll(
      room.subjects.publish,
      room.subjects.subscribe,
      Array.from({ length: 10 }, () => "x".repeat(4_000)),
    );
    await expect.poll(async () => (await world.bus.rooms.get(ann.caller, { room: held.id })).bytes).toBeGreaterThan(40_000);
    await world.bus.acl.request();
    annNats.nats.publish(room.subjects.publish, "one more");
    await annNats.nats.flush();
    expect(await read(ann, held.id, { last: 1 }).then((page) => page.frames.map(text))).toEqual(["x".repeat(4_000)]);
    expect(await codeOf(putBlob(ann, "for a full room", held.id))).toBe("room.quota");
  });

  it("by messages: nothing old is pushed out", async () => {
    const { held, room } = await foundRoom(world, ann, "many");
    await sayAll(
      room.subjects.publish,
      room.subjects.subscribe,
      Array.from({ length: 60 }, (_, index) => `${index}`),
    );
    annNats.nats.publish(room.subjects.publish, "too many");
    await annNats.nats.flush();
    const frames = (await read(ann, held.id, { last: 100 })).frames.map(text);
    expect([frames.length, frames[0], frames.at(-1)]).toEqual([60, "0", "59"]);
  });

  it("are counted on from where they were after a restart, neither twice nor less", async () => {
    const { held, room } = await foundRoom(world, ann, "counted");
    await sayAll(room.subjects.publish, room.subjects.subscribe, ["one", "two"]);
    await expect.poll(async () => (await world.bus.rooms.get(ann.caller, { room: held.id })).bytes).toBeGreaterThan(0);
    const before = await world.bus.rooms.get(ann.caller, { room: held.id });
    await world.reopen();
    expect(await world.bus.rooms.get(ann.caller, { room: held.id })).toMatchObject({ bytes: before.bytes, lastSeq: before.lastSeq });
    await sayAll(room.subjects.publish, room.subjects.subscribe, ["three"]);
    await expect.poll(async () => (await world.bus.rooms.get(ann.caller, { room: held.id })).bytes).toBeGreaterThan(before.bytes);
  });

  it("are counted on when the server lost the consumer that counts", async () => {
    const { held, room } = await foundRoom(world, ann, "recounted");
    const bytesOf = async () => (await world.bus.rooms.get(ann.caller, { room: held.id })).bytes;
    await sayAll(room.subjects.publish, room.subjects.subscribe, ["one"]);
    await expect.poll(bytesOf).toBeGreaterThan(0);
    const before = await bytesOf();
    const hub = await connectBus(world.hub);
    const { consumers } = await jetstreamManager(hub.account);
    for await (const { name } of consumers.list(streams.rooms)) await consumers.delete(streams.rooms, name);
    await hub.close();
    await sayAll(room.subjects.publish, room.subjects.subscribe, ["two"]);
    await expect.poll(bytesOf, { timeout: 15_000 }).toBe(before * 2);
  });
});

const hashOf = (content: string) => createHash("sha256").update(content).digest("hex") as BlobHash;
const putBlob = (person: Person, content: string, room?: RoomId) =>
  world.bus.blobs.put(person.caller, { hash: hashOf(content), bytes: new TextEncoder().encode(content), ...(room ? { room } : {}) });
const getBlob = async (person: Person, content: string) =>
  Buffer.from(await world.bus.blobs.get(person.caller, { hash: hashOf(content) })).toString();

describe("blobs", () => {
  it("are read by their owner and the room's members, and by nobody else", async () => {
    const { held } = await foundRoom(world, ann, "blobs");
    await putBlob(ann, "shared", held.id);
    await putBlob(ann, "own");
    expect(await codeOf(getBlob(bob, "shared"))).toBe("blob.not_found");
    await inviteTo(world, held, ann, bob);
    expect(await getBlob(bob, "shared")).toBe("shared");
    expect(await codeOf(getBlob(bob, "own"))).toBe("blob.not_found");
    expect(await getBlob(ann, "own")).toBe("own");
    expect(await codeOf(putBlob(eve, "intruder", held.id))).toBe("room.not_found");
    await kickFrom(world, held, ann, bob);
    expect(await codeOf(getBlob(bob, "shared"))).toBe("blob.not_found");
  });

  it("of two people are one object, which lives as long as either keeps it", async () => {
    const { held } = await foundRoom(world, bob, "double");
    await putBlob(bob, "same", held.id);
    await putBlob(eve, "same");
    await world.bus.rooms.delete(bob.caller, { room: held.id });
    expect(await codeOf(getBlob(bob, "same"))).toBe("blob.not_found");
    expect(await getBlob(eve, "same")).toBe("same");
    const { held: only } = await foundRoom(world, bob, "single");
    await putBlob(bob, "alone", only.id);
    await world.bus.rooms.delete(bob.caller, { room: only.id });
    expect(await world.objects.has(hashOf("alone"))).toBe(false);
  });

  it("have a size and a sum for each user, which a deleted room gives back; what is refused leaves nothing", async () => {
    const cat = await world.person("cat");
    const { held } = await foundRoom(world, cat, "sum");
    expect(await codeOf(putBlob(cat, "x".repeat(1_001)))).toBe("blob.too_large");
    expect(await world.objects.has(hashOf("x".repeat(1_001)))).toBe(false);
    await putBlob(cat, "a".repeat(1_000), held.id);
    await putBlob(cat, "b".repeat(1_000), held.id);
    await putBlob(cat, "b".repeat(1_000));
    expect(await codeOf(putBlob(cat, "c".repeat(1_000)))).toBe("blob.quota");
    const both = await Promise.all([codeOf(putBlob(cat, "d".repeat(400))), codeOf(putBlob(cat, "e".repeat(400)))]);
    expect(both.sort()).toEqual(["(no error)", "blob.quota"]);
    await world.bus.rooms.delete(cat.caller, { room: held.id });
    expect(await codeOf(putBlob(cat, "c".repeat(1_000)))).toBe("(no error)");
    expect(await getBlob(cat, "b".repeat(1_000))).toBe("b".repeat(1_000));
  });

  it("of other bytes than their hash are refused and leave nothing", async () => {
    const code = await codeOf(world.bus.blobs.put(eve.caller, { hash: hashOf("said"), bytes: new TextEncoder().encode("done") }));
    expect(code).toBe("object.hash_mismatch");
    expect(await codeOf(getBlob(eve, "said"))).toBe("blob.not_found");
  });
});
