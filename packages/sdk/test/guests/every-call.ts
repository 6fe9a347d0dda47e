/**
 * A guest that uses every host function and every global, for the tests of the real build.
 */
import {
  accept,
  bytes,
  defineExtension,
  events,
  HostError,
  http,
  json,
  kv,
  log,
  members,
  metrics,
  proposals,
  refuse,
  rooms,
  schedule,
  secrets,
  text,
} from "../../src/guest/index.ts";

const loadedWith = { hasFetch: typeof fetch, hasUrl: typeof URL };

function attempt(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error instanceof HostError ? { host: error.code } : `${String(error)}`;
  }
}

export const extension = defineExtension({
  http: {
    "GET /hello/:name": (request) =>
      text(`Hello, ${request.params.name}! ${request.header("X-Ext-Trial") ?? ""} ${request.query("q") ?? ""}`),
    "POST /echo": (request) => bytes(request.body),
    "POST /upper": (request) => text(request.text().toUpperCase()),
    "POST /count": () =>
      json({ count: kv.update("count", (count) => (typeof count === "number" ? count : 0) + 1), revision: kv.get("count")?.revision }),
    "GET /keys": () => json([...kv.each("k/")].map((entry) => entry.key)),
    "GET /denied": () => json(rooms.post("room", "text")),
    "GET /caught": () => json(attempt(() => rooms.post("room", "text"))),
    "GET /throws": () => {
      throw new TypeError("boom é");
    },
    "GET /wrong": () =>
      json([attempt(() => kv.put("k", 5 as never)), attempt(() => kv.get(null as never)), attempt(() => kv.list("", { limit: 0 }))]),
    "GET /async": (async () => text("late")) as never,
    "GET /globals": (_request, context) =>
      json({
        now: Date.now() === context.time.getTime() && new Date().toISOString(),
        called: Date(),
        isDate: new Date() instanceof Date,
        year: new Date(2020, 1, 29).getFullYear(),
        random: [Math.random(), Math.random()],
        performance: performance.now(),
        url: new URL("../a?b=1#c", "https://Example.org/x/y").href,
        idn: attempt(() => new URL("https://bücher.example/")),
        query: new URLSearchParams("a=1&a=2").getAll("a"),
        clone: structuredClone({ map: new Map([["k", new Set([1])]]), date: new Date(0) })
          .map.get("k")
          ?.has(1),
        base64: atob(btoa("x")),
        uuid: attempt(() => crypto.randomUUID()),
        fetch: attempt(() => fetch("https://example.org")),
        timer: attempt(() => setTimeout(() => undefined, 1)),
        loadedWith,
      }),
    "GET /log": () => {
      console.log("said", { a: 1n }, new Error("shown").message);
      console.warn("warned");
      log.error("logged");
      return json(null);
    },
    "GET /all": () =>
      json({
        fetch: attempt(() => http.fetch("https://example.org/", { method: "POST", headers: { "x-a": "b" }, body: "ü" }).text()),
        secret: attempt(() => secrets.get("token")),
        metric: attempt(() => metrics.histogram("size", 1.5, { kind: "é" }) ?? "recorded"),
        event: attempt(() => events.emit("greeted", "ada", { n: 1 })),
        room: attempt(() => rooms.post("garden", "hello")),
        members: attempt(() => [...members.each()]),
        proposal: attempt(() => proposals.get("p1")),
        proposals: attempt(() => proposals.list({ after: "p1" })),
        postponed: attempt(() => schedule.postpone("tick", new Date(0)) ?? "postponed"),
        deleted: attempt(() => kv.delete("gone") ?? "deleted"),
      }),
  },
  events: { "member.*": (event) => `${event.topic} ${event.index} ${JSON.stringify(event.data)}` },
  filters: { "comment.before_create": (payload) => (JSON.stringify(payload).includes("spam") ? refuse("nein, ß") : accept(payload)) },
  jobs: { tick: ({ slot }) => `ran ${slot.toISOString()}` },
});
