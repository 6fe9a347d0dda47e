/**
 * A hostile extension's page in a real Chromium: what it tries from inside its frame, and what others try with it.
 *
 * Invariant: every attack runs in the hostile document itself; what the host did is read in the host page, what left the machine is counted at a server
 * that belongs to somebody else, and each attempt has a counterpart that works, so that a refusal is not silence for another reason.
 */
import { createSocket } from "node:dgram";
import type { Frame, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { WatchedPage } from "./chromium.ts";
import { atHeading } from "./page-walk.ts";
import { hostile, hostilePort } from "./extension-frame-port.ts";
import {
  frameOf,
  gotoExtension,
  grantedHost,
  hostileId,
  openAs,
  openFrameWorld,
  pollId,
  type FrameWorld,
} from "./extension-frame-world.ts";

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
  world.foreign.hits.length = 0;
  await gotoExtension(world, page, hostileId, "/start");
  frame = await frameOf(page);
});

const { expectAlive } = hostilePort(() => frame);
const toasts = () => page.locator(".frame-notice p").allTextContents();
const frameHeight = () => page.locator("iframe").evaluate((element) => element.clientHeight);

describe("from inside the frame", () => {
  test("the frame has the sandbox, the policies and the one address it must have", async () => {
    const attributes = await page
      .locator("iframe")
      .evaluate((element) => Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value])));
    expect(attributes).toMatchObject({
      sandbox: "allow-scripts allow-forms",
      referrerpolicy: "no-referrer",
      loading: "eager",
      allow: "",
      title: "Hostile",
      src: world.installs.hostile.uiUrl,
    });
    const policy = (await fetch(`${world.instance.url}/c/garden/x/${hostileId}`)).headers.get("content-security-policy") ?? "";
    expect(policy.split("; ").filter((directive) => directive.startsWith("frame-src"))).toEqual([
      `frame-src http://127.0.0.1:${world.instance.ports.runner}/ext-ui/`,
    ]);
    expect(policy).toContain("frame-ancestors 'none'");
  });

  test("it has an opaque origin and reaches neither the host's document nor any storage", async () => {
    const got = await frame.evaluate(() => {
      const attempts: Record<string, () => unknown> = {
        parentDocument: () => parent.document.title,
        topDocument: () => top?.document.title,
        parentStorage: () => parent.localStorage.length,
        frameElement: () => window.frameElement?.outerHTML ?? "none",
        parentName: () => parent.name,
        localStorage: () => localStorage.length,
        sessionStorage: () => sessionStorage.length,
        cookie: () => document.cookie,
        setCookie: () => (document.cookie = "a=b"),
        indexedDb: () => indexedDB.open("althing-identity").readyState,
        caches: () => typeof caches,
        serviceWorker: () => typeof navigator.serviceWorker.controller,
      };
      return Object.entries(attempts).map(([name, attempt]) => {
        try {
          return [name, String(attempt())];
        } catch (error) {
          return [name, error instanceof Error ? error.name : "refused"];
        }
      });
    });
    expect(Object.fromEntries(got)).toEqual({
      parentDocument: "SecurityError",
      topDocument: "SecurityError",
      parentStorage: "SecurityError",
      frameElement: "none",
      parentName: "SecurityError",
      localStorage: "SecurityError",
      sessionStorage: "SecurityError",
      cookie: "SecurityError",
      setCookie: "SecurityError",
      indexedDb: "SecurityError",
      caches: "SecurityError",
      serviceWorker: "SecurityError",
    });
    expect(await frame.evaluate(() => self.origin)).toBe("null");
  });

  test("it cannot lead the window away, open another, or talk into it", async () => {
    const before = page.url();
    const pagesBefore = page.context().pages().length;
    const results = await frame.evaluate((url) => {
      const attempt = (act: () => unknown): string => {
        try {
          return String(act());
        } catch (error) {
          return error instanceof Error ? error.name : "refused";
        }
      };
      const link = document.createElement("a");
      Object.assign(link, { href: url, target: "_top", textContent: "win" });
      document.body.append(link);
      const form = document.createElement("form");
      Object.assign(form, { action: url, method: "post", target: "_top" });
      document.body.append(form);
      return [
        attempt(() => (top === null ? "" : (top.location.href = url))),
        attempt(() => top?.location.replace(url)),
        attempt(() => window.open(url)),
        attempt(() => window.open(url, "_top")),
        attempt(() => link.click()),
        attempt(() => form.submit()),
        attempt(() => parent.postMessage("hello", "*")),
      ];
    }, `${world.foreign.url}/away`);
    expect(results.slice(0, 3)).toEqual(["SecurityError", "SecurityError", "null"]);
    await expectAlive();
    expect(page.url()).toBe(before);
    expect(page.context().pages()).toHaveLength(pagesBefore);
    expect(world.foreign.hits).toEqual([]);
  });

  test("it reaches the one host that it was granted and nothing else, by any way that a page has", async () => {
    const routed: string[] = [];
    await page.route(`https://${grantedHost}/**`, (route) => {
      routed.push(route.request().url());
      return route.fulfill({ status: 200, headers: { "access-control-allow-origin": "*" }, body: "granted" });
    });
    expect(await frame.evaluate(async (url) => (await fetch(url)).text(), `https://${grantedHost}/a`)).toBe("granted");
    const tried = await frame.evaluate(
      async ([foreign, hub, poll]) => {
        const attempt = async (act: () => unknown): Promise<string> => {
          try {
            return `reached: ${String(await act())}`;
          } catch (error) {
            return error instanceof Error ? error.name : "refused";
          }
        };
        const ended = (target: EventTarget, good: string): Promise<string> =>
          new Promise((resolve, reject) => {
            target.addEventListener(good, () => resolve(good));
            target.addEventListener("error", () => reject(new TypeError("error")));
          });
        const element = (tag: string, attributes: Record<string, string>) => {
          const node = document.createElement(tag);
          for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
          const done = ended(node, "load");
          document.head.append(node);
          return done;
        };
        navigator.sendBeacon(`${foreign}/beacon`, "x");
        for (const rel of ["prefetch", "preload", "preconnect", "dns-prefetch", "icon", "manifest"])
          document.head.append(Object.assign(document.createElement("link"), { rel, href: `${foreign}/${rel}`, as: "script" }));
        return {
          fetch: await attempt(() => fetch(`${foreign}/fetch`)),
          noCors: await attempt(() => fetch(`${foreign}/no-cors`, { mode: "no-cors" })),
          hub: await attempt(() => fetch(`${hub}/api/me`, { mode: "no-cors" })),
          hubHealth: await attempt(() => fetch(`${hub}/healthz`)),
          otherExtension: await attempt(() => fetch(poll)),
          image: await attempt(() => element("img", { src: `${foreign}/image` })),
          script: await attempt(() => element("script", { src: `${foreign}/script` })),
          otherScript: await attempt(() => element("script", { src: poll.replace("index.html", "poll.js") })),
          style: await attempt(() => element("link", { rel: "stylesheet", href: `${foreign}/style` })),
          inline: await attempt(() => {
            const script = document.createElement("script");
            script.textContent = "globalThis.inlineRan = true";
            document.head.append(script);
            if (Reflect.get(globalThis, "inlineRan") !== true) throw new TypeError("did not run");
          }),
          xhr: await attempt(() => {
            const request = new XMLHttpRequest();
            request.open("GET", `${foreign}/xhr`);
            request.send();
            return ended(request, "load");
          }),
          eventSource: await attempt(() => ended(new EventSource(`${foreign}/events`), "open")),
          webSocket: await attempt(() => ended(new WebSocket(foreign.replace("http", "ws")), "open")),
          worker: await attempt(() => ended(new Worker(URL.createObjectURL(new Blob(["postMessage(1)"]))), "message")),
          font: await attempt(() => new FontFace("x", `url(${foreign}/font)`).load()),
        };
      },
      [world.foreign.url, world.instance.url, world.installs.poll.uiUrl ?? ""] as const,
    );
    expect(Object.entries(tried).filter(([, result]) => result.startsWith("reached"))).toEqual([]);
    await expectAlive();
    expect(world.foreign.hits).toEqual([]);
    expect(routed).toEqual([`https://${grantedHost}/a`]);
    await page.unroute(`https://${grantedHost}/**`);
  });

  test("no datagram leaves it by a peer connection, which content policies do not govern", async () => {
    const socket = createSocket("udp4");
    let came = 0;
    socket.on("message", () => void (came += 1));
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    await frame.evaluate(async (port) => {
      try {
        const connection = new RTCPeerConnection({ iceServers: [{ urls: `stun:127.0.0.1:${port}` }] });
        connection.createDataChannel("x");
        await connection.setLocalDescription(await connection.createOffer());
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        connection.close();
      } catch {
        // Refused at once, which is as good.
      }
    }, socket.address().port);
    socket.close();
    expect(came).toBe(0);
  });

  test("frames within the frame and its own navigation lead to no other place", async () => {
    await frame.evaluate(
      async ([foreign, hub]) => {
        for (const src of [`${foreign}/frame`, `${hub}/`, "data:text/html,<script>parent.postMessage('data','*')</script>"]) {
          const inner = document.createElement("iframe");
          inner.src = src;
          document.body.append(inner);
        }
        await new Promise((resolve) => setTimeout(resolve, 300));
      },
      [world.foreign.url, world.instance.url] as const,
    );
    await expectAlive();
    await frame.evaluate((foreign) => {
      const form = document.createElement("form");
      Object.assign(form, { action: `${foreign}/form`, method: "post" });
      document.body.append(form);
      setTimeout(() => form.submit());
    }, world.foreign.url);
    // Refused by the page's own policy; what the browser shows in its place is another document, and gets no port.
    await page.getByRole("button", { name: "Load it again" }).click();
    frame = await frameOf(page);
    await expectAlive();
    await frame.evaluate((url) => {
      location.href = url;
    }, `${world.foreign.url}/self?secret=1`);
    await page.getByRole("alert").filter({ hasText: "Hostile is not shown" }).waitFor();
    expect(world.foreign.hits).toEqual([]);
  });
});

describe("outside of the frame", () => {
  test("a foreign origin cannot frame the page, and in a window of its own its origin is opaque still", async () => {
    const { uiUrl = "" } = world.installs.hostile;
    world.foreign.pages.set("/framing", `<!doctype html><iframe src="${uiUrl}"></iframe>`);
    const other = await page.context().newPage();
    const answered: string[] = [];
    other.on("requestfailed", (request) => void answered.push(request.failure()?.errorText ?? ""));
    await other.goto(`${world.foreign.url}/framing`, { waitUntil: "load" });
    expect(answered).toEqual(["net::ERR_BLOCKED_BY_RESPONSE"]);
    await other.goto(uiUrl);
    const alone = await other.evaluate(() => {
      try {
        return [self.origin, String(localStorage.length)];
      } catch (error) {
        return [self.origin, error instanceof Error ? error.name : ""];
      }
    });
    expect(alone).toEqual(["null", "SecurityError"]);
    await other.close();
  });

  test("nothing that is posted to the host's window is heard, with a port or without, from the frame or from the page itself", async () => {
    const posts = [hostile("toast", { text: "forged" }), hostile("resize", { height: 777 }), hostile("navigate", { path: "/second" })];
    const height = await frameHeight();
    await frame.evaluate((list) => {
      for (const message of list) {
        parent.postMessage(message, "*");
        parent.postMessage(message, "*", [new MessageChannel().port2]);
      }
    }, posts);
    await page.evaluate((list) => {
      for (const message of list) window.postMessage(message, "*");
    }, posts);
    await expectAlive();
    expect([await toasts(), await frameHeight(), new URL(page.url()).pathname]).toEqual([[], height, `/c/garden/x/${hostileId}/start`]);
  });

  test("whoever is in the frame after a second load has no port, and the first one's is closed", async () => {
    await frame.evaluate(() => location.reload());
    await page.getByRole("alert").filter({ hasText: "ended, crashed or went somewhere else" }).waitFor();
    expect(await page.locator("iframe").count()).toBe(0);
    await page.getByRole("button", { name: "Load it again" }).click();
    frame = await frameOf(page);
    await expectAlive();
    await frame.evaluate((url) => (location.href = url), world.installs.poll.uiUrl ?? "");
    await page.getByRole("alert").filter({ hasText: "Hostile is not shown" }).waitFor();
    expect(page.frames()).toHaveLength(1);
  });
});

test("after all of this the honest poll beside it works", async () => {
  await gotoExtension(world, page, pollId);
  await atHeading(page, "Poll");
  await (await frameOf(page)).getByText("No polls yet.").waitFor();
});
