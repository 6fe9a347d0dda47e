/** What confirms a send in a room that keeps nothing, and what does not. */
import { limits } from "@althing/contract";
import { identityFromPhrase, newRecoveryPhrase, toBase64url, type Identity } from "@althing/crypto";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { encryptedRoom, liveOnly, type EncryptedRoom } from "../test/encrypted-room.ts";
import type { Api } from "./api.ts";
import type { BusLink } from "./bus-link.ts";
import { createOutbox, type Sent } from "./outbox.ts";
import type { RoomWire } from "./room-wire.ts";

type Frame = Uint8Array<ArrayBuffer>;
const patience = { timeout: 30_000 };
let room: EncryptedRoom;
let bob: Identity;
beforeAll(async () => {
  const ada = await identityFromPhrase(newRecoveryPhrase());
  bob = await identityFromPhrase(newRecoveryPhrase());
  room = await encryptedRoom(ada, bob, Date.now());
});
afterEach(() => void vi.useRealTimers());

/** @param heard the room is subscribed to @param of the room @param call what the server answers */
async function outboxOf({ heard = true, of = room, call = undefined as Api["call"] | undefined } = {}) {
  const core = await of.open();
  const nobody = () => Promise.reject(new Error("unused"));
  const published: Frame[] = [];
  let flushes = 0;
  let refuses = 0;
  let listening = heard;
  const wire: RoomWire = {
    refusals: 0,
    get heard() {
      return listening;
    },
    get listening() {
      return listening;
    },
    listen: nobody,
    publish(bytes) {
      published.push(new Uint8Array(bytes));
      if (refuses === 0) return;
      refuses -= 1;
      queueMicrotask(() => {
        wire.refusals += 1;
        outbox.refused();
      });
    },
    async flush() {
      flushes += 1;
    },
    stop: () => undefined,
  };
  const link = { node: "n1", session: { node: "n1" } } as BusLink["current"];
  const bus = {
    current: link,
    connect: nobody,
    ready: () => Promise.resolve(link),
    refresh: nobody,
    close: nobody,
  } as unknown as BusLink;
  const outbox = createOutbox({
    core,
    wire,
    bus,
    api: { url: "", raw: nobody, call: call ?? nobody },
    rekey: nobody,
    async listen() {
      listening = true;
    },
  });
  const confirmed: string[] = [];
  return {
    published,
    confirmed,
    flushes: () => flushes,
    /** So many publishes, the next ones. */
    refuse(count: number) {
      refuses = count;
    },
    forget() {
      published.length = 0;
      confirmed.length = 0;
      flushes = 0;
    },
    send(text: string): Promise<Sent> {
      const sent = outbox.send({ type: "msg", payload: { contentType: "text/plain", bytes: new TextEncoder().encode(text) } });
      sent.then(
        () => confirmed.push(text),
        () => undefined,
      );
      return sent;
    },
    echo: (bytes: Frame | undefined, seq?: number) =>
      outbox.echoed({ bytes: bytes ?? new Uint8Array(), seq, previous: seq === undefined ? undefined : 0 }),
  };
}

/** The timers are the test's; the turns of the loop, in which keys are opened, are not. */
const ownTime = () => void vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval", "performance"] });

/** Behind the first frame only timers make a send wait. */
async function warm(bobs: Awaited<ReturnType<typeof outboxOf>>, seq?: number): Promise<void> {
  const sent = bobs.send("first");
  while (bobs.published.length === 0) await turn();
  bobs.echo(bobs.published[0], seq);
  await sent;
  bobs.forget();
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a send in a room that keeps nothing", () => {
  it("is done with its echo where the room is heard, not before, and asks the server for nothing more", async () => {
    const bobs = await outboxOf();
    const sends = ["one", "two"].map(bobs.send);
    await vi.waitUntil(() => bobs.published.length === 2, patience);
    await turn();
    expect(bobs.confirmed).toEqual([]);
    expect(bobs.echo(bobs.published[0])?.counter).toBe(0);
    await turn();
    expect(bobs.confirmed).toEqual(["one"]);
    bobs.echo(bobs.published[1]);
    expect(await Promise.all(sends)).toMatchObject([{ node: "n1" }, { node: "n1" }]);
    expect(bobs.flushes()).toBe(0);
  });

  it("is not confirmed by another frame of the same length", async () => {
    const bobs = await outboxOf();
    void bobs.send("one");
    await vi.waitUntil(() => bobs.published.length === 1, patience);
    const junk = new Uint8Array(bobs.published[0] ?? []);
    junk[junk.length - 1] = (junk[junk.length - 1] ?? 0) ^ 1;
    expect(bobs.echo(junk)).toBeUndefined();
    await turn();
    expect(bobs.confirmed).toEqual([]);
  });

  it("is done with the answer to a flush where the room is not heard", async () => {
    const bobs = await outboxOf({ heard: false });
    await Promise.all(["one", "two"].map(bobs.send));
    expect(bobs.confirmed).toEqual(["one", "two"]);
    expect(bobs.published).toHaveLength(2);
    expect(bobs.flushes()).toBeGreaterThan(0);
  });

  it("whose echo is lost is confirmed by a flush and not sent twice", async () => {
    ownTime();
    const bobs = await outboxOf();
    await warm(bobs);
    const sent = bobs.send("one");
    await vi.advanceTimersByTimeAsync(1_900);
    expect([bobs.confirmed.length, bobs.flushes()]).toEqual([0, 0]);
    await vi.advanceTimersByTimeAsync(1_100);
    await sent;
    expect([bobs.published.length, bobs.flushes()]).toEqual([1, 1]);
  });

  it.each([true, false])("is sent again, byte for byte, until the server takes it (heard: %s)", async (heard) => {
    ownTime();
    const bobs = await outboxOf({ heard });
    await warm(bobs);
    bobs.refuse(3);
    const sent = bobs.send("one");
    await vi.advanceTimersByTimeAsync(5_000);
    await sent;
    expect(bobs.published).toHaveLength(4);
    expect(new Set(bobs.published.map(String)).size).toBe(1);
  });

  it.each([true, false])("that the server refuses each time is never confirmed (heard: %s)", async (heard) => {
    ownTime();
    const bobs = await outboxOf({ heard });
    await warm(bobs);
    bobs.refuse(Number.POSITIVE_INFINITY);
    const refusal = expect(bobs.send("one")).rejects.toMatchObject({ code: "client.send_unconfirmed" });
    await vi.advanceTimersByTimeAsync(40_000);
    await refusal;
    expect(bobs.confirmed).toEqual([]);
  });
});

describe("a send in a persisted room", () => {
  it("that a later one overtakes was lost on its way: it leaves again at once, and what history has does not", async () => {
    const kept = await encryptedRoom(await identityFromPhrase(newRecoveryPhrase()), bob, Date.now(), { ...liveOnly, persist: true });
    const stored: { seq: number; frame: string; at: string; previous: number }[] = [];
    const call = (async () => ({ frames: stored, firstSeq: 1, lastSeq: 9 })) as unknown as Api["call"];
    const bobs = await outboxOf({ of: kept, call });
    const sends = ["lost", "heard", "stored"].map(bobs.send);
    await vi.waitUntil(() => bobs.published.length === 3, patience);
    const [lost, heard, inHistory] = bobs.published;
    if (inHistory === undefined) throw new Error("three were sent");
    stored.push({ seq: 2, frame: toBase64url(inHistory), at: "2026-01-01T00:00:00Z", previous: 1 });
    const beganMs = performance.now();
    bobs.echo(heard, 1);
    await vi.waitUntil(() => bobs.published.length === 4, patience);
    expect(performance.now() - beganMs).toBeLessThan(1_000);
    expect(bobs.published[3]).toEqual(lost);
    bobs.echo(lost, 3);
    expect(await Promise.all(sends)).toMatchObject([{ seq: 3 }, { seq: 1 }, { seq: 2 }]);
  });

  describe("whose leader died", () => {
    const never = (() => new Promise(() => undefined)) as unknown as Api["call"];
    const kept = async () => encryptedRoom(await identityFromPhrase(newRecoveryPhrase()), bob, Date.now(), { ...liveOnly, persist: true });
    const texts = ["one", "two", "three"];
    /** By then it was looked after. */
    const lookMs = limits.echoTimeoutMs * 1.5;

    async function lostWith(call: Api["call"]) {
      const of = await kept();
      const bobs = await outboxOf({ of, call });
      ownTime();
      await warm(bobs, 1);
      const sends = texts.map(bobs.send);
      while (bobs.published.length < texts.length) await turn();
      const lost = [...bobs.published];
      bobs.forget();
      const pass = async (ms: number) => {
        await vi.advanceTimersByTimeAsync(ms);
        await turn();
      };
      /** It alone was sent, several times; when it comes the others follow, once and in order. */
      const expectTheOldestFirst = async () => {
        expect(bobs.published.length).toBeGreaterThanOrEqual(3);
        expect(bobs.published.every((frame) => Buffer.compare(frame, lost[0] ?? frame) === 0)).toBe(true);
        bobs.forget();
        bobs.echo(lost[0], 2);
        await pass(0);
        expect(bobs.published).toEqual(lost.slice(1));
        lost.slice(1).forEach((frame, at) => bobs.echo(frame, 3 + at));
        expect(await Promise.all(sends)).toMatchObject([{ seq: 2 }, { seq: 3 }, { seq: 4 }]);
      };
      return { bobs, lost, pass, expectTheOldestFirst };
    }

    it("asks by the oldest frame alone while history gives no answer, and sends the others when it comes", async () => {
      const { bobs, pass, expectTheOldestFirst } = await lostWith(never);
      await pass(lookMs);
      await pass(1_000);
      await expectTheOldestFirst();
      bobs.forget();
      await pass(limits.echoTimeoutMs * 2);
      expect(bobs.published).toEqual([]);
    });

    it("is asked by the oldest frame alone where history knows nothing and all were sent again in vain", async () => {
      const empty = (async () => ({ frames: [], firstSeq: 1, lastSeq: 1 })) as unknown as Api["call"];
      const { bobs, lost, pass, expectTheOldestFirst } = await lostWith(empty);
      await pass(lookMs);
      expect(bobs.published).toEqual(lost);
      bobs.forget();
      await pass(lookMs);
      await pass(500);
      await expectTheOldestFirst();
    });
  });
});
