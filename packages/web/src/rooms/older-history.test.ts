import { describe, expect, it } from "vitest";
import { readBefore, spanOf } from "./older-history.ts";

/** A room whose messages have these sequences, and how often it was asked. */
function roomWith(seqs: readonly number[]) {
  const asked: number[] = [];
  return {
    asked,
    read: async (after: number, limit: number) => {
      asked.push(after);
      return seqs
        .filter((seq) => seq > after)
        .slice(0, limit)
        .map((seq) => ({ seq }));
    },
  };
}
const every = (step: number, count: number, from = 1) => Array.from({ length: count }, (_, at) => from + at * step);

/** Pages back to the beginning. */
async function readAll(seqs: readonly number[], start: number): Promise<{ readonly all: number[]; readonly asked: number }> {
  const room = roomWith(seqs);
  const all: number[] = [];
  for (let before = start; ;) {
    const { events, from } = await readBefore(before, spanOf(all.slice(0, 50), 50), 50, room.read);
    all.unshift(...events.map(({ seq }) => seq));
    before = all[0] ?? before;
    if (from === 0) return { all, asked: room.asked.length };
  }
}

describe("older messages", () => {
  it.each([
    ["a room alone", every(1, 1_000)],
    ["a room among many", every(997, 300)],
    ["a crowd after a long silence", [...every(1, 700), ...every(1, 700, 900_000)]],
    ["a silence after a crowd", [...every(1, 2_000), ...every(40_000, 20, 50_000)]],
    ["two messages far apart", [1, 1_000_000]],
  ])("come whole, in order and once: %s", async (_, seqs) => {
    const { all, asked } = await readAll(seqs, (seqs.at(-1) ?? 0) + 1);
    expect(all).toEqual(seqs);
    expect(asked).toBeLessThan(200);
  });

  it("end where history ends, in a room that had nothing before", async () => {
    expect(await readBefore(5_000, 10, 50, roomWith([5_000, 5_001]).read)).toEqual({ events: [], from: 0 });
  });
});
