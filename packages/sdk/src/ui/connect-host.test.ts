import { afterEach, expect, test } from "vitest";
import { connectHost, type BridgeWindow, type HostConnection } from "./connect-host.ts";
import { envelope, readEnvelope, readTheme, type Envelope } from "./envelope.ts";

const parent = { name: "the host page" };
const opened: (MessagePort | HostConnection)[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

interface FakeWindow extends BridgeWindow {
  readonly listeners: Set<(event: MessageEvent) => void>;
  deliver(data: unknown, source: unknown, ports: readonly MessagePort[]): void;
}

function fakeWindow(): FakeWindow {
  const listeners = new Set<(event: MessageEvent) => void>();
  return {
    parent,
    listeners,
    addEventListener: (_type, listener) => listeners.add(listener),
    removeEventListener: (_type, listener) => listeners.delete(listener),
    deliver: (data, source, ports) => {
      for (const listener of listeners) listener({ data, source, ports } as unknown as MessageEvent);
    },
  };
}

/** The host's end: what came, and a way to wait for the next. */
function hostEnd(port: MessagePort) {
  const waiting: ((message: Envelope) => void)[] = [];
  const came: Envelope[] = [];
  port.addEventListener("message", (event) => {
    const message = readEnvelope(event.data);
    if (message === undefined) return;
    const next = waiting.shift();
    if (next === undefined) came.push(message);
    else next(message);
  });
  port.start();
  opened.push(port);
  const next = async (): Promise<Envelope> => came.shift() ?? new Promise((resolve) => waiting.push(resolve));
  return { port, next };
}

async function connected(payload: unknown = { theme: { scheme: "dark", tokens: { accent: "#2b6" } }, path: "/start" }, timeoutMs = 5_000) {
  const frame = fakeWindow();
  const { port1, port2 } = new MessageChannel();
  const end = hostEnd(port1);
  const connecting = connectHost({ window: frame, timeoutMs });
  frame.deliver(envelope("first", "ready", payload), parent, [port2]);
  const host = await connecting;
  opened.push(host);
  return { frame, host, end };
}

test("takes the port, answers ready with the same id, and knows theme and path", async () => {
  const { host, end, frame } = await connected();
  expect(await end.next()).toEqual(envelope("first", "ready", {}));
  expect([host.theme, host.path]).toEqual([{ scheme: "dark", tokens: { accent: "#2b6" } }, "/start"]);
  expect(frame.listeners.size).toBe(0);
});

test("a port from another window, a message that is none, or two ports are not taken", async () => {
  const frame = fakeWindow();
  const connecting = connectHost({ window: frame, timeoutMs: 50 });
  const { port1, port2 } = new MessageChannel();
  opened.push(port1, port2);
  frame.deliver(envelope("x", "ready", {}), { name: "another frame" }, [port2]);
  frame.deliver({ ...envelope("x", "ready", {}), v: 2 }, parent, [port2]);
  frame.deliver(envelope("x", "call", {}), parent, [port2]);
  frame.deliver(envelope("x", "ready", {}), parent, []);
  frame.deliver(envelope("x", "ready", {}), parent, [port1, port2]);
  await expect(connecting).rejects.toMatchObject({ code: "bridge.timeout" });
  expect(frame.listeners.size).toBe(0);
});

test("a call goes over with its body and comes back as a response", async () => {
  const { host, end } = await connected();
  await end.next();
  const calling = host.call("POST", "/polls", { json: { a: "ü" }, query: { q: "1" } });
  const asked = await end.next();
  expect(asked).toMatchObject({
    type: "call",
    payload: { method: "POST", path: "/polls", query: { q: "1" }, headers: { "content-type": "application/json" }, body: '{"a":"ü"}' },
  });
  end.port.postMessage(envelope(asked.id, "call", { status: 201, headers: { etag: "1" }, body: new TextEncoder().encode('{"b":1}') }));
  const response = await calling;
  expect([response.status, response.ok, response.headers, response.json()]).toEqual([201, true, { etag: "1" }, { b: 1 }]);
});

test("answers in another order find their questions; one that nobody asked is dropped", async () => {
  const { host, end } = await connected();
  await end.next();
  const both = [host.call("GET", "/1"), host.call("GET", "/2")];
  const asked = [await end.next(), await end.next()];
  end.port.postMessage(envelope("999", "call", { status: 500, headers: {}, body: new Uint8Array() }));
  for (const [index, message] of asked.toReversed().entries()) {
    end.port.postMessage(envelope(message.id, "call", { status: index === 0 ? 202 : 201, headers: {}, body: new Uint8Array() }));
  }
  expect((await Promise.all(both)).map((response) => response.status)).toEqual([201, 202]);
});

test("a refusal, an answer that is none, silence and a closed port are errors with codes", async () => {
  const { host, end } = await connected(undefined, 100);
  await end.next();
  const refused = host.call("GET", "/x");
  end.port.postMessage(envelope((await end.next()).id, "call", { code: "ext.endpoint_not_found", message: "no" }));
  await expect(refused).rejects.toMatchObject({ code: "ext.endpoint_not_found", message: "no" });
  const broken = host.call("GET", "/x");
  end.port.postMessage(envelope((await end.next()).id, "call", { status: "200" }));
  await expect(broken).rejects.toMatchObject({ code: "bridge.malformed" });
  await expect(host.call("GET", "/x")).rejects.toMatchObject({ code: "bridge.timeout" });
  const open = host.call("GET", "/x");
  host.close();
  await expect(open).rejects.toMatchObject({ code: "bridge.closed" });
  await expect(host.call("GET", "/x")).rejects.toMatchObject({ code: "bridge.closed" });
});

test("changes of theme and path arrive until the listener is taken off; junk does not", async () => {
  const { host, end } = await connected();
  await end.next();
  const seen: unknown[] = [];
  const stop = host.onTheme((theme) => seen.push(theme.scheme));
  host.onNavigate((path) => seen.push(path));
  const settled = async () => {
    const answer = host.call("GET", "/");
    end.port.postMessage(envelope((await end.next()).id, "call", { status: 200, headers: {}, body: new Uint8Array() }));
    await answer;
  };
  end.port.postMessage({ althing: true, v: 1, id: "1", type: "explode", payload: {} });
  end.port.postMessage(envelope("2", "theme", { scheme: "neon" }));
  end.port.postMessage(envelope("3", "theme", { scheme: "light", tokens: {} }));
  end.port.postMessage(envelope("4", "navigate", { path: "/there" }));
  await settled();
  stop();
  end.port.postMessage(envelope("5", "theme", { scheme: "dark", tokens: {} }));
  await settled();
  expect(seen).toEqual(["light", "/there"]);
  expect(host.theme.scheme).toBe("dark");
});

test("a host that asks whether the page is there is answered, with its id", async () => {
  const { end } = await connected();
  await end.next();
  end.port.postMessage(envelope("host-7", "ready", {}));
  expect(await end.next()).toEqual(envelope("host-7", "ready", {}));
});

test("resize, navigate and toast go over", async () => {
  const { host, end } = await connected();
  await end.next();
  host.resize(10.2);
  host.navigate("/a");
  host.toast("done", "success");
  const payloads = [await end.next(), await end.next(), await end.next()].map(({ type, payload }) => [type, payload]);
  expect(payloads).toEqual([
    ["resize", { height: 11 }],
    ["navigate", { path: "/a" }],
    ["toast", { text: "done", kind: "success" }],
  ]);
});

test("a theme cannot carry more than values of properties", () => {
  const theme = readTheme({
    scheme: "light",
    tokens: { ok: "#fff", "Bad Name": "x", evil: "red; background: url(//x)", brace: "}", number: 1, __proto__: "x" },
  });
  expect(theme).toEqual({ scheme: "light", tokens: { ok: "#fff" } });
});
