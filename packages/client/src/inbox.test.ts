/** Bursts of frames whose signatures are verified before their turn: what a hostile sender may put between them. */
import { createFrameSealer, identityFromPhrase, newRecoveryPhrase, type FrameSealer, type Identity } from "@althing/crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { encryptedRoom, type EncryptedRoom } from "../test/encrypted-room.ts";
import { createInbox } from "./inbox.ts";
import { newMessageId } from "./message-id.ts";
import { encodePayload } from "./payload.ts";
import { createRoomOpener } from "./room-opener.ts";

type Frame = Uint8Array<ArrayBuffer>;
let ada: Identity;
let bob: Identity;
let mallory: Identity;
let room: EncryptedRoom;
beforeAll(async () => {
  [ada, bob, mallory] = (await Promise.all([1, 2, 3].map(() => identityFromPhrase(newRecoveryPhrase())))) as [Identity, Identity, Identity];
  room = await encryptedRoom(ada, bob, Date.now());
});

async function listen() {
  const core = await room.open();
  const nobody = () => Promise.reject(new Error("unused"));
  const opener = createRoomOpener(core, nobody);
  let verifiedApart = 0;
  const inbox = createInbox({
    core,
    api: { url: "", raw: nobody, call: nobody },
    opener: {
      ...opener,
      begin(parsed) {
        verifiedApart += 1;
        return opener.begin(parsed);
      },
    },
    listen: async () => undefined,
  });
  const texts: string[] = [];
  let wake = (): void => undefined;
  const subscription = await inbox.attach((event) => {
    if (event.kind === "message") texts.push(event.text ?? "");
    wake();
  }, "now");
  return {
    core,
    texts,
    apart: () => verifiedApart,
    /** All in one turn, as one read from a socket gives them; resolves when `last` was handed out. */
    async burst(frames: readonly Frame[], last: string) {
      for (const bytes of frames) inbox.arrive({ bytes, seq: undefined, previous: undefined }, undefined);
      while (texts.at(-1) !== last) await new Promise<void>((resolve) => (wake = resolve));
    },
    close: () => subscription.close(),
  };
}

async function seal(sealer: FrameSealer, text: string): Promise<Frame> {
  const payload = encodePayload({ contentType: "text/plain", bytes: new TextEncoder().encode(text) });
  return sealer.seal({ type: "msg", id: newMessageId(Date.now()), payload });
}

function flipped(bytes: Frame, fromEnd: number): Frame {
  const copy = new Uint8Array(bytes);
  copy[copy.length - fromEnd] = (copy[copy.length - fromEnd] ?? 0) ^ 1;
  return copy;
}

describe("a burst of frames", () => {
  it("is handed out in order and once, and what is forged, replayed or junk among it is counted", async () => {
    const bobs = await listen();
    const sealer = room.sealer(ada);
    await bobs.burst([await seal(sealer, "first")], "first");
    expect(bobs.apart()).toBe(0);
    const frames: Frame[] = [];
    const wanted = ["first"];
    for (let index = 0; index < 200; index += 1) {
      const good = await seal(sealer, `message ${index}`);
      // In place of the genuine one, and before it: nothing forged may take its counter.
      if (index % 20 === 3) frames.push(flipped(good, 1));
      if (index % 20 === 5) frames.push(flipped(good, 70));
      if (index % 20 === 7) frames.push(new Uint8Array(good.subarray(0, good.length - 1)));
      frames.push(good);
      if (index % 20 === 9) frames.push(good);
      wanted.push(`message ${index}`);
    }
    await bobs.burst(frames, "message 199");
    expect(bobs.texts).toEqual(wanted);
    expect(bobs.core.counter.stats).toEqual({ "frame.forged": 20, "frame.malformed": 10, "frame.replayed": 10 });
    expect(bobs.apart()).toBeGreaterThan(150);
    await bobs.close();
  });

  it("of a stranger who has the key, or signs for somebody else, is dropped to the last", async () => {
    const bobs = await listen();
    const strangers = room.sealer(mallory);
    const inAdasName = room.sealer({ ...ada, sign: mallory.sign.bind(mallory) });
    const adas = room.sealer(ada);
    await bobs.burst([await seal(adas, "first")], "first");
    const frames: Frame[] = [];
    for (let index = 0; index < 50; index += 1) frames.push(await seal(strangers, "mine"), await seal(inAdasName, "hers"));
    await bobs.burst([...frames, await seal(adas, "genuine")], "genuine");
    expect(bobs.texts).toEqual(["first", "genuine"]);
    expect(bobs.core.counter.stats).toEqual({ "frame.forged": 100 });
    await bobs.close();
  });

  it("of another room with the same members is misplaced, however good its signature", async () => {
    const bobs = await listen();
    const adas = room.sealer(ada);
    const elsewhere = createFrameSealer({
      identity: ada,
      room: "01J00000000000000000000001" as never,
      subject: "s.0.y",
      policy: bobs.core.policy,
      epoch: await bobs.core.sealKey(),
    });
    const frames = await Promise.all(Array.from({ length: 10 }, () => seal(elsewhere, "elsewhere")));
    await bobs.burst([await seal(adas, "first"), ...frames, await seal(adas, "here")], "here");
    expect(bobs.texts).toEqual(["first", "here"]);
    expect(bobs.core.counter.stats).toEqual({ "frame.misplaced": 10 });
    await bobs.close();
  });
});
