import { AppError } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { createSendQueue, type Outgoing } from "./send-queue.ts";
import type { Unsent } from "./kept.ts";

const message = (id: string): Unsent => ({ room: "r" as never, id, text: id, at: "2026-01-01T00:00:00.000Z", afterSeq: 0 });
const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** A room whose sends are answered by hand, one after the other. */
function roomByHand() {
  const sent: string[] = [];
  const stored = new Set<string>();
  const answers: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const world = { isConnected: true };
  let list: readonly Outgoing[] = [];
  const queue = createSendQueue({
    send: ({ id }) => {
      sent.push(id);
      return new Promise((resolve, reject) => answers.push({ resolve: () => resolve({ id }), reject }));
    },
    isStored: async ({ id }) => stored.has(id),
    isConnected: () => world.isConnected,
    onChange: (next) => (list = next),
  });
  const answer = async (error?: unknown) => {
    const next = answers.shift();
    if (error === undefined) next?.resolve();
    else next?.reject(error);
    await settled();
  };
  return { queue, sent, stored, world, answer, states: () => list.map(({ message: { id }, state }) => `${id} ${state}`) };
}

describe("messages on their way out", () => {
  it("go one after the other, in the order they were typed", async () => {
    const { queue, sent, answer, states } = roomByHand();
    for (const id of ["a", "b"]) queue.add(message(id));
    expect(states()).toEqual(["a sending", "b waiting"]);
    await answer();
    expect([sent, states()]).toEqual([
      ["a", "b"],
      ["a sent", "b sending"],
    ]);
    queue.seen("a");
    await answer();
    queue.seen("b");
    expect(states()).toEqual([]);
  });

  it("wait without a connection, and go out in order when it is back", async () => {
    const { queue, sent, world, answer, states } = roomByHand();
    world.isConnected = false;
    for (const id of ["a", "b"]) queue.add(message(id));
    expect([sent, states()]).toEqual([[], ["a waiting", "b waiting"]]);
    world.isConnected = true;
    queue.wake();
    await answer(new AppError("client.unreachable", { detail: "gone again" }));
    expect([sent, states()]).toEqual([["a"], ["a waiting", "b waiting"]]);
    queue.wake();
    await settled();
    await answer();
    await answer();
    expect(sent).toEqual(["a", "a", "b"]);
  });

  it("are not sent again when an attempt that was not confirmed has arrived", async () => {
    const { queue, sent, stored, answer, states } = roomByHand();
    for (const id of ["a", "b"]) queue.add(message(id));
    await answer(new AppError("client.send_unconfirmed", { timeoutMs: 1 }));
    expect(states()).toEqual(["a unconfirmed", "b waiting"]);
    stored.add("a");
    queue.retry("a");
    await settled();
    expect([sent, states()]).toEqual([["a", "b"], ["b sending"]]);
  });

  it("of an earlier page are asked for in history first, and come before what is typed now", async () => {
    const { queue, sent, stored, answer } = roomByHand();
    stored.add("old-1");
    queue.restore([message("old-1"), message("old-2")]);
    queue.add(message("new"));
    await settled();
    await answer();
    await answer();
    expect(sent).toEqual(["old-2", "new"]);
  });

  it("that are refused stay to be looked at and hold up nothing behind them", async () => {
    const { queue, answer, states } = roomByHand();
    for (const id of ["a", "b"]) queue.add(message(id));
    await answer(new AppError("room.muted", { until: "2026-01-01T00:00:00.000Z" }));
    expect(states()).toEqual(["a refused", "b sending"]);
    queue.discard("a");
    queue.seen("b");
    await answer(new AppError("client.send_unconfirmed", { timeoutMs: 1 }));
    expect(states()).toEqual([]);
  });
});
