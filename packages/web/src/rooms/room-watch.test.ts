import { AppError, roomIdSchema, type RoomId } from "@althing/contract";
import type { RoomHandler } from "@althing/client";
import { expect, test } from "vitest";
import { createRoomWatch, watchedMax } from "./room-watch.ts";

const idOf = (at: number): RoomId => roomIdSchema.parse(`01J9ZQ4Y6T8V0W2X3Y4Z5A${String(at).padStart(4, "0")}`);
const [a, b, c] = [idOf(1), idOf(2), idOf(3)];
const settled = () => new Promise((done) => setTimeout(done, 0));

/** Rooms that can be listened to, and what was asked of them. */
function roomsOf(refusals: ReadonlyMap<RoomId, AppError> = new Map()) {
  const opened: RoomId[] = [];
  const handlers = new Map<RoomId, RoomHandler>();
  const ends = new Map<RoomId, () => void>();
  const said: string[] = [];
  let gate: Promise<void> = Promise.resolve();
  const subscribe = (room: RoomId) => async (handler: RoomHandler, options?: { readonly since?: unknown }) => {
    said.push(`listen ${String(options?.since)}`);
    await gate;
    handlers.set(room, handler);
    const done = new Promise<void>((resolve) => ends.set(room, resolve));
    const close = async () => {
      handlers.delete(room);
      ends.get(room)?.();
    };
    return { done, close };
  };
  const watch = createRoomWatch({
    client: {
      rooms: {
        async open(room) {
          opened.push(room);
          const refusal = refusals.get(room);
          if (refusal !== undefined) throw refusal;
          return { subscribe: subscribe(room) };
        },
      },
    },
    heard: (room) => void said.push(`heard ${room}`),
    onBegun: () => void said.push("begun"),
    judge: (error) => void said.push(error instanceof AppError ? error.code : "?"),
  });
  return {
    ...{ watch, opened, handlers, ends, said },
    /** @returns lets subscriptions begin that are asked for from now on */
    holdBack() {
      let letGo: () => void = () => undefined;
      gate = new Promise((resolve) => (letGo = resolve));
      return () => letGo();
    },
  };
}

test("rooms are listened to from now on, and what came until then is asked for once", async () => {
  const { watch, handlers, said } = roomsOf();
  watch.keep([a, b]);
  watch.keep([a, b]);
  await settled();
  expect([...handlers.keys()]).toEqual([a, b]);
  expect(said).toEqual(["listen now", "listen now", "begun"]);
  watch.keep([b]);
  await settled();
  expect([...handlers.keys()]).toEqual([b]);
  expect(said).toHaveLength(3);
});

test("whoever leaves a room waits for a subscription that is on its way, and not for those that have not begun", async () => {
  const { watch, handlers, opened, holdBack } = roomsOf();
  const letGo = holdBack();
  watch.keep([a, b]);
  await settled();
  let isLeft = false;
  const leaving = watch.leave(a).then(() => (isLeft = true));
  await watch.leave(b);
  await settled();
  expect(isLeft).toBe(false);
  letGo();
  await leaving;
  await settled();
  expect(handlers.size).toBe(0);
  expect(opened).toEqual([a]);
});

test("a room that is refused is not asked for again, one that is not reached or was left is, and others are heard all the same", async () => {
  const refusals = new Map<RoomId, AppError>([
    [a, new AppError("epoch.forged")],
    [b, new AppError("client.unreachable")],
  ]);
  const { watch, handlers, opened, said } = roomsOf(refusals);
  watch.keep([a, b, c]);
  await settled();
  expect([...handlers.keys()]).toEqual([c]);
  expect(said).toEqual(["epoch.forged", "client.unreachable", "listen now", "begun"]);
  refusals.clear();
  watch.keep([a, b, c]);
  await settled();
  expect(opened).toEqual([a, b, c, b]);
  expect([...handlers.keys()]).toEqual([c, b]);
});

test("a subscription that ended by itself is made again when the room is kept", async () => {
  const { watch, ends, opened } = roomsOf();
  watch.keep([a]);
  await settled();
  ends.get(a)?.();
  await settled();
  watch.keep([a]);
  await settled();
  expect(opened).toEqual([a, a]);
});

test("no more than so many rooms are listened to", async () => {
  const { watch, handlers } = roomsOf();
  watch.keep(Array.from({ length: watchedMax + 20 }, (_, at) => idOf(at)));
  await expect.poll(() => handlers.size).toBe(watchedMax);
  await settled();
  expect(handlers.size).toBe(watchedMax);
});
