/**
 * An extension page's way to the page that frames it.
 *
 * Invariant: one port, taken once, and only from the parent window; everything goes over it. The page has an opaque origin and no credentials: what it
 * may ask for, the host decides, and endpoints are called by the host as the viewer. A host that does not answer is an error after a time, not a wait.
 */
import { envelope, readEnvelope, readTheme, type Envelope, type MessageType, type Theme } from "./envelope.ts";

/** As much of a window as the bridge needs. */
export interface BridgeWindow {
  readonly parent: unknown;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  removeEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

export interface ConnectOptions {
  /** For the port, and for each call; default 10,000. */
  readonly timeoutMs?: number;
  /** Default: the page's own. */
  readonly window?: BridgeWindow;
}

/** The host refused, failed or did not answer. `code` is the platform's, or `bridge.timeout`, `bridge.closed`, `bridge.malformed`. */
export class BridgeError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "BridgeError";
    this.code = code;
  }
}

export interface CallOptions {
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
}

export interface CallResponse {
  readonly status: number;
  /** 200–299. */
  readonly ok: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  text(): string;
  json(): unknown;
}

export type ToastKind = "info" | "success" | "warning" | "error";

export interface HostConnection {
  /** The host's theme now. */
  readonly theme: Theme;
  /** Where in the extension the viewer is: a path of the manifest's `nav`, or below. */
  readonly path: string;
  /** Calls an endpoint of this extension as the viewer. @throws {BridgeError} */
  call(method: string, path: string, options?: CallOptions): Promise<CallResponse>;
  /** Asks for this height, in CSS pixels; the host clamps it. */
  resize(height: number): void;
  /** Asks the host to show another path of this extension. */
  navigate(path: string): void;
  toast(text: string, kind?: ToastKind): void;
  /** Called at every change; returns what stops it. */
  onTheme(listener: (theme: Theme) => void): () => void;
  onNavigate(listener: (path: string) => void): () => void;
  close(): void;
}

interface Pending {
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: BridgeError) => void;
}

const defaultTimeoutMs = 10_000;
const defaultTheme: Theme = { scheme: "light", tokens: {} };

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

function textRecord(value: unknown): Record<string, string> {
  const entries = Object.entries(typeof value === "object" && value !== null ? value : {});
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

function readAnswer(payload: unknown): CallResponse {
  const status = fieldOf(payload, "status");
  const body = fieldOf(payload, "body");
  if (typeof status !== "number" || !(body instanceof Uint8Array)) {
    const code = fieldOf(payload, "code");
    const message = fieldOf(payload, "message");
    if (typeof code === "string") throw new BridgeError(code, typeof message === "string" ? message : code);
    throw new BridgeError("bridge.malformed", "the host's answer cannot be read");
  }
  const text = () => new TextDecoder().decode(body);
  return {
    status,
    ok: status >= 200 && status < 300,
    headers: textRecord(fieldOf(payload, "headers")),
    body,
    text,
    json: () => JSON.parse(text()) as unknown,
  };
}

class Connection implements HostConnection {
  theme: Theme = defaultTheme;
  path = "/";
  readonly #port: MessagePort;
  readonly #timeoutMs: number;
  readonly #pending = new Map<string, Pending>();
  readonly #themeListeners = new Set<(theme: Theme) => void>();
  readonly #pathListeners = new Set<(path: string) => void>();
  #lastId = 0;
  #isClosed = false;

  constructor(port: MessagePort, first: Envelope, timeoutMs: number) {
    this.#port = port;
    this.#timeoutMs = timeoutMs;
    this.theme = readTheme(fieldOf(first.payload, "theme")) ?? defaultTheme;
    const path = fieldOf(first.payload, "path");
    if (typeof path === "string") this.path = path;
    port.addEventListener("message", (event) => this.#take(readEnvelope(event.data)));
    port.start();
    this.#send("ready", {}, first.id);
  }

  #send(type: MessageType, payload: unknown, id = String(++this.#lastId)): string {
    if (this.#isClosed) throw new BridgeError("bridge.closed", "the connection to the host page is closed");
    this.#port.postMessage(envelope(id, type, payload));
    return id;
  }

  #take(message: Envelope | undefined): void {
    // The host asks now and then whether the page is still there.
    if (message?.type === "ready") this.#send("ready", {}, message.id);
    if (message?.type === "call") {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      pending?.resolve(message.payload);
    }
    if (message?.type === "theme") {
      const theme = readTheme(message.payload);
      if (theme === undefined) return;
      this.theme = theme;
      for (const listener of this.#themeListeners) listener(theme);
    }
    const path = message?.type === "navigate" ? fieldOf(message.payload, "path") : undefined;
    if (typeof path === "string") {
      this.path = path;
      for (const listener of this.#pathListeners) listener(path);
    }
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<CallResponse> {
    const { json, body = json === undefined ? undefined : JSON.stringify(json), query = {} } = options;
    const headers = { ...(json === undefined ? {} : { "content-type": "application/json" }), ...options.headers };
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = this.#send("call", { method, path, query, headers, body });
    this.#pending.set(id, { resolve, reject });
    const timer = setTimeout(
      () => reject(new BridgeError("bridge.timeout", `${method} ${path}: no answer within ${this.#timeoutMs} ms`)),
      this.#timeoutMs,
    );
    try {
      return readAnswer(await promise);
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  resize(height: number): void {
    this.#send("resize", { height: Math.max(0, Math.ceil(height)) });
  }

  navigate(path: string): void {
    this.#send("navigate", { path });
  }

  toast(text: string, kind: ToastKind = "info"): void {
    this.#send("toast", { text, kind });
  }

  onTheme(listener: (theme: Theme) => void): () => void {
    this.#themeListeners.add(listener);
    return () => this.#themeListeners.delete(listener);
  }

  onNavigate(listener: (path: string) => void): () => void {
    this.#pathListeners.add(listener);
    return () => this.#pathListeners.delete(listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#port.close();
    for (const pending of this.#pending.values())
      pending.reject(new BridgeError("bridge.closed", "the connection to the host page was closed"));
    this.#pending.clear();
  }
}

/**
 * Waits for the host page's port and answers it. Call it while the page loads: the host sends the port once, when the page has loaded.
 *
 * @throws {BridgeError} `bridge.timeout`: nobody sent one; the page is not framed by a host
 */
export async function connectHost(options: ConnectOptions = {}): Promise<HostConnection> {
  const { timeoutMs = defaultTimeoutMs } = options;
  const frame: BridgeWindow = options.window ?? globalThis.window;
  const { promise, resolve, reject } = Promise.withResolvers<HostConnection>();
  const listener = (event: MessageEvent) => {
    const message = event.source === frame.parent ? readEnvelope(event.data) : undefined;
    const port = event.ports[0];
    if (message?.type !== "ready" || port === undefined || event.ports.length !== 1) return;
    frame.removeEventListener("message", listener);
    resolve(new Connection(port, message, timeoutMs));
  };
  frame.addEventListener("message", listener);
  const timer = setTimeout(() => reject(new BridgeError("bridge.timeout", `no host page answered within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    frame.removeEventListener("message", listener);
  }
}
