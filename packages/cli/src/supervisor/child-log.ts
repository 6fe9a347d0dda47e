/**
 * Keeps what a child writes as JSON lines in a bounded set of files.
 *
 * Invariant: every line in the file is one JSON object; the set never exceeds `files × maxBytes`; when the disk cannot follow, lines are dropped and
 * counted, never held in memory without bound. Lines of the hub are JSON already and pass unchanged; nats-server's text is parsed.
 */
import { createWriteStream, openSync, renameSync, rmSync, statSync, type WriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { createInterface } from "node:readline";

export interface ChildLogOptions {
  readonly path: string;
  readonly source: string;
  readonly maxBytes?: number;
  readonly files?: number;
  readonly maxPendingBytes?: number;
  /** Sees each record, for lines that a person must see at once. */
  readonly onRecord?: (record: LogRecord) => void;
}

export interface LogRecord {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
}

export interface ChildLog {
  /** Reads the stream to its end; several may be attached over time (a restarted child). */
  attach(stream: Readable): void;
  /** The last lines, for the message of a failed start. */
  tail(): readonly string[];
  close(): Promise<void>;
}

const natsLine = /^\[\d+\] (\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d\.\d+) \[(\w{3})\] (.*)$/;
const natsLevels: Readonly<Record<string, LogRecord["level"]>> = {
  TRC: "debug",
  DBG: "debug",
  INF: "info",
  WRN: "warn",
  ERR: "error",
  FTL: "error",
};
const maxLineLength = 16_384;
const tailLines = 20;

/** One line of any child → a JSON line and what it says. */
export function toLogLine(source: string, line: string, now: () => string): { readonly json: string; readonly record: LogRecord } {
  const cut = line.length > maxLineLength ? `${line.slice(0, maxLineLength)}…` : line;
  const parsed = tryObject(cut);
  if (parsed !== undefined)
    return { json: cut, record: { level: levelOf(parsed["level"]), text: typeof parsed["msg"] === "string" ? parsed["msg"] : "" } };
  const nats = natsLine.exec(cut);
  const level = nats === null ? "info" : (natsLevels[nats[5] ?? ""] ?? "info");
  const text = nats === null ? cut : (nats[6] ?? "");
  const time = nats === null ? now() : new Date(`${nats[1]}-${nats[2]}-${nats[3]}T${nats[4]}`).toISOString();
  return { json: JSON.stringify({ level, time, name: source, msg: text }), record: { level, text } };
}

function tryObject(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** pino's numbers or plain names. */
function levelOf(level: unknown): LogRecord["level"] {
  if (level === "debug" || level === "info" || level === "warn" || level === "error") return level;
  if (typeof level !== "number") return "info";
  if (level >= 50) return "error";
  if (level >= 40) return "warn";
  return level >= 30 ? "info" : "debug";
}

export function openChildLog(options: ChildLogOptions): ChildLog {
  const { path, source, maxBytes = 10 * 1024 * 1024, files = 5, maxPendingBytes = 4 * 1024 * 1024, onRecord } = options;
  const now = (): string => new Date().toISOString();
  let written = sizeOf(path);
  let out = openStream(path);
  let dropped = 0;
  const recent: string[] = [];

  const rotate = (): void => {
    out.end();
    rmSync(`${path}.${files - 1}`, { force: true });
    for (let n = files - 2; n >= 1; n -= 1) renameIfThere(`${path}.${n}`, `${path}.${n + 1}`);
    renameIfThere(path, `${path}.1`);
    out = openStream(path);
    written = 0;
  };
  const put = (json: string): void => {
    const bytes = Buffer.byteLength(json) + 1;
    if (written + bytes > maxBytes) rotate();
    written += bytes;
    out.write(`${json}\n`);
  };
  const take = (line: string): void => {
    if (line === "") return;
    const { json, record } = toLogLine(source, line, now);
    recent.push(record.text);
    if (recent.length > tailLines) recent.shift();
    if (out.writableLength > maxPendingBytes) {
      dropped += 1;
      return;
    }
    if (dropped > 0) {
      put(
        JSON.stringify({ level: "warn", time: now(), name: "supervisor", msg: `${dropped} lines were dropped: the disk did not follow` }),
      );
      dropped = 0;
    }
    put(json);
    onRecord?.(record);
  };
  return {
    attach(stream) {
      createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", take);
    },
    tail: () => [...recent],
    close: () => new Promise((done) => out.end(() => done())),
  };
}

function openStream(path: string): WriteStream {
  // Opened here and now: a stream that opens later would open whatever has the name by then.
  const stream = createWriteStream(path, { fd: openSync(path, "a", 0o600) });
  // A full disk must not end the supervisor: it is the one that keeps the fence.
  stream.on("error", () => undefined);
  return stream;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function renameIfThere(from: string, to: string): void {
  if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, to);
}
