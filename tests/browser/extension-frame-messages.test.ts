/**
 * What a hostile page says over its port, in a real Chromium: forged, giant, malformed and endless messages, and calls that it may not make.
 *
 * Invariant: what the host made of it is read in the host page and in what it sent; after each attack the same port is still answered, unless ending it
 * was the point.
 */
import type { Frame, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { WatchedPage } from "./chromium.ts";
import { hostile, hostilePort } from "./extension-frame-port.ts";
import { frameOf, gotoExtension, hostileId, openAs, openFrameWorld, pollId, type FrameWorld } from "./extension-frame-world.ts";

let world: FrameWorld;
let alice: WatchedPage;
let page: Page;
let frame: Frame;

beforeAll(async () => {
  world = await openFrameWorld();
  alice = await openAs(world, world.phrases.alice);
  page = alice.page;
}, 120_000);
afterAll(async () => {
  await alice?.close();
  await world?.close();
});
beforeEach(async () => {
  await gotoExtension(world, page, hostileId, "/start");
  frame = await frameOf(page);
});

const { say, ask, expectAlive } = hostilePort(() => frame);
const toasts = () => page.locator(".frame-notice p").allTextContents();
const frameHeight = () => page.locator("iframe").evaluate((element) => element.clientHeight);

describe("over the port", () => {
  test("what is no envelope, or a forged one, changes nothing", async () => {
    const height = await frameHeight();
    const good = hostile("toast", { text: "forged" });
    await say(
      ...[
        null,
        1,
        "toast",
        [],
        {},
        [good],
        { ...good, althing: "true" },
        { ...good, v: 2 },
        { ...good, id: 1 },
        { ...good, id: "x".repeat(65) },
      ],
      ...[
        { ...good, type: "eval" },
        { ...good, type: "__proto__" },
        { ...good, type: "constructor" },
        { ...good, payload: null },
      ],
    );
    // What does not fit is dear: the budget for it comes back with time.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await say(
      ...[hostile("toast", { text: 7 }), hostile("toast", { text: "" }), hostile("toast", { text: "\u202e\u0000\n" })],
      ...[
        hostile("resize", { height: "900" }),
        hostile("resize", {}),
        hostile("navigate", { path: 1 }),
        hostile("theme", { scheme: "dark" }),
      ],
      ...[
        hostile("ready", {}, "another"),
        hostile("navigate", { path: "https://example.org/" }),
        hostile("navigate", { path: "//example.org" }),
      ],
      ...["javascript:alert(1)", "/../../x", "/..", "/a//b", "/elsewhere", "\\start", "/start/..", "/start\u0000"].map((path) =>
        hostile("navigate", { path }),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await expectAlive();
    expect([await toasts(), await frameHeight(), new URL(page.url()).pathname]).toEqual([[], height, `/c/garden/x/${hostileId}/start`]);
  });

  test("values that only a structured clone can carry do not confuse it: maps, cycles, sparse lists, errors, own __proto__", async () => {
    await frame.evaluate(() => {
      const port: unknown = Reflect.get(globalThis, "port");
      if (!(port instanceof MessagePort)) throw new Error("no port");
      const envelope = { althing: true, v: 1, id: "x", type: "toast", payload: {} };
      const cycle: Record<string, unknown> = { ...envelope };
      cycle["payload"] = cycle;
      const polluting = JSON.parse(
        '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"text":"a toast","kind":"__proto__"}',
      ) as unknown;
      const headers = JSON.parse('{"__proto__":"x","x-ext-a":"1"}') as unknown;
      for (const value of [
        new Map(Object.entries(envelope)),
        new Error("althing"),
        cycle,
        Array.from({ length: 3 }),
        { ...envelope, payload: polluting },
        { ...envelope, type: "call", id: "polluting", payload: { method: "GET", path: "/items/1", headers, query: headers } },
        JSON.parse('{"__proto__":{"althing":true,"v":1,"id":"x","type":"toast","payload":{"text":"inherited"}}}'),
      ])
        port.postMessage(value);
    });
    await expectAlive();
    expect(await toasts()).toEqual(["Hostile: a toast"]);
    expect(
      await page.evaluate(() => [Reflect.get({}, "polluted"), Reflect.get([], "polluted"), Reflect.get(Object.prototype, "x-ext-a")]),
    ).toEqual([undefined, undefined, undefined].map(() => undefined));
  });

  test("heights are clamped, whatever number comes", async () => {
    const heights: number[] = [];
    for (const height of [500.2, 1e9, Infinity, -5, 0, NaN, -Infinity, 3_000]) {
      await say(hostile("resize", { height }));
      await expectAlive();
      heights.push(await frameHeight());
    }
    expect(heights).toEqual([501, 6_000, 6_000, 120, 120, 120, 120, 3_000]);
  });

  test("notices are text under the extension's name, short, one line, and few", async () => {
    await say(hostile("toast", { text: `<img src=x onerror=alert(1)>\u202e\nAlthing: ${"x".repeat(1_000)}`, kind: "error" }));
    await say(...Array.from({ length: 50 }, (_, at) => hostile("toast", { text: `again ${at}` })));
    await expectAlive();
    const shown = await toasts();
    expect(shown.map((text) => text.slice(0, 40))).toEqual([
      "Hostile: <img src=x onerror=alert(1)> Al",
      "Hostile: again 0",
      "Hostile: again 1",
    ]);
    expect(shown[0]?.length).toBeLessThanOrEqual("Hostile: ".length + 300);
    expect(await page.locator(".frame-notice img").count()).toBe(0);
  });

  test("it moves within its own paths only, and not without end", async () => {
    await say(hostile("navigate", { path: "/second/a b?c#d" }));
    await expect.poll(() => page.url()).toBe(`${world.instance.url}/c/garden/x/${hostileId}/second/a%20b%3Fc%23d`);
    const before = await page.evaluate(() => history.length);
    await say(...Array.from({ length: 100 }, (_, at) => hostile("navigate", { path: `/second/${at}` })));
    await expectAlive();
    expect((await page.evaluate(() => history.length)) - before).toBeLessThanOrEqual(9);
  });

  test("giant payloads are refused or dropped, and the page goes on", { timeout: 60_000 }, async () => {
    await frame.evaluate(() => {
      const port: unknown = Reflect.get(globalThis, "port");
      if (!(port instanceof MessagePort)) throw new Error("no port");
      const giant = "x".repeat(64 * 1024 * 1024);
      const wide = Object.fromEntries(Array.from({ length: 200_000 }, (_, at) => [`k${at}`, "v"]));
      for (const [type, payload] of [
        ["toast", { text: giant }],
        ["navigate", { path: giant }],
        ["resize", { height: giant }],
        ["unknown", giant],
        ["toast", { text: "after", wide }],
      ])
        port.postMessage({ althing: true, v: 1, id: "x", type, payload });
    });
    const tooLarge = await frame.evaluate(async () => {
      const port: unknown = Reflect.get(globalThis, "port");
      if (!(port instanceof MessagePort)) throw new Error("no port");
      const answers: Promise<unknown>[] = [];
      const bodies: [string, unknown][] = [
        ["text", "x".repeat(6 * 1024 * 1024)],
        ["bytes", new Uint8Array(5 * 1024 * 1024 + 1)],
        ["wide", "é".repeat(3 * 1024 * 1024)],
        ["object", { length: 3 }],
      ];
      for (const [id, body] of bodies) {
        answers.push(
          new Promise((resolve) =>
            port.addEventListener("message", (event: MessageEvent<{ id: string; payload: { code?: string } }>) => {
              if (event.data.id === id) resolve(event.data.payload.code);
            }),
          ),
        );
        port.postMessage({ althing: true, v: 1, id, type: "call", payload: { method: "POST", path: "/echo", body } });
      }
      return Promise.all(answers);
    });
    expect(tooLarge).toEqual(["ext.payload_too_large", "ext.payload_too_large", "ext.payload_too_large", "ext.bad_request"]);
    expect(await ask({ method: "POST", path: "/echo", body: "x".repeat(100_000) })).toMatchObject({
      status: 200,
      text: '{"bytes":100000}',
    });
    expect((await toasts()).at(-1)).toBe("Hostile: after");
  });

  test("ten thousand messages are cut off early: the frame is ended under its name, and the page stays quick", async () => {
    await frame.evaluate(() => {
      const port: unknown = Reflect.get(globalThis, "port");
      if (!(port instanceof MessagePort)) throw new Error("no port");
      // Later, because the frame may be gone before this could be answered.
      setTimeout(() => {
        for (let at = 0; at < 10_000; at += 1)
          port.postMessage({ althing: true, v: 1, id: `f${at}`, type: "call", payload: { method: "GET", path: "/echo" } });
      });
    });
    await page.getByRole("alert").filter({ hasText: "Its page sent more messages than a page may" }).waitFor();
    expect(await page.locator("iframe").count()).toBe(0);
    const started = performance.now();
    await page.getByRole("link", { name: "Second" }).click();
    frame = await frameOf(page);
    expect(performance.now() - started).toBeLessThan(5_000);
    await expectAlive();
  });
});

describe("calls", () => {
  test("what is not in its manifest is refused before anything is sent, and the viewer sees the code", async () => {
    const sent: string[] = [];
    const listen = (request: { url(): string }) => void (request.url().includes("/ext/") && sent.push(request.url()));
    page.on("request", listen);
    const refused = [
      { method: "DELETE", path: "/echo" },
      { method: "GET", path: "/" },
      { method: "GET", path: "/items" },
      { method: "GET", path: "/items/1/2" },
      { method: "get", path: "/echo" },
      { method: "GET", path: "/__proto__" },
    ];
    for (const call of refused) expect(await ask(call), JSON.stringify(call)).toMatchObject({ code: "ext.endpoint_not_found" });
    const refusal = page.getByRole("alert").filter({ hasText: "Hostile: a call was refused." });
    expect(await refusal.textContent()).toContain("ext.endpoint_not_found");
    const malformed = [
      ...[
        "/../org.althing.poll/polls",
        "/items/..",
        "/items/.",
        "//evil.example/echo",
        "/items/",
        "/items/a\\b",
        "/items/\u0000",
        "echo",
        "",
      ],
      ...["/items/\ud800", "https://evil.example/echo", `/${"a/".repeat(40)}a`, `/${"a".repeat(3_000)}`],
    ];
    for (const path of malformed)
      expect(await ask({ method: "GET", path }), JSON.stringify(path)).toMatchObject({ code: "ext.bad_request" });
    for (const payload of [null, 1, { method: 1, path: "/echo" }, { method: "GET" }, { method: "GET", path: "/echo", body: "x" }])
      expect(await ask(payload)).toMatchObject({ code: "ext.bad_request" });
    expect(sent).toEqual([]);
    page.off("request", listen);
  });

  test("a segment stays one segment, and goes to this extension whatever it looks like", async () => {
    const base = `${world.instance.url}/api/communities/${world.installs.hostile.community}/ext/${hostileId}`;
    const sent: string[] = [];
    const listen = (request: { url(): string }) => void (request.url().includes("/ext/") && sent.push(request.url()));
    page.on("request", listen);
    expect(await ask({ method: "GET", path: "/items/%2e%2e" })).toMatchObject({ status: 200, text: '{"id":"%2e%2e"}' });
    expect(await ask({ method: "GET", path: "/items/a?b#c&ü" })).toMatchObject({ status: 200, text: '{"id":"a?b#c&ü"}' });
    expect(await ask({ method: "GET", path: `/items/..%2F..%2F${pollId}` })).toMatchObject({ status: 200 });
    expect(sent).toEqual([`${base}/items/%252e%252e`, `${base}/items/a%3Fb%23c%26%C3%BC`, `${base}/items/..%252F..%252F${pollId}`]);
    page.off("request", listen);
  });

  test("headers that say who somebody is, or steer the request, do not leave the host page", async () => {
    const headers = {
      ...{ "x-ext-a": "1", accept: "text/plain", "content-type": "text/plain", Authorization: "Bearer x", Cookie: "a=b" },
      ...{ "althing-community": "other", "althing-as": "alice", signature: "x", "signature-input": "x", host: "evil.example" },
      ...{ "x-althing-actor": "x", "x-request-id": "mine", "idempotency-key": "k".repeat(10), "x-ext-": "1", "x-ext-ü": "1" },
    };
    const { text } = await ask({ method: "GET", path: "/echo", headers, query: { a: "1&b=2", __proto__: "x" } });
    const echoed = JSON.parse(String(text)) as { headers: [string, string][]; query: string; actor: string };
    expect(echoed.query).toBe("a=1%26b%3D2");
    expect(echoed.actor).toBe("alice");
    const names = echoed.headers.map(([name]) => name).filter((name) => !name.startsWith("x-althing-"));
    expect(names.toSorted()).toEqual(["accept", "accept-language", "content-type", "user-agent", "x-ext-a", "x-request-id"]);
    expect(echoed.headers.find(([name]) => name === "x-request-id")?.[1]).not.toBe("mine");
    expect(await ask({ method: "GET", path: "/echo", headers: { "x-ext-a": "a\r\nsignature: x" } })).toMatchObject({
      code: "ext.bad_request",
    });
  });

  test("more calls than a page may make are refused with the quota's code, and the page's next one is answered", async () => {
    const codes = await frame.evaluate(async () => {
      const port: unknown = Reflect.get(globalThis, "port");
      if (!(port instanceof MessagePort)) throw new Error("no port");
      const answers = new Map<string, string>();
      const done = new Promise<void>((resolve) =>
        port.addEventListener("message", (event: MessageEvent<{ id: string; payload: { code?: string } }>) => {
          if (event.data.id.startsWith("q")) answers.set(event.data.id, event.data.payload.code ?? "ok");
          if (answers.size === 150) resolve();
        }),
      );
      for (let at = 0; at < 150; at += 1)
        port.postMessage({ althing: true, v: 1, id: `q${at}`, type: "call", payload: { method: "GET", path: "/items/1" } });
      await done;
      return [...answers.values()];
    });
    expect(codes.filter((code) => code !== "ok" && code !== "ext.quota_exceeded")).toEqual([]);
    expect(codes.filter((code) => code === "ext.quota_exceeded").length).toBeGreaterThanOrEqual(85);
    expect(codes.filter((code) => code === "ok").length).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await expectAlive();
  });
});
