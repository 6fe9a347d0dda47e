/**
 * How many messages of others are behind a place in a room's history, without opening the room.
 *
 * Invariant: counted are frames that the server has stored, by what their headers say, which nobody has verified: a number to show, and no message is
 * believed for it. What cannot be read, control frames, and messages of this identity's own (from another device) do not count.
 */
import { AppError, type EndpointId, type HistoryFrame, type RoomId } from "@althing/contract";
import { fromBase64url, parseFrame } from "@althing/crypto";
import type { Api } from "./api.ts";
import { askUntilCurrent } from "./lagging-node.ts";

export interface UnreadOptions {
  /** Sequence up to which it was read, or counted before. */
  readonly after: number;
  /** Counted no further; at most 1,000. */
  readonly max: number;
  /** A sequence that is known to be there: a node of a cluster that has not got it yet is asked again. */
  readonly least?: number | undefined;
}

export interface UnreadCount {
  readonly count: number;
  /** The last sequence that was looked at: where to count on. */
  readonly through: number;
}

/** In one call: what is behind is counted by the next. */
const pagesMax = 10;

/** @throws {room.not_found} {room.not_persisted} {client.bad_answer} */
export async function countUnread(api: Api, own: EndpointId, room: RoomId, options: UnreadOptions): Promise<UnreadCount> {
  const { max, least = 0 } = options;
  let count = 0;
  let through = options.after;
  for (let pages = 0; pages < pagesMax && count < max; pages += 1) {
    const query = { after: through, limit: max };
    const { frames, next } = await askUntilCurrent(
      api,
      () => api.call("rooms.history", { params: { room }, query }),
      (page) => page.next === undefined && (page.frames.at(-1)?.seq ?? through) < least,
    );
    const last = frames.at(-1)?.seq ?? through;
    if (last < through || (next !== undefined && next !== last))
      throw new AppError("client.bad_answer", { detail: "history is not in order" });
    count += frames.filter((frame) => isOthersMessage(frame, own)).length;
    through = last;
    if (next === undefined) break;
  }
  return { count: Math.min(count, max), through };
}

function isOthersMessage({ frame }: HistoryFrame, own: EndpointId): boolean {
  try {
    const { type, sender } = parseFrame(fromBase64url(frame));
    return type === "msg" && sender !== own;
  } catch {
    return false;
  }
}
