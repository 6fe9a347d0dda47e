/**
 * `wasi:clocks` and `wasi:random`.
 *
 * Clocks tick coarsely (a tenth of a millisecond, a millisecond), too coarse to time what a neighbour does to a cache. All randomness, the
 * insecure kind too, is the system's.
 */
import { randomFillSync } from "node:crypto";
import type { GuestFace } from "./guest-face.ts";
import { monotonicMs, Pollable, readyAt } from "./poll.ts";

const ticksPerMs = 10;
const nanosecondsPerTick = 100_000n;
const nanosecondsPerMs = 1_000_000;
const randomMaxBytes = 1_048_576n;

const monotonicNow = (): bigint => BigInt(Math.floor(monotonicMs() * ticksPerMs)) * nanosecondsPerTick;

function wallNow(): { readonly seconds: bigint; readonly nanoseconds: number } {
  const ms = Date.now();
  return { seconds: BigInt(Math.floor(ms / 1_000)), nanoseconds: (ms % 1_000) * nanosecondsPerMs };
}

function randomU64(): bigint {
  return new DataView(randomFillSync(new Uint8Array(8)).buffer).getBigUint64(0);
}

function randomBytes(face: GuestFace, length: bigint): Uint8Array {
  if (length > randomMaxBytes) face.end("trap", `more than ${randomMaxBytes} random bytes at once`);
  face.work(Number(length));
  return randomFillSync(new Uint8Array(Number(length)));
}

/** By interface. */
export function createClocksAndRandom(face: GuestFace): Readonly<Record<string, object>> {
  return {
    "wasi:clocks/monotonic-clock": {
      now: monotonicNow,
      resolution: () => nanosecondsPerTick,
      subscribeInstant: (when: bigint) => new Pollable(face, readyAt(face, Number(when) / nanosecondsPerMs)),
      subscribeDuration: (duration: bigint) => new Pollable(face, readyAt(face, monotonicMs() + Number(duration) / nanosecondsPerMs)),
    },
    "wasi:clocks/wall-clock": { now: wallNow, resolution: () => ({ seconds: 0n, nanoseconds: nanosecondsPerMs }) },
    "wasi:random/random": { getRandomBytes: (length: bigint) => randomBytes(face, length), getRandomU64: randomU64 },
    "wasi:random/insecure": { getInsecureRandomBytes: (length: bigint) => randomBytes(face, length), getInsecureRandomU64: randomU64 },
    "wasi:random/insecure-seed": { insecureSeed: () => [randomU64(), randomU64()] },
  };
}
