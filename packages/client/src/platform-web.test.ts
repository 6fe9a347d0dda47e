/** How the browser's side of the platform waits: `fetch` is the same in Node, the server is a real one that falls silent. */
import { createServer, type ServerResponse } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createWebHttp } from "./platform-web.ts";

const behaviours: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "/silent": () => undefined,
  "/half": (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write("[1,");
  },
  "/slow": (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const parts = ["[", "1", ",", "2", ",", "3", "]"];
    const timer = setInterval(() => {
      const part = parts.shift();
      if (part !== undefined) response.write(part);
      else {
        clearInterval(timer);
        response.end();
      }
    }, 200);
  },
};

let url = "";
const server = createServer((request, response) => {
  request.resume();
  behaviours[request.url ?? ""]?.(response);
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const http = createWebHttp({ readMs: 1_000, changeMs: 1_200 });
const get = (path: string) => http.send({ method: "GET", url: `${url}${path}`, headers: {}, maxBytes: 1_000 });

test.each([
  ["a read", "GET", /no answer came within 1 seconds/],
  ["a change", "POST", /no answer came within 1\.2 seconds/],
])("%s that is never answered is given up, and it is not said that it was not made", async (_what, method, words) => {
  const asked = http.send({ method, url: `${url}/silent`, headers: {}, maxBytes: 1_000 });
  await expect(asked).rejects.toThrow(words);
  await expect(asked).rejects.toMatchObject({ name: "HttpFailure", sent: true });
});

test("an answer that stops in the middle is given up", async () => {
  await expect(get("/half")).rejects.toThrow(/no answer came/);
});

test("an answer that is slow, and comes, is waited for longer than silence is", async () => {
  expect(new TextDecoder().decode((await get("/slow")).body)).toBe("[1,2,3]");
});

test("whoever stops it is told so, and not that nothing came", async () => {
  const stop = new AbortController();
  const asked = http.send({ method: "GET", url: `${url}/silent`, headers: {}, maxBytes: 1_000, signal: stop.signal });
  stop.abort();
  await expect(asked).rejects.toMatchObject({ name: "AbortError" });
});

test("a stream that was opened may be silent: whoever reads it decides how long", async () => {
  const stop = new AbortController();
  const { stream } = await http.open({ method: "GET", url: `${url}/half`, headers: {}, maxBytes: 1_000, signal: stop.signal }, 200);
  const parts: string[] = [];
  const reading = (async () => {
    for await (const part of stream ?? []) parts.push(new TextDecoder().decode(part));
  })();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(parts).toEqual(["[1,"]);
  stop.abort();
  await expect(reading).rejects.toMatchObject({ name: "AbortError" });
});
