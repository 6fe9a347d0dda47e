/**
 * The service's end of one sandbox process: starts it, gives it one component, runs calls in it, and ends it.
 *
 * Invariants: it serves one binding in its life; a frame that is malformed, names a call that is not running here, or breaks a
 * limit an honest sandbox keeps ends the process and never the service; when the process is gone every call has an end. The
 * watchdog is here and not in the process: a loop that stalls cannot answer a ping, and what was taken over cannot switch it off.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { ActiveCall, type CallOwner } from "./active-call.ts";
import { encodeFrame, FrameError, FrameReader } from "./frames.ts";
import type { Isolation } from "./isolation.ts";
import type { ComponentFiles } from "./component-files.ts";
import { readSandboxMessage } from "./message-schemas.ts";
import type { SandboxMessage, ServiceMessage } from "./messages.ts";
import { innermostChild, processorTimeMs } from "./processor-time.ts";
import type { ProgramFolder } from "./program-folder.ts";
import { type InvocationRequest, type InvocationResult, type KillRule, killed, type RunnerLog } from "./types.ts";

const pingEveryMs = 100;
/** A loop that does not answer for this long has stalled; while a component is loaded the engine may take longer. */
const stallMs = 250;
const loadStallMs = 10_000;
/** A process that has had less processor time than this since the ping is not stalled but waits for its turn, up to a bound. */
const stallProcessorMs = 150;
const starvedMs = 2_000;
const idleFrameBytes = 64 * 1024;
const maxOutputBytes = 4 * 1024;
const maxWaitingBytes = 256 * 1024 * 1024;

/** Flags of every sandbox process; what each denies is in docs/architecture/sandbox.md. */
export function sandboxFlags(programFolder: string): string[] {
  return [
    "--permission",
    `--allow-fs-read=${programFolder}/*`,
    "--disallow-code-generation-from-strings",
    "--frozen-intrinsics",
    "--disable-proto=delete",
    "--disable-sigusr1",
    "--no-addons",
    "--no-experimental-require-module",
    "--no-deprecation",
    "--disable-warning=ExperimentalWarning",
    // The cap alone makes the engine collect twice as much; with a beginning it does not.
    "--max-old-space-size=1024",
    "--initial-old-space-size=256",
    // Otherwise 64 MB of dead guests' memories start a collection each time; garbage.ts decides when.
    "--external-memory-accounted-in-global-limit",
    // What a dead instance holds survives small collections and is copied by each; so there is room for what ends between two full ones.
    "--min-semi-space-size=64",
    "--max-semi-space-size=64",
    // Threads that help to collect take more of the processor than they save when every processor has its own work.
    "--single-threaded-gc",
    "--expose-gc",
  ];
}

export interface ProcessOwner {
  /** A call is over, or a component was loaded: there may be room. */
  roomChanged(): void;
  /** The process has ended. `lost` are calls that touched nothing outside and may run again; the others have had their end. */
  ended(process: SandboxProcess, unexpected: boolean, lost: readonly LostCall[]): void;
}

export interface LostCall {
  readonly request: InvocationRequest;
  readonly resolve: (result: InvocationResult) => void;
}

interface Running {
  readonly call: ActiveCall;
  readonly resolve: (result: InvocationResult) => void;
  readonly mayRunAgain: boolean;
}

export class SandboxProcess {
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  readonly #owner: ProcessOwner;
  readonly #log: RunnerLog;
  readonly #reader = new FrameReader();
  readonly #running = new Map<string, Running>();
  readonly #ready = Promise.withResolvers<void>();
  #loading: PromiseWithResolvers<void> | undefined;
  #state: "starting" | "blank" | "loading" | "loaded" | "ended" = "starting";
  #watch: NodeJS.Timeout | undefined;
  #pingAt: number | undefined;
  #processorAtPing: number | undefined;
  #innermost: number | undefined;
  #pings = 0;
  #output = "";
  #corked = false;
  /** When the last call ended; for choosing whom to recycle. */
  idleSince = performance.now();

  constructor(options: { program: ProgramFolder; isolation: Isolation; owner: ProcessOwner; log: RunnerLog }) {
    const { program, isolation } = options;
    this.#owner = options.owner;
    this.#log = options.log;
    const command = [...isolation.prefix, process.execPath, ...sandboxFlags(program.folder), program.main];
    const [file = process.execPath, ...args] = command;
    this.#child = spawn(file, args, { ...isolation.user, cwd: program.emptyFolder, env: {}, stdio: ["ignore", "pipe", "pipe", "pipe"] });
    const pipe = this.#child.stdio[3];
    if (!(pipe instanceof Duplex)) throw new TypeError("the process has no pipe");
    this.#pipe = pipe;
    this.#ready.promise.catch(() => {});
    pipe.on("data", (chunk: Uint8Array) => this.#received(chunk));
    pipe.on("error", () => this.end("process", "its pipe broke"));
    this.#child.on("error", () => this.end("process", "it could not be started"));
    this.#child.on("exit", (code, signal) => this.end("process", `it ended with ${signal ?? code ?? "nothing"}`));
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on("data", (chunk: Uint8Array) => this.#drain(chunk));
    this.#beginWatch();
  }

  /** The process's own id, or that of the program that holds its namespaces. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get active(): number {
    return this.#running.size;
  }

  get state(): "starting" | "blank" | "loading" | "loaded" | "ended" {
    return this.#state;
  }

  /** Settles when the process can take a component. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Gives the process its component. @throws {Error} when the engine refuses it or the process ends */
  async load(files: ComponentFiles): Promise<void> {
    await this.#ready.promise;
    const loading = Promise.withResolvers<void>();
    this.#loading = loading;
    this.#state = "loading";
    this.#beginWatch();
    this.#send({ type: "load", ...files });
    await loading.promise;
  }

  /** Starts a call; `resolve` gets its result, or the owner gets it back as lost. */
  run(request: InvocationRequest, mayRunAgain: boolean, resolve: (result: InvocationResult) => void): void {
    const owner: CallOwner = {
      send: (message) => this.#send(message),
      overdue: (call) => this.end("stall", "a guest did not end when it was told to", call),
      over: (call, result) => this.#over(call, result),
    };
    const call = new ActiveCall(request, owner);
    this.#running.set(call.id, { call, resolve, mayRunAgain });
    this.#beginWatch();
    call.start();
  }

  /** Ends the process at once; its calls get their end. */
  end(rule: KillRule, detail: string, culprit?: ActiveCall): void {
    if (this.#state === "ended") return;
    const wanted = rule === "closed";
    this.#state = "ended";
    this.#child.kill("SIGKILL");
    this.#pipe.destroy();
    clearInterval(this.#watch);
    const reason = new Error(`the sandbox process was ended: ${detail}`);
    this.#ready.reject(reason);
    this.#loading?.reject(reason);
    if (!wanted) this.#log.warn({ rule, detail, pid: this.pid, calls: this.#running.size, output: this.#output }, "sandbox process ended");
    this.#owner.ended(this, !wanted, this.#endCalls(rule, detail, culprit));
  }

  /** A sole call is what ended the process; among several nobody knows, so those that reached nothing may run once more. */
  #endCalls(rule: KillRule, detail: string, culprit: ActiveCall | undefined): LostCall[] {
    const lost: LostCall[] = [];
    const sole = this.#running.size === 1 && rule !== "closed";
    for (const { call, resolve, mayRunAgain } of [...this.#running.values()]) {
      if (call === culprit || sole) call.fail(killed(rule, detail));
      else if (mayRunAgain && !call.touchedHost && rule !== "closed" && !call.isEnding) {
        lost.push({ request: call.request, resolve });
        call.abandon();
      } else call.fail(killed(rule, `the process was ended: ${detail}`, "ext.unavailable"));
    }
    this.#running.clear();
    return lost;
  }

  #over(call: ActiveCall, result: InvocationResult): void {
    const running = this.#running.get(call.id);
    if (running === undefined) return;
    this.#running.delete(call.id);
    this.idleSince = performance.now();
    running.resolve(result);
    if (this.#state !== "ended") this.#owner.roomChanged();
  }

  #send(message: ServiceMessage): void {
    if (this.#state === "ended") return;
    if (this.#pipe.writableLength > maxWaitingBytes) return this.end("protocol", "it does not read");
    if (!this.#corked) {
      this.#corked = true;
      this.#pipe.cork();
      queueMicrotask(() => {
        this.#corked = false;
        this.#pipe.uncork();
      });
    }
    this.#pipe.write(encodeFrame(message));
  }

  #received(chunk: Uint8Array): void {
    try {
      for (const payload of this.#reader.push(chunk, this.#maxFrameBytes())) {
        if (this.#state === "ended") return;
        const fault = this.#take(readSandboxMessage(payload), payload.length);
        if (fault !== undefined) return this.end("protocol", fault);
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.end("protocol", error.message);
    }
  }

  #maxFrameBytes(): number {
    let most = 0;
    for (const { call } of this.#running.values()) {
      const { liftedBytes, resultBytes } = call.request.limits;
      most = Math.max(most, liftedBytes, resultBytes);
    }
    return idleFrameBytes + 2 * most;
  }

  /** @returns what is wrong with the message, if anything */
  #take(message: SandboxMessage, bytes: number): string | undefined {
    switch (message.type) {
      case "ready":
        if (this.#state !== "starting") return "it began twice";
        this.#state = "blank";
        this.#ready.resolve();
        return undefined;
      case "loaded":
      case "refused":
        if (this.#state !== "loading" || this.#loading === undefined) return "it loaded what it was not given";
        if (message.type === "refused") {
          this.#loading.reject(new Error(message.detail));
          return undefined;
        }
        this.#state = "loaded";
        this.#loading.resolve();
        return undefined;
      case "pong":
        if (message.count !== this.#pings) return "an answer to no ping";
        this.#pingAt = undefined;
        return undefined;
      default:
        return this.#takeOfCall(message, bytes);
    }
  }

  #takeOfCall(message: Extract<SandboxMessage, { id: string }>, bytes: number): string | undefined {
    const running = this.#running.get(message.id);
    if (running === undefined) return "it speaks of a call that is not running here";
    if (message.type === "host") return running.call.host(message, bytes);
    running.call.ended(message, bytes);
    return undefined;
  }

  /** Pings while there is something to wait for. */
  #beginWatch(): void {
    if (this.#watch !== undefined || this.#state === "ended") return;
    this.#watch = setInterval(() => this.#look(), pingEveryMs);
    this.#watch.unref();
  }

  #look(): void {
    if (this.#running.size === 0 && this.#state !== "loading" && this.#state !== "starting") {
      if (this.#pingAt !== undefined) return this.#judge();
      clearInterval(this.#watch);
      this.#watch = undefined;
      return;
    }
    if (this.#pingAt !== undefined) return this.#judge();
    this.#pingAt = performance.now();
    this.#processorAtPing = this.#processorTime();
    this.#send({ type: "ping", count: ++this.#pings });
  }

  /** The answer may lie unread while this process itself was slow; so it is read before the verdict. */
  #judge(): void {
    const pingAt = this.#pingAt;
    if (pingAt === undefined) return;
    const limit = this.#state === "loaded" ? stallMs : loadStallMs;
    if (performance.now() - pingAt < limit) return;
    setImmediate(() => {
      setImmediate(() => {
        if (this.#pingAt !== pingAt || this.#isStarved(pingAt)) return;
        this.end("stall", `its event loop stood still for ${limit} ms`);
      });
    });
  }

  #processorTime(): number | undefined {
    if (this.pid === undefined) return undefined;
    this.#innermost ??= innermostChild(this.pid);
    return processorTimeMs(this.#innermost);
  }

  #isStarved(pingAt: number): boolean {
    const now = this.#processorTime();
    if (now === undefined || this.#processorAtPing === undefined || performance.now() - pingAt > starvedMs) return false;
    return now - this.#processorAtPing < stallProcessorMs;
  }

  #drain(chunk: Uint8Array): void {
    if (this.#output.length < maxOutputBytes) this.#output += Buffer.from(chunk).toString("latin1").slice(0, maxOutputBytes);
  }
}
