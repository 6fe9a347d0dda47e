/**
 * One invocation as the service sees it, from the frame that starts it to its one result.
 *
 * The service's own account of the guest: host calls, bytes and the deadline are counted here again, because the process may have
 * been taken over and then counts as it likes. Invariant: `settle` takes effect once; from then on the host functions' signal is
 * aborted, no timer is left, and whatever the process still says about this call is a late frame to be passed over.
 */
import { randomBytes } from "node:crypto";
import type { SandboxMessage, ServiceMessage } from "./messages.ts";
import { type InvocationEnd, type InvocationRequest, type InvocationResult, type Killed, type KillRule, killed } from "./types.ts";

/** The time a sandbox has to end a guest by itself before the process is ended, in ms. */
export const graceMs = 40;

/** What a log record costs beyond its text, and every host call beyond its arguments. */
const recordBytes = 256;
const callBytes = 1024;

export interface CallOwner {
  send(message: ServiceMessage): void;
  /** The guest did not end in time. */
  overdue(call: ActiveCall): void;
  /** The call is over. */
  over(call: ActiveCall, result: InvocationResult): void;
}

type EndMessage = Extract<SandboxMessage, { type: "ok" | "error" | "killed" }>;
type HostMessage = Extract<SandboxMessage, { type: "host" }>;

export class ActiveCall {
  readonly id = randomBytes(16).toString("base64url");
  readonly request: InvocationRequest;
  readonly #owner: CallOwner;
  /** Of the host functions; absent until the guest calls one. */
  #abort: AbortController | undefined;
  readonly #startedAt = performance.now();
  readonly #answered = new Set<number>();
  readonly #onAbort = (): void => this.kill("cancelled", "the caller no longer waits");
  #deadline: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;
  #verdict: Killed | undefined;
  #over = false;
  #hostCalls = 0;
  #received = 0;
  #logged = 0;

  constructor(request: InvocationRequest, owner: CallOwner) {
    this.request = request;
    this.#owner = owner;
  }

  /** Whether the guest has reached the host, so that a second run could do something twice. */
  get touchedHost(): boolean {
    return this.#hostCalls > 0;
  }

  /** Whether a verdict was given already. */
  get isEnding(): boolean {
    return this.#verdict !== undefined;
  }

  start(): void {
    const { exportName, args, limits, signal } = this.request;
    this.#deadline = setTimeout(() => this.kill("time", `no answer within ${limits.timeMs} ms`), limits.timeMs);
    signal?.addEventListener("abort", this.#onAbort);
    this.#owner.send({ type: "call", id: this.id, exportName, args, limits });
  }

  /** Ends the guest; if it is still there after the grace, its process. */
  kill(rule: KillRule, detail: string): void {
    if (this.#over || this.#verdict !== undefined) return;
    this.#verdict = killed(rule, detail);
    this.#abort?.abort();
    this.#owner.send({ type: "kill", id: this.id });
    this.#grace = setTimeout(() => this.#owner.overdue(this), graceMs);
  }

  /** @returns a fault of the process, when the frame is one that an honest sandbox never sends */
  host(message: HostMessage, frameBytes: number): string | undefined {
    const { limits } = this.request;
    this.#received += frameBytes;
    const allowance = limits.liftedBytes + 2 * limits.logBytes + callBytes * (limits.hostCalls + 1);
    if (this.#received > allowance) return `more than ${allowance} bytes for one call`;
    const isLog = message.op === "log.write";
    if (isLog) {
      this.#logged += recordBytes;
      for (const arg of message.args) if (typeof arg === "string") this.#logged += arg.length;
      if (this.#logged > limits.logBytes) return "a log above its limit";
    } else if (++this.#hostCalls > limits.hostCalls) return "host calls above their limit";
    if (message.call !== 0) {
      if (this.#answered.has(message.call)) return "a host call sent twice";
      this.#answered.add(message.call);
    }
    if (this.#over || this.#verdict !== undefined) return undefined;
    void this.#answer(message);
    return undefined;
  }

  /** The sandbox's word on the end. */
  ended(message: EndMessage, frameBytes: number): void {
    const { fuel, resultBytes } = this.request.limits;
    let end: InvocationEnd;
    if (message.type === "killed") end = killed(message.rule, message.detail);
    else if (frameBytes > 2 * resultBytes + 65_536) end = killed("result", `a result of more than ${resultBytes} bytes`);
    else end = message.type === "ok" ? { status: "ok", value: message.value } : { status: "error", error: message.error };
    this.settle(this.#verdict ?? end, Math.min(message.fuel, fuel), message.peakMemoryBytes);
  }

  /** Ends the call here, whatever the process does; a verdict given before stands. */
  fail(end: Killed): void {
    this.settle(this.#verdict ?? end, 0, 0);
  }

  /** Stops without a result, because the call will run again elsewhere. */
  abandon(): void {
    this.#over = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#grace);
    this.request.signal?.removeEventListener("abort", this.#onAbort);
    this.#abort?.abort();
  }

  settle(end: InvocationEnd, fuel: number, peakMemoryBytes: number): void {
    if (this.#over) return;
    this.abandon();
    const durationMs = performance.now() - this.#startedAt;
    this.#owner.over(this, { end, fuel, peakMemoryBytes, durationMs, hostCalls: this.#hostCalls });
  }

  async #answer({ op, args, call }: HostMessage): Promise<void> {
    this.#abort ??= new AbortController();
    try {
      const answer = await this.request.host.call(op, args, this.#abort.signal);
      if (this.#over || call === 0) return;
      if ("ok" in answer) this.#owner.send({ type: "answer", id: this.id, call, ok: answer.ok });
      else this.#owner.send({ type: "answer", id: this.id, call, error: answer.error });
    } catch {
      // A host function that fails has no error case to give; the guest cannot go on without an answer.
      this.kill("host", `the host function ${op} failed`);
    }
  }
}
