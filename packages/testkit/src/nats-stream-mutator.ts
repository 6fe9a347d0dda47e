/**
 * Reads what a nats-server sends to a client and lets a test change it.
 *
 * Invariant: bytes that a handler passes leave as they came; only MSG and HMSG (the messages) are offered, the other lines (PING, +OK,
 * -ERR) go through untouched, and INFO loses `connect_urls`, because a client that learnt another address would go around the proxy.
 * A real parser and not text replacement: payloads are counted bytes and may contain anything, protocol lines too.
 * Source: the NATS client protocol (INFO, MSG, HMSG).
 */

export interface NatsMessage {
  readonly subject: string;
  /** The subscription it is delivered to. */
  readonly sid: string;
  readonly reply?: string | undefined;
  /** First value of each header; `undefined` for a message without headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly payload: Uint8Array;
}

/** What happens to one message: let through, swallowed, altered in some parts, or replaced by any number (doubles, reordering, replay). */
export type NatsAction = "pass" | "drop" | Partial<NatsMessage> | readonly NatsMessage[];

export type OnNatsMessage = (
  subject: string,
  headers: Readonly<Record<string, string>>,
  payload: Uint8Array,
  message: NatsMessage,
) => NatsAction;

export interface NatsStreamMutator {
  /** @returns what the client shall get for these bytes; a half line or message is kept until the rest comes */
  feed(chunk: Uint8Array): Uint8Array;
}

const crlf = Buffer.from("\r\n");

function parseHeaders(block: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of block.toString("utf8").split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon)] ??= line.slice(colon + 1).trim();
  }
  return headers;
}

/** The protocol's bytes of one message, for a proxy that makes messages up. */
export function encodeNatsMessage(message: NatsMessage): Buffer {
  const payload = Buffer.from(message.payload);
  const reply = message.reply === undefined ? "" : ` ${message.reply}`;
  if (message.headers === undefined) {
    return Buffer.concat([Buffer.from(`MSG ${message.subject} ${message.sid}${reply} ${payload.length}\r\n`), payload, crlf]);
  }
  const lines = Object.entries(message.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const block = Buffer.from(`NATS/1.0\r\n${lines.join("")}\r\n`);
  const first = `HMSG ${message.subject} ${message.sid}${reply} ${block.length} ${block.length + payload.length}\r\n`;
  return Buffer.concat([Buffer.from(first), block, payload, crlf]);
}

interface Parsed {
  readonly message: NatsMessage;
  readonly bytes: Buffer;
}

/** The message that starts at 0, or `undefined` while bytes are missing. */
function parseMessage(buffer: Buffer, lineEnd: number): Parsed | undefined {
  const [verb, subject = "", sid = "", ...rest] = buffer
    .toString("utf8", 0, lineEnd)
    .trim()
    .split(/[ \t]+/);
  const total = Number(rest.pop());
  const headerBytes = verb?.toUpperCase() === "HMSG" ? Number(rest.pop()) : 0;
  const start = lineEnd + 2;
  if (!Number.isSafeInteger(total) || !Number.isSafeInteger(headerBytes)) throw new Error("not the NATS protocol: sizes expected");
  if (buffer.length < start + total + 2) return undefined;
  const headers = headerBytes > 0 ? parseHeaders(buffer.subarray(start, start + headerBytes)) : undefined;
  const payload = Uint8Array.from(buffer.subarray(start + headerBytes, start + total));
  return { message: { subject, sid, reply: rest[0], headers, payload }, bytes: Buffer.from(buffer.subarray(0, start + total + 2)) };
}

function withoutOtherAddresses(line: string): string {
  const info = JSON.parse(line.slice(4)) as Record<string, unknown>;
  delete info["connect_urls"];
  delete info["ws_connect_urls"];
  return `INFO ${JSON.stringify(info)}\r\n`;
}

function act(parsed: Parsed, onMessage: OnNatsMessage): readonly Buffer[] {
  const { message } = parsed;
  const action = onMessage(message.subject, message.headers ?? {}, message.payload, message);
  if (action === "pass") return [parsed.bytes];
  if (action === "drop") return [];
  if (isList(action)) return action.map(encodeNatsMessage);
  return [encodeNatsMessage({ ...message, ...action })];
}

function isList(action: Partial<NatsMessage> | readonly NatsMessage[]): action is readonly NatsMessage[] {
  return Array.isArray(action);
}

export function createNatsStreamMutator(onMessage: OnNatsMessage): NatsStreamMutator {
  let pending: Buffer = Buffer.alloc(0);
  return {
    feed(chunk) {
      pending = Buffer.concat([pending, chunk]);
      const out: Buffer[] = [];
      for (;;) {
        const lineEnd = pending.indexOf(crlf);
        if (lineEnd < 0) break;
        const verb = /^[a-z+-]+/i.exec(pending.toString("latin1", 0, Math.min(lineEnd, 8)))?.[0].toUpperCase();
        if (verb === "MSG" || verb === "HMSG") {
          const parsed = parseMessage(pending, lineEnd);
          if (!parsed) break;
          pending = pending.subarray(parsed.bytes.length);
          out.push(...act(parsed, onMessage));
          continue;
        }
        const line = pending.subarray(0, lineEnd + 2);
        out.push(verb === "INFO" ? Buffer.from(withoutOtherAddresses(line.toString("utf8"))) : Buffer.from(line));
        pending = pending.subarray(lineEnd + 2);
      }
      return Buffer.concat(out);
    },
  };
}
