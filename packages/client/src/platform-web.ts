/**
 * The browser side of `#platform`: fetch, NATS over the hub's own WebSocket.
 *
 * Invariant: only the origins the caller named are contacted; no cookies, no cache, no redirects. Schemas are interpreted, never compiled, so
 * that a strict Content-Security-Policy without `unsafe-eval` holds without a report.
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

async function ask(input: HttpRequest, wantedStatus: number | undefined): Promise<HttpStreamAnswer> {
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
      ...(input.signal === undefined ? {} : { signal: input.signal }),
    });
  } catch (cause) {
    if (input.signal?.aborted === true) throw cause;
    throw new HttpFailure(cause instanceof Error ? cause.message : String(cause), true, cause);
  }
  const isStream = answer.status === wantedStatus;
  const body = isStream ? new Uint8Array() : await readAtMost(answer, input);
  const retryAfter = Number(answer.headers.get("retry-after") ?? Number.NaN);
  return {
    status: answer.type === "opaqueredirect" ? 302 : answer.status,
    contentType: answer.headers.get("content-type") ?? "",
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
    body,
    ...(isStream ? { stream: partsOf(answer) } : {}),
  };
}

function createHttp(): Http {
  return {
    send: (input) => (input.onSent === undefined ? ask(input, undefined) : upload(input, input.onSent)),
    open: ask,
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
async function readAtMost(answer: Response, { maxBytes, onReceived }: HttpRequest): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    const reader = answer.body?.getReader();
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
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

export const platform: Platform = { isLearning: false, createHttp, createSessionKey, connectBus };
