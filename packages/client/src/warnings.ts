/**
 * What a client says about a server or a member that misbehaves.
 *
 * Invariant: nothing is dropped in silence: each drop is counted by code, and the first of a kind in a room, then every power of ten, is said aloud,
 * so that a flood of junk cannot flood the application.
 */
import type { AppError, ErrorCode, RoomId } from "@althing/contract";

/** The room or identity is taken on trust: there was nothing to check it against. */
export interface FirstSight {
  readonly code: "first-sight";
  readonly message: string;
  readonly room?: RoomId;
}

export type ClientWarning = AppError | FirstSight;

export interface Counter {
  /** Counts, and says whether this one is to be heard. */
  count(code: ErrorCode | "no-key" | "repeated"): boolean;
  readonly stats: Readonly<Record<string, number>>;
}

export function createCounter(): Counter {
  const stats: Record<string, number> = {};
  return {
    stats,
    count(code) {
      const n = (stats[code] ?? 0) + 1;
      stats[code] = n;
      return Number.isInteger(Math.log10(n));
    },
  };
}
