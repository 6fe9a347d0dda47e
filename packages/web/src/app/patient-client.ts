/**
 * The client of this page, which does not wait for ever: browsers themselves never give an answer up that does not come.
 *
 * Invariant: silence ends a call, slowness does not: whatever comes of an answer begins the wait anew. What changes something is given longer, because it
 * may work that long, and because nobody knows then whether it was done. An answer that did not come is not asked for again by itself.
 */
import { AppError, isAppError, routes, type Route } from "@althing/contract";
import type { AlthingClient, CallOptions } from "@althing/client";

const readSilenceMs = 20_000;
const changeSilenceMs = 90_000;

export function createPatientClient(client: AlthingClient): AlthingClient {
  return {
    ...client,
    get url() {
      return client.url;
    },
    call: (name, input, options = {}) => {
      const route: Route = routes[name];
      const isRead = route.method === "GET";
      return untilSilent(isRead ? readSilenceMs : changeSilenceMs, options.signal, (signal, wait) =>
        client.call(name, input, { ...options, signal, ...progressOf(options, isRead ? wait : undefined) }),
      );
    },
    me: () => orSilence(client.me()),
  };
}

/** For what takes no signal: whoever waits goes on, and the answer is nobody's. @throws {client.unreachable} none came in time */
export function orSilence<T>(answer: Promise<T>): Promise<T> {
  return untilSilent(readSilenceMs, undefined, (silence) =>
    Promise.race([answer, new Promise<never>((_, reject) => silence.addEventListener("abort", reject))]),
  );
}

/** Progress of what goes out would change how it goes out, so a change is only told of it where somebody asked. */
function progressOf({ onProgress }: CallOptions, wait: (() => void) | undefined): Pick<CallOptions, "onProgress"> {
  if (wait === undefined) return onProgress === undefined ? {} : { onProgress };
  return {
    onProgress: (bytes) => {
      wait();
      onProgress?.(bytes);
    },
  };
}

/** @param wait begins the silence anew */
async function untilSilent<T>(
  silenceMs: number,
  signal: AbortSignal | undefined,
  ask: (signal: AbortSignal, wait: () => void) => Promise<T>,
): Promise<T> {
  const silence = new AbortController();
  const end = () => silence.abort();
  let timer = setTimeout(end, silenceMs);
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(end, silenceMs);
  };
  try {
    return await ask(signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]), wait);
  } catch (error) {
    if (!silence.signal.aborted || signal?.aborted === true) throw error;
    const silentSeconds = silenceMs / 1_000;
    throw new AppError("client.unreachable", { detail: `no answer came within ${silentSeconds} seconds`, silentSeconds }, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Was it given up because nothing came? */
export function isSilence(error: unknown): boolean {
  return isAppError(error) && error.params["silentSeconds"] !== undefined;
}
