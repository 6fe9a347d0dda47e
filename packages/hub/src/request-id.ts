/**
 * Request ids: ULIDs made by this process, never taken from a client (a chosen id could be used to confuse the log).
 *
 * Invariant: 48 bits of milliseconds and 80 random bits from the operating system, so ids sort by time and cannot be guessed.
 * Randomness is drawn in blocks: one system call serves hundreds of requests, which the pipeline's budget notices.
 */
import { randomFillSync } from "node:crypto";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const poolBytes = 8_000;
const randomChars = 16;

export interface RequestIdSource {
  /** A fresh ULID. */
  next(): string;
}

export interface RequestIdOptions {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly fill?: (pool: Uint8Array) => void;
}

/**
 * @example
 * const ids = createRequestIds();
 * ids.next(); // "01K7Z0…", 26 characters
 */
export function createRequestIds(options: RequestIdOptions = {}): RequestIdSource {
  const now = options.now ?? Date.now;
  const fill = options.fill ?? ((pool: Uint8Array) => void randomFillSync(pool));
  const pool = new Uint8Array(poolBytes);
  let used = poolBytes;
  let lastMs = -1;
  let prefix = "";
  return {
    next() {
      const ms = now();
      if (ms !== lastMs) {
        lastMs = ms;
        prefix = encodeTime(ms);
      }
      if (used + randomChars > poolBytes) {
        fill(pool);
        used = 0;
      }
      let id = prefix;
      for (let i = 0; i < randomChars; i++) id += alphabet[(pool[used + i] ?? 0) & 31];
      used += randomChars;
      return id;
    },
  };
}

function encodeTime(ms: number): string {
  let rest = ms;
  let text = "";
  for (let i = 0; i < 10; i++) {
    text = alphabet[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}
