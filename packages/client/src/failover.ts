/**
 * One call over the addresses of an instance: which node is asked, when it is given up, and when the next one may be asked the same.
 *
 * Invariant: what may have arrived is asked again only where that does no harm (it reads, or carries an Idempotency-Key that all nodes share); a node is
 * given up when it refuses the connection, answers 503, or gives neither an answer nor a sign of life. A slow node that serves is waited for: to
 * ask another one the same would only double its work. As long as one says that it serves nobody just now, all are asked again, with patience.
 */
import { AppError, hasCode } from "@althing/contract";
import type { Addresses } from "./addresses.ts";
import { pause } from "./pause.ts";
import { HttpFailure, HttpOversize, type Http, type HttpAnswer } from "./platform-types.ts";

export interface FailoverTimes {
  /** So long a node may say nothing before it is asked whether it lives. */
  readonly quietMs: number;
  /** So long its health page may take. */
  readonly signMs: number;
  /** While nodes answer 503 (no quorum, a leader being elected), all are asked again for so long; longer than an election takes. */
  readonly patienceMs: number;
}

export interface FailoverDeps {
  readonly addresses: Addresses;
  readonly http: Http;
  readonly onReach?: ((url: string, reached: boolean) => void) | undefined;
  readonly times?: FailoverTimes | undefined;
}

/** A call that may be attempted at any address. */
export interface Attempts {
  /** May it be repeated although it may have arrived? */
  readonly isRepeatable: boolean;
  readonly signal: AbortSignal | undefined;
  readonly isWanted: (answer: HttpAnswer) => boolean;
  readonly problemOf: (answer: HttpAnswer) => AppError;
  /** @throws {HttpFailure} no answer came */
  readonly attempt: (url: string, signal: AbortSignal | undefined) => Promise<HttpAnswer>;
}

/** @throws what the instance refuses; {client.unreachable} {client.bad_answer} */
export type OverAddresses = (call: Attempts) => Promise<HttpAnswer>;

const defaultTimes: FailoverTimes = { quietMs: 500, signMs: 700, patienceMs: 15_000 };
const watchMaxMs = 4_000;
const roundMaxMs = 500;
/** What our own first attempt came to is known soon, as a rule, and where its node died nodes agree on that within a second: these pauses at first and at most. */
const oursMs = 100;
const oursMaxMs = 250;
/** An address that answered just now need not be asked whether it lives. */
const freshMs = 1_000;

/** What its health page says of a node: it serves, it says that it does not (no quorum, a leader being elected), or nothing. */
type Sign = "serves" | "shut" | "silent";

/** A node gave no answer to a call and says itself that it serves nobody just now. */
class NodeShut extends HttpFailure {}

/** What one address came to: an answer to give back, or the reason to go on. */
type Outcome =
  | { readonly answer: HttpAnswer }
  | { readonly error: AppError; readonly isPassing: boolean; readonly mayBeDone: boolean; readonly isOurs?: boolean };

export function createFailover(deps: FailoverDeps): OverAddresses {
  const { addresses } = deps;
  const times = deps.times ?? defaultTimes;
  const probes = new Map<string, Promise<Sign>>();
  const answeredMs = new Map<string, number>();

  /** Calls that wait for one node share one question. */
  function signOf(url: string): Promise<Sign> {
    const running = probes.get(url);
    if (running !== undefined) return running;
    const signal = AbortSignal.timeout(times.signMs);
    const probe = deps.http.send({ method: "GET", url: `${url}/healthz`, headers: {}, maxBytes: 64 * 1024, signal, isApart: true }).then(
      ({ status }): Sign => (status === 200 ? "serves" : "shut"),
      (): Sign => "silent",
    );
    probes.set(url, probe);
    void probe.finally(() => probes.delete(url));
    return probe;
  }

  /** Asks a silent node for a sign of life, again and again, until the attempt is over. */
  async function watch(url: string, over: AbortSignal, giveUp: (sign: Sign) => void): Promise<void> {
    for (let waitMs = times.quietMs; ; waitMs = Math.min(waitMs * 2, watchMaxMs)) {
      await pause(waitMs, over);
      if (over.aborted) return;
      const sign = await signOf(url);
      if (sign === "serves") continue;
      if (!over.aborted) giveUp(sign);
      return;
    }
  }

  /** @throws {HttpFailure} */
  async function attempt(call: Attempts, url: string): Promise<HttpAnswer> {
    if (addresses.count === 1 || !call.isRepeatable) return call.attempt(url, call.signal);
    const left = new AbortController();
    const over = new AbortController();
    void watch(url, over.signal, (sign) => left.abort(sign));
    try {
      return await call.attempt(url, call.signal === undefined ? left.signal : AbortSignal.any([call.signal, left.signal]));
    } catch (cause) {
      if (!left.signal.aborted || call.signal?.aborted === true) throw cause;
      if (left.signal.reason === "shut") throw new NodeShut("no answer, and it serves nobody at the moment", true, cause);
      throw new HttpFailure("neither an answer nor a sign of life", true, cause);
    } finally {
      over.abort();
    }
  }

  async function tryOne(call: Attempts, url: string, mayBeDone: boolean): Promise<Outcome> {
    try {
      const answer = await attempt(call, url);
      answeredMs.set(url, performance.now());
      deps.onReach?.(url, true);
      if (call.isWanted(answer)) {
        addresses.prefer(url);
        return { answer };
      }
      const error = call.problemOf(answer);
      // Our own first attempt, at a node that was given up.
      const isOurs = mayBeDone && hasCode(error, "request.in_progress");
      if (answer.status !== 503 && !isOurs) {
        addresses.prefer(url);
        throw error;
      }
      addresses.leave(url);
      return { error, isPassing: true, mayBeDone: false, isOurs };
    } catch (error) {
      if (error instanceof HttpOversize) throw new AppError("client.bad_answer", { detail: error.message }, { cause: error });
      if (!(error instanceof HttpFailure)) throw error;
      deps.onReach?.(url, false);
      addresses.leave(url);
      const unreachable = new AppError("client.unreachable", { detail: `${url}: ${error.message}` }, { cause: error });
      if (error.sent && !call.isRepeatable) throw unreachable;
      return { error: unreachable, isPassing: error instanceof NodeShut, mayBeDone: error.sent };
    }
  }

  /** What must not be repeated goes to a node that lives, as far as that can be known before. */
  async function orderFor(call: Attempts): Promise<readonly string[]> {
    const order = addresses.order();
    if (call.isRepeatable || order.length === 1) return order;
    for (const url of order) {
      const isFresh = performance.now() - (answeredMs.get(url) ?? Number.NEGATIVE_INFINITY) < freshMs;
      if (isFresh || (await signOf(url)) === "serves") return [url, ...order.filter((other) => other !== url)];
    }
    return order;
  }

  return async (call) => {
    const deadlineMs = performance.now() + times.patienceMs;
    let mayBeDone = false;
    let oursWaitMs = oursMs;
    for (;;) {
      let last: AppError | undefined;
      /** A node's own word says more than another's silence. */
      let refusal: AppError | undefined;
      let isOursRunning = false;
      for (const url of await orderFor(call)) {
        const outcome = await tryOne(call, url, mayBeDone);
        if ("answer" in outcome) return outcome.answer;
        last = outcome.error;
        if (outcome.isPassing) refusal = outcome.error;
        mayBeDone ||= outcome.mayBeDone;
        isOursRunning ||= outcome.isOurs === true;
      }
      const failure = refusal ?? last ?? new AppError("client.unreachable", { detail: "no address was given" });
      if (addresses.count === 1 || refusal === undefined || performance.now() > deadlineMs) throw failure;
      const waitMs = isOursRunning ? oursWaitMs : (failure.retryAfterSeconds ?? 0.25) * 1_000;
      if (isOursRunning) oursWaitMs = Math.min(2 * oursWaitMs, oursMaxMs);
      await pause(Math.min(waitMs, roundMaxMs), call.signal);
      call.signal?.throwIfAborted();
    }
  };
}
