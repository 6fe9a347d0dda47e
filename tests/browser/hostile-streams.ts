/**
 * What comes by itself, from a hub that lies: the stream of events, and the connection that rooms have to the bus.
 *
 * Invariant: every attack goes over a real connection to the shipped page; an attack ends when the test says so, and the same page then speaks with the real hub.
 */
import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page, WebSocketRoute } from "playwright-core";
import { payloads } from "./hostile-answers.ts";

// --- the stream of events ---

const hash = "ab".repeat(32);
const endpoint = "a".repeat(64);

/** A whole event that fits the contract, with these words wherever words may be. */
const eventOf = (index: number, text: string): string =>
  JSON.stringify({
    id: "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C",
    community: "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C",
    index,
    time: "2026-11-22T12:00:00.000Z",
    topic: "announcement.posted",
    subject: text.slice(0, 300),
    summary: text.slice(0, 300),
    actor: endpoint,
    depth: 0,
    previous: hash,
    hash,
    data: { text, [text.slice(0, 60)]: [text] },
    redacted: [],
  });

const opened = (index: number): string => `id: ${index}\nevent: open\ndata: ${JSON.stringify({ index })}\n\n`;
const told = (index: number, data: string): string => `id: ${index}\ndata: ${data}\n\n`;

type Attack = (write: (part: string | Buffer) => Promise<boolean>) => Promise<void>;

/** More than any reader should hold of what has no end. */
const partsMax = 400;

async function endlessly(write: Parameters<Attack>[0], part: string | Buffer): Promise<void> {
  for (let parts = 0; parts < partsMax && (await write(part)); parts += 1) await sleep(2);
}

export const streamAttacks = {
  page: async (write) => void (await write("<!doctype html><h1>It works</h1><script>globalThis.canary=1</script>")),
  noText: async (write) => void (await write(Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28, 0x0a, 0x0a]))),
  giantEvent: async (write) => void (await write(`${opened(1)}${told(2, `"${"w".repeat(300_000)}"`)}`)),
  endlessLine: async (write) => {
    await write(opened(1));
    await write("data: ");
    await endlessly(write, "w".repeat(16_384));
  },
  endlessBeats: async (write) => {
    await write(opened(1));
    await endlessly(write, `: ${payloads.markup}\n\n`.repeat(40));
  },
  gap: async (write) => void (await write(`${opened(1)}${told(900, eventOf(900, payloads.markup))}`)),
  eventFirst: async (write) => void (await write(told(2, eventOf(2, payloads.markup)))),
  notTheContract: async (write) => void (await write(`${opened(1)}${told(2, '{"__proto__":{"canary":1},"index":2}')}`)),
  markup: async (write) => {
    await write(opened(1));
    await write([2, 3, 4].map((index) => told(index, eventOf(index, payloads.markup))).join(""));
    await sleep(1_500);
  },
  disguised: async (write) => {
    await write(opened(1));
    await write([2, 3, 4].map((index) => told(index, eventOf(index, payloads.disguised.replaceAll(/[\r\n]/g, " ")))).join(""));
    await sleep(1_500);
  },
  /** All true, and far more than can be read again for each. */
  flood: async (write) => {
    await write(opened(1));
    for (let index = 2; index < 2_000 && (await write(told(index, eventOf(index, "flood")))); index += 1)
      if (index % 100 === 0) await sleep(5);
  },
  /** Opened, and over, each time. */
  storm: async (write) => void (await write(opened(1))),
  madeUpReason: async (write) => void (await write(`${opened(1)}event: cut\ndata: {"code":"made.up","detail":"<b data-injected>"}\n\n`)),
} as const satisfies Readonly<Record<string, Attack>>;
export type StreamAttack = keyof typeof streamAttacks;

export interface LyingStreams {
  readonly url: string;
  /** Connections so far, by attack. */
  count(attack: StreamAttack): number;
  close(): Promise<void>;
}

/** The attack is named in the path. */
export async function startLyingStreams(): Promise<LyingStreams> {
  const counts = new Map<StreamAttack, number>();
  const isAttack = (name: string): name is StreamAttack => Object.hasOwn(streamAttacks, name);
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const name = request.url?.slice(1) ?? "";
    if (!isAttack(name)) return void response.writeHead(404).end();
    counts.set(name, (counts.get(name) ?? 0) + 1);
    response.writeHead(200, { "content-type": "text/event-stream", "access-control-allow-origin": "*" });
    const run: Attack = streamAttacks[name];
    await run(
      (part) =>
        new Promise((resolve) => {
          if (response.closed) resolve(false);
          else response.write(part, (error) => resolve(error === null || error === undefined));
        }),
    );
    response.end();
  };
  const server = createServer((request, response) => {
    request.resume();
    void serve(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    count: (attack) => counts.get(attack) ?? 0,
    close: () =>
      new Promise<void>((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

/** From here on the page's stream of events comes from the liar. @returns ends that */
export async function divertStream(page: Page, liars: LyingStreams, attack: StreamAttack): Promise<() => Promise<void>> {
  const isStream = ({ pathname }: URL) => pathname.endsWith("/events/stream");
  await page.route(isStream, (route) => route.continue({ url: `${liars.url}/${attack}` }));
  return () => page.unroute(isStream);
}

// --- the connection to the bus ---

interface Wire {
  readonly ws: WebSocketRoute;
  /** The real server's side; what is not passed on does not arrive. */
  connect(): WebSocketRoute;
}

/** What the page is told of each of its subscriptions. */
const frames: readonly (string | Buffer)[] = [
  "",
  "{",
  JSON.stringify({ type: "room.removed", room: payloads.markup }),
  JSON.stringify({ v: 1, from: payloads.markup, body: payloads.markup, __proto__: { canary: 1 } }),
  payloads.markup,
  payloads.disguised,
  payloads.endless,
  Buffer.alloc(300_000, 0xff),
  "[".repeat(50_000),
];

const message = (subject: string, id: string, payload: string | Buffer): Buffer => {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from(`MSG ${subject} ${id} ${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]);
};

function passThrough({ ws, connect }: Wire, onSubscription: (subject: string, id: string) => void, onServer: (part: Buffer) => void): void {
  const server = connect();
  ws.onMessage((part) => {
    server.send(part);
    for (const [, subject = "", id = ""] of part.toString().matchAll(/SUB (\S+) (?:\S+ )?(\d+)\r\n/g)) onSubscription(subject, id);
  });
  server.onMessage((part) => {
    ws.send(part);
    onServer(Buffer.from(part));
  });
}

export const busAttacks = {
  page: ({ ws }: Wire) => ws.send("HTTP/1.1 200 OK\r\n\r\n<script>globalThis.canary=1</script>\r\n"),
  silent: () => undefined,
  /** Closed as soon as it is open, each time. */
  storm: ({ ws }: Wire) => void ws.close({ code: 1011, reason: "<b data-injected>" }),
  strangeHello: ({ ws }: Wire) =>
    ws.send(
      `INFO ${JSON.stringify({ server_id: payloads.markup, server_name: payloads.disguised, max_payload: -1, nonce: payloads.markup, connect_urls: ["javascript:1"] })}\r\n`,
    ),
  giantHello: ({ ws }: Wire) => ws.send(`INFO {"server_id":"${"w".repeat(3_000_000)}"}\r\n`),
  /** Whatever it subscribed to says things that nobody sent. */
  injected: (wire: Wire) =>
    passThrough(
      wire,
      (subject, id) => {
        // A subject of its own, where it asked for many.
        const own = subject.replaceAll(/[*>]/g, "x");
        for (const frame of frames) wire.ws.send(message(own, id, frame));
      },
      () => undefined,
    ),
  /** Everything is said three times. */
  repeated: (wire: Wire) =>
    passThrough(
      wire,
      () => undefined,
      (part) => {
        if (/^H?MSG /.test(part.toString("latin1"))) for (const again of [part, part]) wire.ws.send(again);
      },
    ),
  /** Two gigabytes are promised, and begin to come. */
  endless: (wire: Wire) =>
    passThrough(
      wire,
      (subject, id) => {
        wire.ws.send(Buffer.from(`MSG ${subject.replaceAll(/[*>]/g, "x")} ${id} 2000000000\r\n`));
        for (let parts = 0; parts < 4; parts += 1) wire.ws.send(Buffer.alloc(250_000, 0x77));
      },
      () => undefined,
    ),
  /** No line of the protocol at all, in the middle of it. */
  nonsense: (wire: Wire) =>
    passThrough(
      wire,
      () => wire.ws.send(`-ERR '${payloads.markup}'\r\nXYZZY\r\n`),
      () => undefined,
    ),
} as const satisfies Readonly<Record<string, (wire: Wire) => void>>;
export type BusAttack = keyof typeof busAttacks;

export interface LyingBus {
  /** Connections that were attacked. */
  readonly count: number;
  /** Ends what is open; the next connection is the real one. */
  end(): void;
}

/** To be called before the page is opened. */
export async function divertBus(page: Page, attack: BusAttack): Promise<LyingBus> {
  let isOver = false;
  let count = 0;
  const open = new Set<WebSocketRoute>();
  await page.routeWebSocket(/\/api\/bus$/, (ws) => {
    if (isOver) return void ws.connectToServer();
    count += 1;
    open.add(ws);
    busAttacks[attack]({ ws, connect: () => ws.connectToServer() });
  });
  return {
    get count() {
      return count;
    },
    end() {
      isOver = true;
      for (const ws of open) void ws.close({ code: 1001 });
    },
  };
}
