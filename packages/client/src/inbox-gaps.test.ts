/**
 * Frames of a kept room that come out of order, late or not at all, as they do when a node dies: whatever the store has reaches the handler, in its sender's
 * order and once, and a wait that is over for one frame is not over for another.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { toBase64url, identityFromPhrase, newRecoveryPhrase, type FrameSealer, type Identity } from "@althing/crypto";
import { beforeAll, expect, it } from "vitest";
import { encryptedRoom, type EncryptedRoom } from "../test/encrypted-room.ts";
import type { Api } from "./api.ts";
import { createInbox } from "./inbox.ts";
import { newMessageId } from "./message-id.ts";
import { encodePayload } from "./payload.ts";
import { createRoomOpener } from "./room-opener.ts";

interface Stored {
  readonly seq: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

let ada: Identity;
let bob: Identity;
let room: EncryptedRoom;
beforeAll(async () => {
  [ada, bob] = [await identityFromPhrase(newRecoveryPhrase()), await identityFromPhrase(newRecoveryPhrase())];
  room = await encryptedRoom(ada, bob, Date.now(), { encrypt: true, persist: true, sign: true, history: "from-join" });
});

/** Bob's inbox over a store in memory. @param isSeveral the instance has several nodes */
async function listen(isSeveral: boolean) {
  const core = await room.open(Date.now, isSeveral);
  const store: Stored[] = [];
  /** What the node that answers has of it; and how long it takes. */
  const node = { has: Number.POSITIVE_INFINITY, delayMs: 0, reads: 0 };
  const call = async (_route: string, { query }: { query: { after: number; limit: number } }) => {
    node.reads += 1;
    await sleep(node.delayMs);
    const here = store.filter(({ seq }) => seq <= node.has).toSorted((a, b) => a.seq - b.seq);
    const frames = here
      .filter(({ seq }) => seq > query.after)
      .slice(0, query.limit)
      .map(({ seq, bytes }) => ({ seq, previous: seq - 1, at: "2026-01-01T00:00:00.000Z", frame: toBase64url(bytes) }));
    return { frames, firstSeq: 1, lastSeq: here.at(-1)?.seq ?? 0 };
  };
  const api = { url: "", raw: () => Promise.reject(new Error("unused")), call, isSeveral } as unknown as Api;
  const opener = createRoomOpener(core, () => Promise.reject(new Error("unused")));
  const inbox = createInbox({ core, api, opener, listen: async () => undefined });
  const texts: string[] = [];
  const attach = () =>
    inbox.attach((event) => {
      if (event.kind === "message") texts.push(event.text ?? "");
    }, "cursor");
  let subscription = await attach();
  return {
    core,
    node,
    texts,
    keep: (...stored: readonly Stored[]) => void store.push(...stored),
    /** As NATS brings it: `previous` is the message that the stream has before it. */
    hear: ({ seq, bytes }: Stored) => inbox.arrive({ bytes, seq, previous: seq - 1 }, undefined),
    async heard(wanted: readonly string[], withinMs: number) {
      const endMs = performance.now() + withinMs;
      while (texts.length < wanted.length && performance.now() < endMs) await sleep(10);
      expect(texts).toEqual(wanted);
    },
    leave: () => subscription.close(),
    async listenAgain() {
      subscription = await attach();
    },
    async close() {
      await subscription.close();
      await inbox.close();
    },
  };
}

/** The next frames of a stream, sealed in this order. */
async function seal(sealer: FrameSealer, ...texts: readonly string[]): Promise<Uint8Array<ArrayBuffer>[]> {
  const frames: Uint8Array<ArrayBuffer>[] = [];
  for (const text of texts) {
    const payload = encodePayload({ contentType: "text/plain", bytes: new TextEncoder().encode(text) });
    frames.push(await sealer.seal({ type: "msg", id: newMessageId(Date.now()), payload }));
  }
  return frames;
}

const at = (seq: number, bytes: Uint8Array<ArrayBuffer> | undefined): Stored => ({ seq, bytes: bytes ?? new Uint8Array() });

it("a wait that was over in a moment does not shorten the next one", async () => {
  const bobs = await listen(false);
  const [a0, a1, a2, a3] = await seal(room.sealer(ada), "0", "1", "2", "3");
  // In disorder, and mended by history at once.
  const early = [at(1, a1), at(2, a0)];
  bobs.keep(...early);
  for (const one of early) bobs.hear(one);
  await bobs.heard(["0", "1"], 2_000);
  await sleep(1_900);
  // Lost on its way; its sender sends it again within the time that a frame waits, counted from when this one came.
  bobs.keep(at(3, a3));
  bobs.hear(at(3, a3));
  await sleep(1_500);
  bobs.keep(at(4, a2));
  bobs.hear(at(4, a2));
  await bobs.heard(["0", "1", "2", "3"], 2_000);
  expect(bobs.core.counter.stats).not.toHaveProperty("frame.gap");
  await bobs.close();
});

it("what only history has is found while another stream waits for what nobody has", async () => {
  const bobs = await listen(true);
  const [, lost] = await seal(room.sealer(ada), "never", "waits for it");
  bobs.hear(at(1, lost));
  await sleep(300);
  const [b0, b1] = await seal(room.sealer(ada), "0", "1");
  bobs.hear(at(2, b1));
  await sleep(100);
  // NATS does not bring it.
  bobs.keep(at(1, lost), at(2, b1), at(3, b0));
  await bobs.heard(["0", "1"], 4_000);
  await bobs.close();
});

it("a node whose history ends before what NATS announced is asked again, and nothing is passed over", async () => {
  const bobs = await listen(true);
  const [a0, a1] = await seal(room.sealer(ada), "a0", "a1");
  const [b0] = await seal(room.sealer(ada), "b0");
  bobs.keep(at(1, a0), at(2, b0));
  bobs.node.has = 0;
  // The first did not come here, and the node that is asked for it does not have it yet.
  bobs.hear(at(2, b0));
  await sleep(400);
  bobs.node.has = Number.POSITIVE_INFINITY;
  bobs.keep(at(3, a1));
  bobs.hear(at(3, a1));
  await bobs.heard(["a0", "b0", "a1"], 3_000);
  await bobs.close();
});

it("a wait during which nobody answered for history is not over with the first answer", async () => {
  const bobs = await listen(false);
  const [a0, a1] = await seal(room.sealer(ada), "0", "1");
  bobs.keep(at(1, a1));
  bobs.node.delayMs = 3_000;
  bobs.hear(at(1, a1));
  await sleep(100);
  bobs.node.delayMs = 0;
  await sleep(3_400);
  bobs.keep(at(2, a0));
  bobs.hear(at(2, a0));
  await bobs.heard(["0", "1"], 1_000);
  await bobs.close();
});

it("what nobody has is given up after its time, once, and history was read a few times for it", async () => {
  const bobs = await listen(false);
  const [, ...rest] = await seal(room.sealer(ada), "never", ...Array.from({ length: 50 }, (_, n) => `${n + 1}`));
  for (const [index, bytes] of rest.entries()) {
    bobs.keep(at(index + 1, bytes));
    bobs.hear(at(index + 1, bytes));
  }
  await sleep(1_500);
  expect(bobs.texts).toEqual([]);
  await bobs.heard(
    rest.map((_, n) => `${n + 1}`),
    3_000,
  );
  expect(bobs.core.counter.stats["frame.gap"]).toBe(1);
  expect(bobs.node.reads).toBeLessThan(8);
  await bobs.close();
});

it("what was held when nobody listened any more is still looked for when somebody listens again", async () => {
  const bobs = await listen(false);
  const [a0, a1] = await seal(room.sealer(ada), "0", "1");
  bobs.keep(at(1, a1));
  bobs.hear(at(1, a1));
  await sleep(700);
  await bobs.leave();
  await bobs.listenAgain();
  await sleep(200);
  bobs.keep(at(2, a0));
  await bobs.heard(["0", "1"], 2_000);
  await bobs.close();
});
