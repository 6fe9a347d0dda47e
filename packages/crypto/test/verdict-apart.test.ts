/**
 * Signatures verified before their frame's turn, on a back end that verifies on other threads.
 */
import { beforeAll, describe, expect, it, vi } from "vitest";
import { openFrame, parseFrame, verifyFrameApart, type FrameContext } from "../src/frame.ts";
import { createFrameSealer } from "../src/frame-sealer.ts";
import { toBase64url, utf8 } from "../src/bytes.ts";
import type * as Ed25519Sodium from "../src/ed25519-sodium.ts";
import type { EpochKey } from "../src/room-keys.ts";
import { encrypted, messageId, person, room, subject, type Person } from "./people.ts";

const libsodium = vi.hoisted(() => ({ used: false }));
vi.mock("../src/ed25519-sodium.ts", async (original) => {
  const fast = await original<typeof Ed25519Sodium>();
  const plain = await import("../src/ed25519-node.ts");
  return { ...fast, ed25519: () => (libsodium.used ? fast.ed25519() : plain) };
});

const epochKey: EpochKey = { epoch: 4, key: new Uint8Array(32).fill(1), recordHash: toBase64url(new Uint8Array(32).fill(2)) };
const refused = expect.objectContaining({ code: "frame.forged" });
let alice: Person;
let mallory: Person;
let context: FrameContext;

beforeAll(async () => {
  [alice, mallory] = await Promise.all([person("alice"), person("mallory")]);
  context = { room, subject, policy: encrypted, senderSignPub: alice.identity.signPub, epochKey };
});

function seal(options: Partial<Parameters<typeof createFrameSealer>[0]> = {}): Uint8Array {
  const sealer = createFrameSealer({ identity: alice.identity, room, subject, policy: encrypted, epoch: epochKey, ...options });
  return sealer.seal({ type: "msg", id: messageId, payload: utf8("hello") }) as Uint8Array;
}

function damaged(): Uint8Array {
  const bytes = new Uint8Array(seal());
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes;
}

describe("a verdict made apart", () => {
  it("opens the frame that it is of, and refuses one with a bad signature", async () => {
    const parsed = parseFrame(seal());
    const verdict = verifyFrameApart(parsed, alice.identity.signPub);
    expect(await verdict?.good).toBe(true);
    expect(await openFrame(parsed, { ...context, verdict })).toMatchObject({ authenticated: true });
    const bad = parseFrame(damaged());
    const opening = Promise.resolve(openFrame(bad, { ...context, verdict: verifyFrameApart(bad, alice.identity.signPub) }));
    await expect(opening).rejects.toMatchObject({ code: "frame.forged" });
  });

  it("counts for no other frame and no other key", async () => {
    const good = verifyFrameApart(parseFrame(seal()), alice.identity.signPub);
    expect(await good?.good).toBe(true);
    expect(() => openFrame(parseFrame(damaged()), { ...context, verdict: good })).toThrow(refused);
    const forged = parseFrame(seal({ identity: { ...alice.identity, sign: mallory.identity.sign } }));
    const verdict = verifyFrameApart(forged, mallory.identity.signPub);
    expect(await verdict?.good).toBe(true);
    expect(() => openFrame(forged, { ...context, verdict })).toThrow(refused);
  });

  it("is none for a frame without a signature", () => {
    const parsed = parseFrame(seal({ policy: { ...encrypted, sign: false } }));
    expect(verifyFrameApart(parsed, alice.identity.signPub)).toBeUndefined();
  });

  it("is none where verifying in place is quick", async () => {
    libsodium.used = true;
    const bob = await person("bob");
    const parsed = parseFrame(seal({ identity: bob.identity }));
    expect(verifyFrameApart(parsed, bob.identity.signPub)).toBeUndefined();
    expect(await openFrame(parsed, { ...context, senderSignPub: bob.identity.signPub })).toMatchObject({ authenticated: true });
  });
});
