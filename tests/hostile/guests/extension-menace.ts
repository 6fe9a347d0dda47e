/**
 * An extension that does, path by path, what none should: in TypeScript, so that what is attacked is the engine inside the component, too.
 * Compiled to a component when the tests start (extension-guests.ts).
 */
import { bytes, defineExtension, json, kv, log, metrics, rooms, text } from "@althing/sdk/guest";

const recurse = (depth: number): number => recurse(depth + 1) + 1;

function forever(work: (turn: number) => void): never {
  for (let turn = 0; ; turn++) work(turn);
}

export const extension = defineExtension({
  http: {
    "GET /ok": () => text("ok"),
    "GET /loop": () => forever(() => undefined),
    "GET /swallow": () =>
      forever(() => {
        try {
          recurse(0);
        } catch {
          // Goes on whatever it is told.
        }
      }),
    "GET /recurse": () => text(String(recurse(0))),
    "GET /hoard": () => {
      const held: Uint8Array[] = [];
      return forever(() => void held.push(new Uint8Array(1024 * 1024).fill(1)));
    },
    "GET /backtrack": () => text(String(/^(a+)+$/.test(`${"a".repeat(60)}b`))),
    "GET /throw": () => {
      throw new Error("boom");
    },
    "GET /denied": () => {
      rooms.post("x", "y");
      return text("posted");
    },
    "GET /storm/:n": (request) => {
      for (let i = 0; i < Number(request.params.n); i++) {
        try {
          kv.get(`k${i}`);
        } catch {
          // Asks again.
        }
      }
      return text("calm");
    },
    "GET /logs/:n/:bytes": (request) => {
      const line = "x".repeat(Number(request.params.bytes));
      for (let i = 0; i < Number(request.params.n); i++) log.info(line);
      return text("said");
    },
    "GET /labels/:n": (request) => {
      for (let i = 0; i < Number(request.params.n); i++) metrics.counter("flood", 1, { label: String(i) });
      return json({});
    },
    "GET /big/:n": (request) => bytes(new Uint8Array(Number(request.params.n))),
  },
});
