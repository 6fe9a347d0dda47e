/**
 * The recogniser against the library: wherever it sees a frame of a stream it knows, both read the same; everywhere else it keeps out.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { isAppError, type BlobHash } from "@althing/contract";
import { encrypted, messageId, person, room, subject } from "../test/people.ts";
import { fc } from "../test/property.ts";
import { concat, toBase64url, utf8 } from "./bytes.ts";
import { decodeCbor, encodeCbor, type CborValue } from "./canonical.ts";
import { parseAnyFrame, parseFrame } from "./frame.ts";
import { createFrameSealer, type FrameSealerOptions } from "./frame-sealer.ts";
import type { Identity } from "./identity.ts";
import { createKnownFrames } from "./known-frame.ts";

const epoch = { epoch: 4, key: new Uint8Array(32).fill(1), recordHash: toBase64url(new Uint8Array(32).fill(2)) };
let alice: Identity;
beforeAll(async () => {
  alice = (await person("alice")).identity;
});

const sealerOf = (more: Partial<FrameSealerOptions> = {}) =>
  createFrameSealer({ identity: alice, room, subject, policy: encrypted, epoch, ...more });

async function frameOf(sealer: ReturnType<typeof sealerOf>, payload: Uint8Array, more: { blob?: { hash: BlobHash; bytes: number } } = {}) {
  return sealer.seal({ type: "msg", id: messageId, payload, ...more });
}

/** What is read, or what it is refused with. */
function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { code: error.code, params: error.params };
  }
}

function expectAgreement(bytes: Uint8Array): void {
  const short = outcome(() => parseFrame(bytes));
  expect(short).toEqual(outcome(() => parseAnyFrame(bytes)));
}

/** Recognisers that have read the first frame of the stream, as `parseFrame` remembers it. */
function knowing(first: Uint8Array) {
  const frames = createKnownFrames(8);
  const { type, room: of, subject: on, epoch: number, epochHash, sender, streamName } = parseAnyFrame(first);
  frames.remember(first, { type, room: of, subject: on, epoch: number, epochHash, sender, streamName });
  return frames;
}

describe("frames of a stream that is known", () => {
  it.each([0, 1, 23, 24, 255, 256, 65_000])("are recognised and read as the library reads them: %i bytes", async (length) => {
    for (const policy of [encrypted, { ...encrypted, sign: false }, { ...encrypted, encrypt: false }]) {
      const sealer = sealerOf({ policy, epoch: policy.encrypt ? epoch : null });
      const frames = knowing(await frameOf(sealer, utf8("first")));
      const next = await frameOf(sealer, new Uint8Array(length));
      expect(frames.read(next)).toMatchObject({ counter: 1, id: messageId });
      expectAgreement(next);
    }
  });

  it("are recognised whatever the size of the counter", async () => {
    const sealer = sealerOf();
    const items = decodeCbor(await frameOf(sealer, utf8("x"))) as CborValue[];
    const frames = knowing(encodeCbor(items));
    for (const counter of [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1]) {
      const bytes = new Uint8Array(encodeCbor(items.with(8, counter)));
      expect(frames.read(bytes)?.counter).toBe(counter);
      expectAgreement(bytes);
    }
    const over = new Uint8Array(encodeCbor(items.with(8, 2 ** 32)));
    expect(frames.read(over)).toBeUndefined();
    expectAgreement(over);
  });

  it("are read as the library reads them, whatever is changed in them", async () => {
    const sealer = sealerOf();
    const first = await frameOf(sealer, utf8("first"));
    const frames = knowing(first);
    const bytes = await frameOf(sealer, utf8("some words of a message"));
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [1, 2, 0x20, 0x40, 0x80, 0xff]) {
        const flipped = bytes.slice();
        flipped[at] = (flipped[at] ?? 0) ^ flip;
        parseAnyFrame(first);
        expectAgreement(flipped);
        const known = frames.read(flipped);
        if (known !== undefined)
          expect(parseAnyFrame(flipped)).toMatchObject({ counter: known.counter, id: known.id, content: known.content });
      }
    }
    for (let length = 0; length < bytes.length; length++) expect(frames.read(bytes.subarray(0, length))).toBeUndefined();
    expect(frames.read(concat(bytes, Uint8Array.of(0)))).toBeUndefined();
  });

  it("are read as the library reads them when pieces are put in or taken out", async () => {
    const sealer = sealerOf();
    const bytes = await frameOf(sealer, utf8("some words of a message"));
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.nat(4), fc.uint8Array({ maxLength: 6 }), (at, gone, put) => {
        parseAnyFrame(bytes);
        expectAgreement(concat(bytes.subarray(0, at), put, bytes.subarray(Math.min(at + gone, bytes.length))));
      }),
      { numRuns: 3_000 },
    );
  });

  it("are told from frames whose start was changed after it was read", async () => {
    const sealer = sealerOf();
    const first = Buffer.from(await frameOf(sealer, utf8("first")));
    const frames = knowing(first);
    first.fill(0);
    expect(frames.read(await frameOf(sealer, utf8("second")))?.counter).toBe(1);
  });

  it("are not recognised in a longer form of the same value, with a blob, or before anything was read", async () => {
    const sealer = sealerOf();
    const first = await frameOf(sealer, utf8("first"));
    const frames = knowing(first);
    const counterAt = first.length - utf8("first").length - 16 - 66 - 1 - 1 - 28 - 1;
    expect(first[counterAt]).toBe(0);
    const longer = concat(first.subarray(0, counterAt), Uint8Array.of(0x18, 0), first.subarray(counterAt + 1));
    expect(frames.read(longer)).toBeUndefined();
    expect(() => parseFrame(longer)).toThrow(expect.objectContaining({ code: "frame.malformed" }));
    expect(frames.read(await frameOf(sealer, utf8("x"), { blob: { hash: "ab".repeat(32) as BlobHash, bytes: 1 } }))).toBeUndefined();
    expect(frames.read(await frameOf(sealerOf(), utf8("of another stream")))).toBeUndefined();
    expect(createKnownFrames(8).read(first)).toBeUndefined();
  });
});
