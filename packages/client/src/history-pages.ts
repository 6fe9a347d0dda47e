/**
 * A room's stored frames over HTTP, page by page.
 *
 * Invariant: sequences grow strictly, within a page and between pages; a server that turns in circles is stopped, not followed.
 */
import { AppError, limits, type HistoryFrame, type RoomId } from "@althing/contract";
import type { Api } from "./api.ts";
import { askUntilCurrent } from "./lagging-node.ts";

export interface HistoryPage {
  readonly frames: readonly HistoryFrame[];
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export interface ReadOptions {
  /** A sequence that is known to be there: a node whose history ends before it is behind. */
  readonly until?: number;
  readonly pageMax?: number;
}

/** From the frame after `after` to the end; a node that has not got there yet is asked again. @throws {client.bad_answer} sequences that do not grow */
export async function* readHistoryPages(
  api: Api,
  room: RoomId,
  after: number,
  { until = after, pageMax = limits.historyPageMax }: ReadOptions = {},
): AsyncGenerator<HistoryPage> {
  for (let at = after; ;) {
    const query = { after: at, limit: pageMax };
    const page = await askUntilCurrent(
      api,
      () => api.call("rooms.history", { params: { room }, query }),
      ({ lastSeq, next, frames }) => lastSeq < at || (next === undefined && (frames.at(-1)?.seq ?? lastSeq) < until),
    );
    checkOrder(page.frames, at);
    yield page;
    if (page.next === undefined) return;
    if (page.next <= at) throw new AppError("client.bad_answer", { detail: "history turns in a circle" });
    at = page.next;
  }
}

/** The last `count` frames, in order of arrival. */
export async function readLastFrames(api: Api, room: RoomId, count: number): Promise<HistoryPage> {
  const page = await api.call("rooms.history", { params: { room }, query: { last: count } });
  checkOrder(page.frames, 0);
  return page;
}

function checkOrder(frames: readonly HistoryFrame[], after: number): void {
  let before = after;
  for (const { seq } of frames) {
    if (seq <= before) throw new AppError("client.bad_answer", { detail: "history is not in order" });
    before = seq;
  }
}
