/** The stream of events as a client reads it from servers that break off, lie, fall silent or never stop. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { AppError, hasCode, isAppError, toProblem, type CommunityId, type EventRecord, type PublicEvent } from "@althing/contract";
import { identityFromPhrase, newRecoveryPhrase } from "@althing/crypto";
import { platform } from "#platform";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { createApi, type Api, type StreamApi } from "./api.ts";
import { exportEvents, followEvents, framesOf } from "./event-feed.ts";

const eventOf = (index: number): PublicEvent => ({
  ...{ id: "01ARZ3NDEKTSV4RRFFQ69G5FAV", community: "01ARZ3NDEKTSV4RRFFQ69G5FAV" as CommunityId, index, time: "2026-01-05T12:00:00.000Z" },
  ...{ topic: "proposal.created", actor: null, subject: "proposal/1", summary: "é😀", data: {}, depth: 0, redacted: [] },
  ...{ previous: "0".repeat(64), hash: "0".repeat(64) },
});
const openAt = (index: number) => `retry: 1000\nid: ${index}\nevent: open\ndata: {"index":${index}}\n\n`;
const told = (...indexes: readonly number[]) =>
  indexes.map((index) => `: beat\n\nid: ${index}\ndata: ${JSON.stringify(eventOf(index))}\n\n`).join("");
const cut = (error: AppError) => `event: cut\ndata: ${JSON.stringify(toProblem(error, "r1"))}\n\n`;

type Answering = (response: ServerResponse, request: IncomingMessage, nth: number) => void;
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function site(answer: Answering): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(response, request, asked.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`, asked };
}

async function apiOf(...urls: readonly string[]): Promise<StreamApi> {
  const http = platform.createHttp({});
  ends.push(() => http.close());
  return createApi({ identity: await identityFromPhrase(newRecoveryPhrase()), urls, http, now: Date.now });
}

const stream = (response: ServerResponse, text: string) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(text);
};
const quick = { silentMs: 300, retryMinMs: 1, retryMaxMs: 5 };

/** Reads until so many events have come. */
async function take(api: StreamApi, count: number, after?: number) {
  const troubles: string[] = [];
  const ended = new AbortController();
  const got: number[] = [];
  const options = {
    signal: ended.signal,
    onTrouble: (error: AppError) => troubles.push(error.code),
    ...(after === undefined ? {} : { after }),
  };
  for await (const event of followEvents(api, "garden", options, quick)) {
    got.push(event.index);
    if (got.length === count) ended.abort();
  }
  return { got, troubles };
}
const refusal = async (work: Promise<unknown>): Promise<string> => {
  const caught: unknown = await work.catch((error: unknown) => error);
  return isAppError(caught) ? caught.code : String(caught);
};

describe("a stream is opened again after the last event that came", () => {
  test("when the connection breaks off, in the middle of an event too", async () => {
    const { url, asked } = await site((response, _, nth) => {
      if (nth === 1) stream(response, openAt(4) + told(5, 6) + told(7).slice(0, 40));
      else stream(response, openAt(6) + told(7, 8));
      if (nth === 1) setTimeout(() => response.destroy(), 20);
    });
    const { got, troubles } = await take(await apiOf(url), 4, 4);
    expect([got, troubles]).toEqual([[5, 6, 7, 8], ["client.unreachable"]]);
    expect(asked.map((path) => path.split("?")[1])).toEqual(["after=4", "after=6"]);
  });

  test("when it is cut as slow, when the node stops, and when the server is silent", async () => {
    const { url, asked } = await site((response, _, nth) => {
      if (nth === 1) stream(response, openAt(0) + told(1) + cut(new AppError("event.stream_slow", { limitMs: 1 })));
      else if (nth === 2) stream(response, openAt(1) + told(2) + cut(new AppError("system.stopping")));
      else if (nth === 3) stream(response, openAt(2));
      else stream(response, openAt(2) + told(3));
    });
    const { got, troubles } = await take(await apiOf(url), 3, 0);
    expect([got, troubles]).toEqual([
      [1, 2, 3],
      ["event.stream_slow", "system.stopping", "client.unreachable"],
    ]);
    expect(asked).toHaveLength(4);
  });

  test("at another address, when the first is gone; from now on means from where it was first opened", async () => {
    let isGone = false;
    const first = await site((response) => {
      if (isGone) return void response.destroy();
      isGone = true;
      stream(response, openAt(41) + told(42));
      setTimeout(() => response.destroy(), 20);
    });
    const second = await site((response) => stream(response, openAt(42) + told(42, 43)));
    const { got } = await take(await apiOf(first.url, second.url), 2);
    expect(got).toEqual([42, 43]);
    expect(first.asked[0]).not.toContain("after");
    expect(second.asked[0]).toContain("after=42");
  });

  test("also when our own broken connection still holds a place there", async () => {
    const problem = toProblem(new AppError("event.streams_per_user", { limit: 8 }), "r1");
    const { url } = await site((response, _, nth) => {
      if (nth === 2) return void response.writeHead(429, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
      stream(response, nth === 1 ? openAt(0) + told(1) : openAt(1) + told(2));
      if (nth === 1) setTimeout(() => response.destroy(), 20);
    });
    expect((await take(await apiOf(url), 2, 0)).got).toEqual([1, 2]);
  });
});

describe("a stream ends for good", () => {
  test.each([
    ["auth.revoked", openAt(0) + told(1) + cut(new AppError("auth.revoked"))],
    ["community.not_found", openAt(0) + cut(new AppError("community.not_found", { community: "garden" }))],
    ["client.bad_answer", openAt(0) + told(2)],
    ["client.bad_answer", openAt(3)],
    ["client.bad_answer", told(1)],
    ["client.bad_answer", `${openAt(0)}data: {"index":1}\n\n`],
    ["client.bad_answer", `${openAt(0)}data: {\n\n`],
    ["client.bad_answer", `${openAt(0)}event: cut\ndata: {"code":"no.such"}\n\n`],
  ])("%s %#", async (code, text) => {
    const { url } = await site((response) => stream(response, text));
    const api = await apiOf(url);
    expect(await refusal(take(api, 5, 0))).toBe(code);
  });

  test("when it is refused at the door, and too many of ours are open there", async () => {
    const problem = (error: AppError) => (response: ServerResponse) =>
      void response.writeHead(error.status, { "content-type": "application/problem+json" }).end(JSON.stringify(toProblem(error, "r1")));
    for (const error of [
      new AppError("auth.forbidden", { permission: "events.read", who: "x" }),
      new AppError("event.streams_per_user", { limit: 8 }),
      new AppError("event.not_found", { index: 9 }),
    ]) {
      const { url } = await site(problem(error));
      expect(await refusal(take(await apiOf(url), 1))).toBe(error.code);
    }
  });

  test("when its reader stops, at once and with the request", async () => {
    const closed = Promise.withResolvers<void>();
    const { url } = await site((response) => {
      response.once("close", () => closed.resolve());
      stream(response, openAt(0) + told(1, 2));
    });
    for await (const event of followEvents(await apiOf(url), "garden", { after: 0 })) if (event.index === 2) break;
    await closed.promise;
  });
});

describe("frames", () => {
  const all = async (parts: readonly Uint8Array[]) => {
    const found: string[] = [];
    async function* each() {
      yield* parts;
    }
    for await (const { event, data } of framesOf(each())) found.push(`${event}|${data}`);
    return found;
  };

  test("are the same however the bytes are cut", async () => {
    const text = `: hello\n\nretry: 5\n\nevent: open\r\ndata: {"index":1}\r\n\r\ndata: é😀\ndata:two\n\ndata\n\nnonsense\n\n`;
    const bytes = new TextEncoder().encode(text);
    const expected = ['open|{"index":1}', "message|é😀\ntwo", "message|"];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 20 }), async (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const parts = at.slice(1).map((end, i) => bytes.slice(at[i], end));
        expect(await all(parts)).toEqual(expected);
      }),
    );
  });

  test("without an end are given up, and so are bytes that are no text", async () => {
    async function* endless(text: string) {
      for (;;) yield new TextEncoder().encode(text);
    }
    for (const text of ["x".repeat(1_000), `data: ${"x".repeat(1_000)}\n`]) {
      const caught: unknown = await framesOf(endless(text))
        .next()
        .catch((error: unknown) => error);
      expect(hasCode(caught, "client.bad_answer")).toBe(true);
    }
    expect(await refusal(all([Uint8Array.of(0xff, 0xfe)]))).toBe("client.bad_answer");
  });
});

test("an export whose cursor stands still is given up", async () => {
  const events: EventRecord[] = [];
  const api = { call: () => Promise.resolve({ community: "01ARZ3NDEKTSV4RRFFQ69G5FAV", events, next: 3 }) } as unknown as Pick<Api, "call">;
  const read = async () => {
    for await (const event of exportEvents(api, "garden")) events.push(event);
  };
  expect(await refusal(read())).toBe("client.bad_answer");
});
