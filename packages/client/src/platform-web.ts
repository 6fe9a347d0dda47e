/**
 * The browser side of `#platform`: fetch, NATS over the hub's own WebSocket.
 *
 * Invariant: only the origins the caller named are contacted; no cookies, no cache, no redirects. Schemas are interpreted, never compiled, so
 * that a strict Content-Security-Policy without `unsafe-eval` holds without a report. No request waits for ever: browsers themselves never give up an answer
 * that does not come, so silence ends it; slowness does not, every part that comes begins the wait anew.
 */
import { AppError, interpretSchemas } from "@althing/contract";
import type { ClientState } from "./state.ts";
import { upload } from "./upload-web.ts";
import {
  HttpFailure,
  HttpOversize,
  type BusConnectionResult,
  type BusTarget,
  type Http,
  type HttpRequest,
  type HttpStreamAnswer,
  type Platform,
  type SessionKey,
} from "./platform-types.ts";

interpretSchemas();

/** Browsers have no files; the same name exists so that one source serves both. @throws {client.no_files} always */
export async function openFileState(directory: string): Promise<ClientState> {
  throw new AppError("client.no_files", { path: directory });
}

/** So long nothing may come before a request is given up. A change may work that long, and nobody knows then whether it was made. */
export interface SilenceTimes {
  readonly readMs: number;
  readonly changeMs: number;
}

/** Longer than whoever waits at a screen: this is for the calls that nobody sees. */
const defaultSilence: SilenceTimes = { readMs: 30_000, changeMs: 100_000 };

interface Silence {
  readonly signal: AbortSignal;
  /** Something came. */
  heard(): void;
  /** Ends the watch. */
  end(): void;
}

function watchSilence(afterMs: number): Silence {
  const silent = new AbortController();
  const abort = () => silent.abort(new Error(`no answer came within ${afterMs / 1_000} seconds`));
  let timer = setTimeout(abort, afterMs);
  return {
    signal: silent.signal,
    heard() {
      clearTimeout(timer);
      timer = setTimeout(abort, afterMs);
    },
    end: () => clearTimeout(timer),
  };
}

async function ask(input: HttpRequest, wantedStatus: number | undefined, times: SilenceTimes): Promise<HttpStreamAnswer> {
  const silence = watchSilence(Math.max(input.method === "GET" ? times.readMs : times.changeMs, input.headersTimeoutMs ?? 0));
  try {
    return await askWatched(input, wantedStatus, silence);
  } finally {
    silence.end();
  }
}

async function askWatched(input: HttpRequest, wantedStatus: number | undefined, silence: Silence): Promise<HttpStreamAnswer> {
  let answer: Response;
  try {
    answer = await fetch(input.url, {
      method: input.method,
      headers: { ...input.headers },
      redirect: "manual",
      credentials: "omit",
      cache: "no-store",
      referrerPolicy: "no-referrer",
      ...(input.body === undefined ? {} : { body: input.body }),
      signal: input.signal === undefined ? silence.signal : AbortSignal.any([input.signal, silence.signal]),
    });
    silence.heard();
  } catch (cause) {
    if (input.signal?.aborted === true) throw cause;
    throw new HttpFailure(cause instanceof Error ? cause.message : String(cause), true, cause);
  }
  const isStream = answer.status === wantedStatus;
  const body = isStream ? new Uint8Array() : await readAtMost(answer, input, silence);
  const retryAfter = Number(answer.headers.get("retry-after") ?? Number.NaN);
  return {
    status: answer.type === "opaqueredirect" ? 302 : answer.status,
    contentType: answer.headers.get("content-type") ?? "",
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
    body,
    ...(isStream ? { stream: partsOf(answer) } : {}),
  };
}

/** What this page asks its hub by. */
export function createWebHttp(silence: SilenceTimes = defaultSilence): Http {
  return {
    send: (input) => (input.onSent === undefined ? ask(input, undefined, silence) : upload(input, input.onSent)),
    open: (input, wantedStatus) => ask(input, wantedStatus, silence),
    close: async () => undefined,
  };
}

/** Not every browser's body can be iterated. */
async function* partsOf(answer: Response): AsyncGenerator<Uint8Array> {
  const reader = answer.body?.getReader();
  try {
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) yield part.value;
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}

/** Stops at the first byte too many, so that an endless answer cannot fill the memory. */
async function readAtMost(answer: Response, { maxBytes, onReceived }: HttpRequest, silence: Silence): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    const reader = answer.body?.getReader();
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
      silence.heard();
      length += part.value.length;
      if (length > maxBytes) {
        await reader?.cancel();
        throw new HttpOversize(maxBytes);
      }
      parts.push(part.value);
      onReceived?.(length);
    }
  } catch (cause) {
    if (cause instanceof HttpOversize) throw cause;
    throw new HttpFailure(cause instanceof Error ? cause.message : String(cause), true, cause);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** NATS is most of this library's code, and pages without rooms need none of it. */
async function natsParts() {
  try {
    return await import("./nats-web.ts");
  } catch (cause) {
    throw new AppError("client.unreachable", { detail: "the part of the page that connects rooms did not load" }, { cause });
  }
}

const createSessionKey = async (): Promise<SessionKey> => (await natsParts()).createSessionKey();
const connectBus = async (target: BusTarget): Promise<BusConnectionResult> => (await natsParts()).connectBus(target);

export const platform: Platform = { isLearning: false, createHttp: () => createWebHttp(), createSessionKey, connectBus };
