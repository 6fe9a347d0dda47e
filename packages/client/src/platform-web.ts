/**
 * The browser side of `#platform`: fetch, NATS over the hub's own WebSocket.
 *
 * Invariant: only the origins the caller named are contacted; no cookies, no cache, no redirects. Schemas are interpreted, never compiled, so
 * that a strict Content-Security-Policy without `unsafe-eval` holds without a report.
 */
import { AppError, interpretSchemas } from "@althing/contract";
import { nkeyAuthenticator, wsconnect } from "@nats-io/nats-core";
import { createUser } from "@nats-io/nkeys";
import { busSocketUrl } from "./target.ts";
import type { ClientState } from "./state.ts";
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
  const body = isStream ? new Uint8Array() : await readAtMost(answer, input.maxBytes);
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
  return { send: (input) => ask(input, undefined), open: ask, close: async () => undefined };
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
async function readAtMost(answer: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
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
    }
  } catch (cause) {
    if (cause instanceof HttpOversize) throw cause;
    throw new HttpFailure(cause instanceof Error ? cause.message : String(cause), true, cause);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function createSessionKey(): SessionKey {
  const pair = createUser();
  const nkey = pair.getPublicKey();
  const stock = nkeyAuthenticator(pair.getSeed());
  return {
    nkey,
    authenticator: (nonce) => {
      const answer = stock(nonce);
      return { nkey, sig: answer !== undefined && "sig" in answer ? String(answer.sig) : "" };
    },
  };
}

async function connectBus(target: BusTarget): Promise<BusConnectionResult> {
  const url = busSocketUrl(target.apiUrl);
  const connection = await wsconnect({
    servers: url,
    reconnect: false,
    ignoreClusterUpdates: true,
    inboxPrefix: target.inboxPrefix,
    authenticator: target.key.authenticator,
    timeout: target.timeoutMs,
    pingInterval: 10_000,
    maxPingOut: 2,
    noAsyncTraces: true,
  });
  return { connection, url };
}

export const platform: Platform = { createHttp, createSessionKey, connectBus };
