/**
 * One HTTP request and its whole answer, within one deadline.
 *
 * Invariant: it settles once: with status and body complete, or with what kept them away; a deadline or a signal ends the request wherever it is, and
 * one that still waits for a connection is then never sent. Straight on the dispatcher, because streams and signals made for each
 * call cost as much as the rest of the way to the runner.
 */
import type { Dispatcher } from "undici";

export interface WholeRequest {
  readonly origin: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Of the answer's body, by its status. */
  readonly maxBytes: (status: number) => number;
}

export interface WholeAnswer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

/** Why there is no whole answer, where it was not the network's fault. */
export class NoWholeAnswer extends Error {
  readonly why: "late" | "aborted" | "too large";
  constructor(why: NoWholeAnswer["why"]) {
    super(`the request was ended: ${why}`);
    this.why = why;
  }
}

/** @throws {NoWholeAnswer} or the network's error */
export function wholeAnswer(dispatcher: Dispatcher, request: WholeRequest): Promise<WholeAnswer> {
  const { origin, method, path, headers, body, timeoutMs, signal, maxBytes } = request;
  return new Promise((resolve, reject) => {
    let isOver = false;
    let controller: Dispatcher.DispatchController | undefined;
    let status = 0;
    let bytes = 0;
    const parts: Uint8Array[] = [];
    const settle = (): boolean => {
      if (isOver) return false;
      isOver = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      return true;
    };
    const end = (why: NoWholeAnswer["why"]) => {
      const error = new NoWholeAnswer(why);
      if (!settle()) return;
      reject(error);
      controller?.abort(error);
    };
    const timer = setTimeout(() => end("late"), timeoutMs);
    const onAbort = () => end("aborted");
    if (signal?.aborted === true) return onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    dispatcher.dispatch(
      { origin, method, path, headers, ...(body === undefined ? {} : { body }) },
      {
        onRequestStart(started) {
          controller = started;
          if (isOver) started.abort(new NoWholeAnswer("aborted"));
        },
        onResponseStart(_controller, code) {
          status = code;
        },
        onResponseData(_controller, chunk) {
          bytes += chunk.length;
          if (bytes > maxBytes(status)) end("too large");
          else parts.push(chunk);
        },
        onResponseEnd() {
          if (settle()) resolve({ status, bytes: parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, bytes) });
        },
        onResponseError(_controller, error) {
          if (settle()) reject(error);
        },
      },
    );
  });
}
