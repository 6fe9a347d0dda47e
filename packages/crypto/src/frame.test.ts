/**
 * Frames against somebody who publishes, swaps, replays and flips.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { limits, type BlobHash, type RoomPolicy } from "@althing/contract";
import { fc } from "../test/property.ts";
import { encrypted, messageId, otherRoom, person, room, subject, type Person } from "../test/people.ts";
import { fromHex, toBase64url, utf8 } from "./bytes.ts";
import { decodeCbor, encodeCbor, type CborValue } from "./canonical.ts";
import { nonceOf, openFrame, parseFrame, type FrameContext } from "./frame.ts";
import { createFrameSealer } from "./frame-sealer.ts";
import type { EpochKey } from "./room-keys.ts";

const malformed = expect.objectContaining({ code: "frame.malformed" });
const epochKey: EpochKey = { epoch: 4, key: new Uint8Array(32).fill(1), recordHash: toBase64url(new Uint8Array(32).fill(2)) };
const unsigned: RoomPolicy = { ...encrypted, sign: false };
let alice: Person;
let mallory: Person;
let context: FrameContext;

beforeAll(async () => {
  [alice, mallory] = await Promise.all([person("alice"), person("mallory")]);
  context = { room, subject, policy: encrypted, senderSignPub: alice.identity.signPub, epochKey };
});

function seal(
  payload: Uint8Array = utf8("hello"),
  options: Partial<Parameters<typeof createFrameSealer>[0]> = {},
  frame: Partial<{ blob: { hash: BlobHash; bytes: number } }> = {},
): Uint8Array {
  const sealer = createFrameSealer({ identity: alice.identity, room, subject, policy: encrypted, epoch: epochKey, ...options });
  return sealer.seal({ type: "msg", id: messageId, payload, ...frame }) as Uint8Array;
}

async function codeOf(bytes: Uint8Array, changes: Partial<FrameContext> = {}): Promise<string> {
  try {
    await openFrame(parseFrame(bytes), { ...context, ...changes });
    return "opened";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** The frame with one item of its array changed, signature and all the rest as they were. */
function changed(bytes: Uint8Array, index: number, value: CborValue): Uint8Array {
  return encodeCbor((decodeCbor(bytes) as CborValue[]).with(index, value));
}

describe("a frame", () => {
  it("carries any payload and a blob reference", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), fc.nat(), async (payload, bytes) => {
        const blob = { hash: "ab".repeat(32) as BlobHash, bytes };
        const open = await openFrame(parseFrame(seal(payload, {}, { blob })), context);
        expect(open).toMatchObject({ blob, authenticated: true });
        expect(open.payload).toEqual(new Uint8Array(payload));
      }),
      { numRuns: 50 },
    );
  });

  it("any changed byte is refused, in every kind of room", async () => {
    for (const policy of [encrypted, unsigned, { ...encrypted, encrypt: false }] as const) {
      const own = policy.encrypt ? epochKey : null;
      const bytes = seal(utf8("some words of a message"), { policy, epoch: own });
      expect(await codeOf(bytes, { policy, epochKey: own })).toBe("opened");
      for (let at = 0; at < bytes.length; at++) {
        for (const flip of [1, 0x80, 0xff]) {
          const flipped = new Uint8Array(bytes);
          flipped[at] = (flipped[at] as number) ^ flip;
          expect([at, flip, await codeOf(flipped, { policy, epochKey: own })]).toEqual([
            at,
            flip,
            expect.stringMatching(/^frame\.(malformed|forged|misplaced)$/),
          ]);
        }
      }
    }
  });

  it("cut or extended is malformed", () => {
    const bytes = seal();
    for (let length = 0; length < bytes.length; length++) expect(() => parseFrame(bytes.subarray(0, length))).toThrow(malformed);
    expect(() => parseFrame(new Uint8Array([...bytes, 0]))).toThrow(malformed);
  });

  it("junk is malformed and nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (junk) => {
        expect(() => parseFrame(junk)).toThrow(malformed);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each<[string, number, CborValue]>([
    ["version 2", 0, 2],
    ["an unknown type", 1, "shout"],
    ["a type that is an inherited name", 1, "constructor"],
    ["a room that is none", 2, "garden"],
    ["a subject with a space", 3, "s.1 x"],
    ["an endless subject", 3, "s".repeat(201)],
    ["a negative epoch", 4, -1],
    ["epoch 0 with a record", 4, 0],
    ["an epoch without a record", 5, null],
    ["a short record hash", 5, new Uint8Array(31)],
    ["a short sender", 6, new Uint8Array(31)],
    ["a short stream", 7, new Uint8Array(15)],
    ["a long stream", 7, new Uint8Array(17)],
    ["a negative counter", 8, -1],
    ["a counter of 2^32", 8, 2 ** 32],
    ["an id in lower case", 9, messageId.toLowerCase()],
    ["a blob without size", 10, [new Uint8Array(32)]],
    ["a blob of negative size", 10, [new Uint8Array(32), -1]],
    ["a payload that is text", 11, "text"],
    ["a short signature", 12, new Uint8Array(63)],
    ["a signature that is text", 12, "s".repeat(64)],
  ])("with %s is malformed", (_what, index, value) => {
    expect(() => parseFrame(changed(seal(), index, value))).toThrow(malformed);
  });

  it("of more than 64 KiB is neither made nor read", () => {
    expect(() => seal(new Uint8Array(limits.frameMaxBytes))).toThrow(expect.objectContaining({ code: "frame.too_large" }));
    expect(() => seal(new Uint8Array(limits.frameMaxBytes + 1))).toThrow(expect.objectContaining({ code: "frame.too_large" }));
    const largest = limits.frameMaxBytes - seal(new Uint8Array(0)).length - 2;
    expect(seal(new Uint8Array(largest)).length).toBe(limits.frameMaxBytes);
    expect(() => parseFrame(new Uint8Array(limits.frameMaxBytes + 1))).toThrow(malformed);
  });

  it("of the size a server lets through beyond that is refused by its length alone, before a byte of it is read", () => {
    const length = 1024 * 1024;
    const unread = new Proxy(new Uint8Array(length), {
      get(_target, key) {
        if (key === "length") return length;
        throw new Error(`read ${String(key)}`);
      },
    });
    expect(() => parseFrame(unread)).toThrow(malformed);
    const wellFormed = changed(seal(), 11, new Uint8Array(length));
    expect(() => parseFrame(wellFormed)).toThrow(malformed);
  });
});

describe("a hostile server or member", () => {
  it("cannot move a frame to another room or subject", async () => {
    expect(await codeOf(seal(), { room: otherRoom })).toBe("frame.misplaced");
    expect(await codeOf(seal(), { subject: "s.3.other" })).toBe("frame.misplaced");
  });

  it("cannot pass a frame off as somebody else's", async () => {
    const bytes = seal(utf8("x"), { identity: mallory.identity });
    expect(await codeOf(bytes)).toBe("frame.forged");
    expect(await codeOf(changed(bytes, 6, Uint8Array.from(Buffer.from(alice.identity.endpoint, "base64url"))))).toBe("frame.forged");
    expect(await codeOf(seal(), { senderSignPub: mallory.identity.signPub })).toBe("frame.forged");
  });

  it("cannot take the signature off, nor sign where messages go unsigned, nor leave control unsigned", async () => {
    expect(await codeOf(changed(seal(), 12, null))).toBe("frame.forged");
    expect(await codeOf(seal(utf8("x"), { policy: unsigned }))).toBe("frame.forged");
    expect(await codeOf(seal(), { policy: unsigned })).toBe("frame.forged");
    const control = createFrameSealer({ identity: alice.identity, room, subject, policy: unsigned, epoch: epochKey }).seal({
      type: "redact",
      id: messageId,
      payload: utf8("x"),
    }) as Uint8Array;
    expect(await codeOf(control, { policy: unsigned })).toBe("opened");
    expect(await codeOf(changed(control, 12, null), { policy: unsigned })).toBe("frame.forged");
    expect(await codeOf(changed(changed(control, 12, null), 1, "msg"), { policy: unsigned })).toBe("frame.forged");
  });

  it("cannot bind a frame to another epoch, record, key, stream or counter", async () => {
    const bytes = seal();
    expect(await codeOf(bytes, { epochKey: { ...epochKey, epoch: 5 } })).toBe("frame.forged");
    expect(await codeOf(bytes, { epochKey: { ...epochKey, recordHash: toBase64url(new Uint8Array(32)) } })).toBe("frame.forged");
    expect(await codeOf(bytes, { epochKey: { ...epochKey, key: new Uint8Array(32) } })).toBe("frame.forged");
    expect(await codeOf(bytes, { epochKey: null })).toBe("epoch.no_key");
    for (const policy of [encrypted, unsigned]) {
      const made = seal(utf8("x"), { policy });
      for (const [index, value] of [
        [4, 5],
        [5, new Uint8Array(32)],
        [7, new Uint8Array(16)],
        [8, 1],
        [9, messageId.replace("E", "F")],
        [10, [new Uint8Array(32), 1]],
      ] as [number, CborValue][]) {
        expect([index, await codeOf(changed(made, index, value), { policy })]).toEqual([index, "frame.forged"]);
      }
    }
  });

  it("cannot put a frame in clear into an encrypted room, nor the other way round", async () => {
    const clear: RoomPolicy = { ...encrypted, encrypt: false };
    const bytes = seal(utf8("x"), { policy: clear, epoch: null });
    expect(await codeOf(bytes)).toBe("frame.forged");
    expect(await codeOf(seal(), { policy: clear, epochKey: null })).toBe("frame.forged");
  });

  it("a wrong key for the same record is not saved by the cache of the right one", async () => {
    const bytes = seal();
    const right = { ...epochKey };
    expect(await codeOf(bytes, { epochKey: right })).toBe("opened");
    expect(await codeOf(bytes, { epochKey: { ...right, key: new Uint8Array(32).fill(3) } })).toBe("frame.forged");
    expect(await codeOf(bytes, { epochKey: right })).toBe("opened");
  });

  it("learns nothing of equal messages: same text, other ciphertext", () => {
    const sealer = createFrameSealer({ identity: alice.identity, room, subject, policy: encrypted, epoch: epochKey });
    const [a, b] = [1, 2].map(() => parseFrame(sealer.seal({ type: "msg", id: messageId, payload: utf8("same") }) as Uint8Array));
    expect(a?.content).not.toEqual(b?.content);
    expect(parseFrame(seal(utf8("same"))).content).not.toEqual(parseFrame(seal(utf8("same"))).content);
  });
});

describe("a sealer", () => {
  it("never uses a counter twice, even for frames that fail", () => {
    const sealer = createFrameSealer({ identity: alice.identity, room, subject, policy: encrypted, epoch: epochKey });
    expect(() => sealer.seal({ type: "msg", id: messageId, payload: new Uint8Array(limits.frameMaxBytes - 1) })).toThrow(
      expect.objectContaining({ code: "frame.too_large" }),
    );
    expect(parseFrame(sealer.seal({ type: "msg", id: messageId, payload: utf8("x") }) as Uint8Array).counter).toBe(1);
    expect(sealer.counter).toBe(2);
  });

  it("refuses when its counters are used up", () => {
    const sealer = createFrameSealer({ identity: alice.identity, room, subject, policy: encrypted, epoch: epochKey, maxFrames: 2 });
    const send = () => sealer.seal({ type: "msg", id: messageId, payload: utf8("x") }) as Uint8Array;
    send();
    send();
    expect(send).toThrow(expect.objectContaining({ code: "frame.exhausted" }));
    sealer.useEpoch({ ...epochKey, epoch: 5 });
    expect(send).toThrow(expect.objectContaining({ code: "frame.exhausted" }));
  });

  it("seals nothing in an encrypted room without a key", () => {
    const sealer = createFrameSealer({ identity: alice.identity, room, subject, policy: encrypted, epoch: null });
    expect(() => sealer.seal({ type: "msg", id: messageId, payload: utf8("x") })).toThrow(
      expect.objectContaining({ code: "epoch.no_key" }),
    );
    expect(sealer.counter).toBe(0);
  });

  it("draws a stream id of its own, and takes none of another size", () => {
    const make = (stream?: Uint8Array) =>
      createFrameSealer({
        identity: alice.identity,
        room,
        subject,
        policy: encrypted,
        epoch: epochKey,
        ...(stream === undefined ? {} : { stream }),
      });
    expect(make().stream).not.toEqual(make().stream);
    expect(() => make(new Uint8Array(15))).toThrow(TypeError);
  });

  it("nonces are the counter in 96 bits, big-endian", () => {
    expect(nonceOf(0)).toEqual(new Uint8Array(12));
    expect(nonceOf(2 ** 32 - 1)).toEqual(fromHex("0000000000000000ffffffff"));
    expect(nonceOf(2 ** 32 + 5)).toEqual(fromHex("000000000000000100000005"));
  });
});
