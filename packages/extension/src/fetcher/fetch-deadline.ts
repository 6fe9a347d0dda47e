/**
 * The time limits of one fetch: one in all, one for each phase, and the caller's own signal.
 *
 * Invariant: whatever ends the fetch, work that ignores its signal is left behind, not waited for; the reason is always an error of the
 * catalogue that names the phase. Timers are the runtime's; how long things took is read from the caller's clock.
 */
import { AppError } from "@althing/contract";
import type { FetchUse } from "./fetch-policy.ts";

export type FetchPhase = "dns" | "connect" | "headers";

export interface FetchDeadline {
  /** Aborts when the whole is over time, or the caller or the fetcher ends it. */
  readonly signal: AbortSignal;
  /** Who is waited for, for the text of errors; changes with redirects. */
  host: string;
  /**
   * Runs one phase under its own limit.
   *
   * @throws {fetch.timeout} with the phase as rule
   */
  phase<T>(phase: FetchPhase, limitMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Ends timers and, if it still runs, the fetch; the first ending is the one that counts. */
  end(detail?: string): void;
}

export interface FetchDeadlineOptions {
  readonly use: FetchUse;
  readonly host: string;
  readonly totalTimeoutMs: number;
  /** The caller's own end. */
  readonly callerSignal: AbortSignal | undefined;
}

/** Settles as `work` does, or rejects with the signal's reason, whichever comes first. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    promise.catch(() => undefined);
    work.catch(() => undefined);
  }
}

export function startFetchDeadline({ use, host, totalTimeoutMs, callerSignal }: FetchDeadlineOptions): FetchDeadline {
  const total = new AbortController();
  const timeout = (rule: string, limitMs: number) =>
    new AppError("fetch.timeout", { host: deadline.host, limitMs, rule, use, observed: limitMs });
  const aborted = (detail: string, cause?: unknown) =>
    new AppError("fetch.aborted", { host: deadline.host, detail, rule: "aborted", use }, { cause });
  const onCallerEnd = () => total.abort(aborted("the caller ended it", callerSignal?.reason));
  const timer = setTimeout(() => total.abort(timeout("total", totalTimeoutMs)), totalTimeoutMs);

  const deadline: FetchDeadline = {
    signal: total.signal,
    host,
    async phase(phase, limitMs, work) {
      total.signal.throwIfAborted();
      const own = new AbortController();
      const ownTimer = setTimeout(() => own.abort(timeout(phase, limitMs)), limitMs);
      const signal = AbortSignal.any([total.signal, own.signal]);
      try {
        return await untilAborted(work(signal), signal);
      } finally {
        clearTimeout(ownTimer);
      }
    },
    end(detail = "it was over") {
      clearTimeout(timer);
      callerSignal?.removeEventListener("abort", onCallerEnd);
      total.abort(aborted(detail));
    },
  };
  if (callerSignal?.aborted) onCallerEnd();
  else callerSignal?.addEventListener("abort", onCallerEnd, { once: true });
  return deadline;
}
