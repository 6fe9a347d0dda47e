/**
 * Reading back a persisted room: frames as they were stored, and the epochs to open them with.
 *
 * Invariant: where history is `from-join`, nothing from before the membership is given out, neither frames nor sealed keys nor records. Frames
 * pass through unread. The cursor is the stream's sequence; `previous` is the sequence of the room's message before, so a client sees
 * every gap.
 */
import { AppError, type Epoch, type HistoryFrame } from "@althing/contract";
import { toBase64url } from "@althing/crypto";
import type { Caller } from "../caller.ts";
import type { RoomStream, StoredFrame } from "../room-stream.ts";
import type { Input, Output } from "../route-input.ts";
import { readEpoch } from "./epoch-rows.ts";
import { standingIn, type RoomsDeps } from "./room-deps.ts";

/** JSON around each frame, and base64url's third. */
const frameOverheadBytes = 160;

/**
 * The sequence from which the room has exactly `wanted` messages left (fewer when it has fewer). There is no index from the end, but
 * each read says how many are behind it, so it is searched: doubling steps back, then halving; ~2·log2 reads.
 */
async function startOfLast(stream: RoomStream, input: string, floor: number, wanted: number): Promise<number> {
  const last = await stream.lastSeq();
  const left = async (from: number) => {
    const { frames, pending } = await stream.read(input, { fromSeq: from, limit: 1, maxBytes: 1 });
    return frames.length + pending;
  };
  let enough = last + 1;
  let tooFew = last + 1;
  for (let step = wanted; ; step *= 2) {
    enough = Math.max(floor + 1, last - step + 1);
    if (enough === floor + 1 || (await left(enough)) >= wanted) break;
    tooFew = enough;
  }
  if (enough === floor + 1 && (await left(enough)) <= wanted) return enough;
  while (tooFew - enough > 1) {
    const middle = Math.floor((enough + tooFew) / 2);
    if ((await left(middle)) >= wanted) enough = middle;
    else tooFew = middle;
  }
  return enough;
}

function withPrevious(frames: readonly StoredFrame[], before: number): HistoryFrame[] {
  let previous = before;
  return frames.map((frame) => {
    const view = { seq: frame.seq, previous, at: frame.at, frame: toBase64url(frame.bytes) };
    previous = frame.seq;
    return view;
  });
}

/** The frames that fit into one answer, at least one. */
function fitting(frames: readonly StoredFrame[], maxBytes: number): StoredFrame[] {
  let total = 0;
  const end = frames.findIndex((frame) => (total += Math.ceil((frame.bytes.length * 4) / 3) + frameOverheadBytes) > maxBytes);
  return frames.slice(0, end < 0 ? frames.length : Math.max(1, end));
}

/** @throws {room.not_found} {room.not_persisted} {request.invalid} {nats.unavailable} */
export async function history(deps: RoomsDeps, caller: Caller, query: Input<"rooms.history">): Promise<Output<"rooms.history">> {
  const { stream, limits } = deps;
  const { room, member } = await standingIn(deps, caller, query.room);
  const { id, policy } = room.value;
  if (!policy.persist) throw new AppError("room.not_persisted");
  if (query.last !== undefined && query.after > 0) {
    throw new AppError(
      "request.invalid",
      { detail: "last and after exclude each other" },
      { faults: [{ path: "last", message: "not together with after" }] },
    );
  }
  const { input } = deps.subjectsOf(id);
  const floor = policy.history === "shared" ? 0 : member.value.afterSeq;
  const from = query.last === undefined ? Math.max(query.after, floor) + 1 : await startOfLast(stream, input, floor, query.last);
  const read = await stream.read(input, { fromSeq: from, limit: query.last ?? query.limit, maxBytes: limits.historyPageMaxBytes });
  const frames = fitting(read.frames, limits.historyPageMaxBytes);
  const [first, last] = [frames[0], frames.at(-1)];
  const more = read.pending + read.frames.length - frames.length > 0;
  const usage = deps.usage.of(id);
  return {
    frames: withPrevious(frames, first ? await stream.lastUpTo(input, first.seq - 1) : 0),
    ...(more && last ? { next: last.seq } : {}),
    firstSeq: usage.messages === 0 ? 0 : Math.max(usage.firstSeq, floor + 1),
    // An empty page says where the room ends; what was counted is some moments old.
    lastSeq: last === undefined ? await stream.newest(input) : Math.max(usage.lastSeq, last.seq),
  };
}

/** @throws {room.not_found} */
export async function epochs(deps: RoomsDeps, caller: Caller, query: Input<"rooms.epochs">): Promise<Output<"rooms.epochs">> {
  const { room, member } = await standingIn(deps, caller, query.room);
  const { id, policy, epoch: current } = room.value;
  const first = policy.history === "shared" ? 1 : member.value.fromEpoch;
  const from = Math.max(query.from, first);
  const found: Epoch[] = [];
  let bytes = 0;
  let next = from;
  for (; next <= current && found.length < query.limit; next++) {
    const epoch = await readEpoch(deps.collections, id, next, caller.endpoint);
    if (!epoch) continue;
    bytes += epoch.record.length;
    // One answer stays below the page's limit, but has at least one.
    if (found.length > 0 && bytes > deps.limits.historyPageMaxBytes) break;
    // What links to before the membership is nobody's here.
    const { link, ...rest } = epoch;
    found.push(policy.history === "shared" && link !== undefined ? epoch : rest);
  }
  return { epochs: found, ...(next <= current ? { next } : {}) };
}
