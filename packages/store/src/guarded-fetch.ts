/**
 * A `fetch` that a hostile or hung server cannot hold for ever or fill the memory with.
 *
 * Invariant: a request ends when nothing has moved in either direction for `timeoutMs`, after `requestMaxMs` whatever moved, and when the owner
 * closes; of any answer but a successful GET at most 8 KiB are read. Redirects are not followed: they would carry bytes and signatures
 * to an address nobody configured. Bodies come as they are stored, so that their length is the one announced.
 */
import { streamOf } from "./byte-stream.ts";

export interface GuardedFetchOptions {
  readonly fetch: typeof globalThis.fetch;
  /** Without any progress. */
  readonly timeoutMs: number;
  /** Of one request, from its first byte to the last of the answer. */
  readonly requestMaxMs: number;
  /** Ends all requests. */
  readonly closing: AbortSignal;
}

const shortAnswerMaxBytes = 8 * 1024;
const bodiless: readonly number[] = [101, 204, 205, 304];

interface Guard {
  readonly signal: AbortSignal;
  moved(): void;
  end(): void;
}

function startGuard({ timeoutMs, requestMaxMs, closing }: GuardedFetchOptions): Guard {
  const controller = new AbortController();
  const stop = (why: string) => controller.abort(new Error(why));
  const idle = setTimeout(() => stop(`nothing came or went for ${timeoutMs} ms`), timeoutMs);
  const whole = setTimeout(() => stop(`not done after ${requestMaxMs} ms`), requestMaxMs);
  const close = () => stop("the store was closed");
  if (closing.aborted) close();
  closing.addEventListener("abort", close, { once: true });
  return {
    signal: controller.signal,
    moved: () => idle.refresh(),
    end() {
      clearTimeout(idle);
      clearTimeout(whole);
      closing.removeEventListener("abort", close);
    },
  };
}

async function* watched(body: ReadableStream<Uint8Array>, moved: () => void, end: () => void): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of body) {
      moved();
      yield part;
    }
  } finally {
    end();
  }
}

/** Reads what is allowed and lets the rest go. */
async function shortened(response: Response): Promise<Response> {
  const { status, statusText, headers, body } = response;
  if (body === null || bodiless.includes(status)) {
    await body?.cancel();
    return new Response(null, { status, statusText, headers });
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    parts.push(part.subarray(0, shortAnswerMaxBytes - size));
    size += part.length;
    if (size >= shortAnswerMaxBytes) break;
  }
  return new Response(Buffer.concat(parts), { status, statusText, headers });
}

/** For library code that takes a `fetch`. Header values must be plain objects, bodies streams or short. */
export function createGuardedFetch(options: GuardedFetchOptions): typeof globalThis.fetch {
  return async (input, init = {}) => {
    const guard = startGuard(options);
    const headers = new Headers(init.headers);
    headers.set("accept-encoding", "identity");
    const body = init.body instanceof ReadableStream ? streamOf(watched(init.body, guard.moved, () => undefined)) : init.body;
    const request: RequestInit & { duplex: "half" } = {
      ...init,
      ...(body === undefined ? {} : { body }),
      headers,
      redirect: "manual",
      signal: guard.signal,
      duplex: "half",
    };
    try {
      const response = await options.fetch(input, request);
      guard.moved();
      if (init.method === "GET" && response.ok && response.body !== null) {
        const { status, statusText } = response;
        const stream = streamOf(watched(response.body, guard.moved, guard.end));
        return new Response(stream, { status, statusText, headers: response.headers });
      }
      const short = await shortened(response);
      guard.end();
      return short;
    } catch (error) {
      guard.end();
      throw guard.signal.aborted ? guard.signal.reason : error;
    }
  };
}
