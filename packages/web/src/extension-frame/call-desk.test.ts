import { AppError, limits } from "@althing/contract";
import { expect, test } from "vitest";
import {
  callsAtOnce,
  callsBurst,
  createCallDesk,
  routeCall,
  type CallDeskOptions,
  type IncomingAnswer,
  type OutgoingCall,
} from "./call-desk.ts";
import type { FrameCall } from "./frame-messages.ts";

const endpoints = [
  { method: "GET", path: "/items/:id" },
  { method: "POST", path: "/items" },
];
const get = (path: string): FrameCall => ({ method: "GET", path, query: [], headers: [], body: undefined });
const ok: IncomingAnswer = { status: 200, contentType: "application/json", body: new Uint8Array(2) };

function openDesk(send: CallDeskOptions["send"], change: Partial<CallDeskOptions> = {}) {
  const refused: string[] = [];
  const closed = new AbortController();
  const desk = createCallDesk({
    ...{ extension: "org.example.x", endpoints, send, nowMs: () => 0, closed: closed.signal },
    onRefusal: ({ code }) => void refused.push(code),
    ...change,
  });
  return { desk, refused, closed };
}

test("an endpoint of the manifest goes out encoded; the query is written by the host", () => {
  const routed = routeCall({ extension: "x", endpoints }, { ...get("/items/a?b"), query: [["q", "1&r=2"]], headers: [["accept", "a"]] });
  expect(routed).toEqual({ method: "GET", path: "/items/a%3Fb?q=1%26r%3D2", headers: { accept: "a" }, body: undefined });
});

test("what is refused is answered with its code, told to the viewer and never sent", async () => {
  const sent: OutgoingCall[] = [];
  const { desk, refused } = openDesk((call) => {
    sent.push(call);
    return Promise.resolve(ok);
  });
  expect(await desk.answer(() => get("/others"))).toMatchObject({ code: "ext.endpoint_not_found" });
  expect(await desk.answer(() => get("/items/.."))).toMatchObject({ code: "ext.bad_request" });
  expect(await desk.answer(() => ({ ...get("/items/1"), body: new Uint8Array(1) }))).toMatchObject({ code: "ext.bad_request" });
  expect([refused, sent]).toEqual([["ext.endpoint_not_found", "ext.bad_request", "ext.bad_request"], []]);
});

test("answers, refusals of the platform, and whatever else fails, each become one answer", async () => {
  const { desk } = openDesk(() => Promise.resolve(ok));
  expect(await desk.answer(() => get("/items/1"))).toEqual({ status: 200, headers: { "content-type": "application/json" }, body: ok.body });
  const large = openDesk(() => Promise.resolve({ ...ok, body: new Uint8Array(limits.extensionBodyMaxBytes + 1) }));
  expect(await large.desk.answer(() => get("/items/1"))).toMatchObject({ code: "ext.response_too_large" });
  const forbidden = openDesk(() => Promise.reject(new AppError("auth.forbidden", { permission: "p", who: "w" })));
  expect(await forbidden.desk.answer(() => get("/items/1"))).toEqual({ code: "auth.forbidden", message: "You lack p." });
  const broken = openDesk(() => Promise.reject(new TypeError("secret of the host")));
  const answer = await broken.desk.answer(() => get("/items/1"));
  expect(answer).toMatchObject({ code: "client.unreachable" });
  expect(JSON.stringify(answer)).not.toContain("secret");
});

test("a few run at once, others wait in order, and more than the budget are refused at once", async () => {
  const open: (() => void)[] = [];
  const { desk, refused } = openDesk(() => new Promise((resolve) => open.push(() => resolve(ok))));
  const all = Array.from({ length: callsBurst + 10 }, () => desk.answer(() => get("/items/1")));
  await Promise.all(all.slice(callsBurst));
  expect([open.length, refused]).toEqual([callsAtOnce, Array.from({ length: 10 }, () => "ext.quota_exceeded")]);
  for (let at = 0; at < callsBurst; at += 1) {
    open[at]?.();
    await all[at];
    expect(open.length).toBe(Math.min(callsBurst, callsAtOnce + at + 1));
  }
});

test("a closed frame gets no answer, its running calls are aborted and its waiting ones are not sent", async () => {
  const signals: AbortSignal[] = [];
  const send: CallDeskOptions["send"] = (_call, signal) =>
    new Promise((_resolve, reject) => {
      signals.push(signal);
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  const { desk, refused, closed } = openDesk(send);
  const all = Array.from({ length: 10 }, () => desk.answer(() => get("/items/1")));
  await expect.poll(() => signals.length).toBe(callsAtOnce);
  closed.abort();
  expect(await Promise.all(all)).toEqual(Array.from({ length: 10 }, () => undefined));
  expect([signals.length, signals.every(({ aborted }) => aborted), refused]).toEqual([callsAtOnce, true, []]);
});
