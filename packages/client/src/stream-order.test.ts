import fc from "fast-check";
import { expect, it } from "vitest";
import { inStreamOrder } from "./stream-order.ts";

const frame = (name: string) => ({ place: { key: name.slice(0, 1), counter: Number(name.slice(1)) } });
const names = (list: readonly ReturnType<typeof frame>[]) => list.map(({ place }) => `${place.key}${place.counter}`);

it("puts what was sent again where its sender sent it, and leaves everybody else's places alone", () => {
  expect(names(inStreamOrder(["a0", "b0", "a3", "b1", "a1", "a2", "b2"].map(frame)))).toEqual(["a0", "b0", "a1", "b1", "a2", "a3", "b2"]);
});

it("loses and doubles nothing, keeps each stream's places, and has each stream in order", () => {
  const any = fc.array(
    fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(20)).map(([key, n]) => frame(`${key}${n}`)),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(any, (frames) => {
      const ordered = inStreamOrder(frames);
      expect(names(ordered).toSorted()).toEqual(names(frames).toSorted());
      expect(ordered.map(({ place }) => place.key)).toEqual(frames.map(({ place }) => place.key));
      for (const key of ["a", "b", "c"]) {
        const counters = ordered.filter(({ place }) => place.key === key).map(({ place }) => place.counter);
        expect(counters).toEqual(counters.toSorted((a, b) => a - b));
      }
    }),
  );
});
