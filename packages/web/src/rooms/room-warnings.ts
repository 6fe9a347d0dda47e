/**
 * What the client library warned of in each room, until the page is closed.
 *
 * Invariant: nothing that was warned of disappears by itself or can be closed: a room that was taken on trust says so, over every restart of the page,
 * until the reader has compared a safety number.
 */
import { isAppError, type AppError, type RoomId } from "@althing/contract";
import type { ClientWarning } from "@althing/client";
import type { Kept } from "./kept.ts";

export interface RoomWarning {
  readonly code: string;
  /** Absent: first sight. */
  readonly error: AppError | undefined;
  readonly count: number;
}

export interface RoomWarnings {
  of(room: RoomId): readonly RoomWarning[];
  add(room: RoomId, warning: ClientWarning): void;
  /** A safety number was compared. */
  compared(room: RoomId): void;
}

const none: readonly RoomWarning[] = [];
const firstSight: RoomWarning = { code: "first-sight", error: undefined, count: 1 };

export function createRoomWarnings(kept: Kept, onChange: (room: RoomId) => void): RoomWarnings {
  const warnings = new Map<RoomId, readonly RoomWarning[]>();
  const of = (room: RoomId) => {
    let found = warnings.get(room);
    if (found === undefined) {
      found = kept.isFirstSight(room) ? [firstSight] : none;
      warnings.set(room, found);
    }
    return found;
  };
  const put = (room: RoomId, next: readonly RoomWarning[]) => {
    warnings.set(room, next);
    onChange(room);
  };
  return {
    of,
    add(room, warning) {
      const error = isAppError(warning) ? warning : undefined;
      if (error === undefined) kept.setFirstSight(room, true);
      const same = of(room).find((one) => one.code === warning.code && one.error?.message === error?.message);
      const others = of(room).filter((one) => one !== same);
      put(room, [...others, { code: warning.code, error, count: (same?.count ?? 0) + 1 }]);
    },
    compared(room) {
      kept.setFirstSight(room, false);
      put(
        room,
        of(room).filter(({ error }) => error !== undefined),
      );
    },
  };
}
