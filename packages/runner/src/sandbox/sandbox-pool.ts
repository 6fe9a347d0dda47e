/**
 * The pool: which process runs which call.
 *
 * A process serves one binding (community, install, component) in its life, so what an extension takes over can speak for no other.
 * Bindings are served in turn; none may hold more than half of the processes, or a second one while another has none. A process that
 * is idle is ended when another binding needs its place, or after a while; a blank one stands ready to take its place. A binding whose
 * processes crash waits longer each time, and nobody else does.
 */
import { availableParallelism } from "node:os";
import { type ComponentFiles, readComponentFiles } from "./component-files.ts";
import { type Isolation, sandboxIsolation } from "./isolation.ts";
import { layOutProgram, type ProgramFolder } from "./program-folder.ts";
import { type LostCall, SandboxProcess } from "./sandbox-process.ts";
import { type InvocationRequest, type InvocationResult, type Killed, killed, type RunnerLog } from "./types.ts";
import type { GuestWorlds } from "../preparation/index.ts";

export interface SandboxPoolOptions {
  readonly world: GuestWorlds;
  /** Processes bound to a component; spares come on top. */
  readonly maxProcesses: number;
  /** Blank processes kept ready. */
  readonly spareProcesses: number;
  readonly maxConcurrentPerProcess: number;
  /** Calls that may wait, of all bindings together; one binding may hold half. */
  readonly queueLimit: number;
  /** Units of fuel a guest runs before another one gets its turn. */
  readonly slice: number;
  readonly log: RunnerLog;
  /** One binding gets no more processes than this; those of the machine when absent. */
  readonly processors?: number;
  /** How long a process without calls keeps its component, in ms; 60,000 when absent. */
  readonly idleMs?: number;
  /** How long a call may wait for a process, in ms; 10,000 when absent. */
  readonly queueTimeoutMs?: number;
}

export interface SandboxPoolStats {
  /** Living processes, spares included. */
  readonly processes: number;
  /** Loaded processes without calls. */
  readonly idle: number;
  readonly busy: number;
  readonly queued: number;
  /** Calls that are running. */
  readonly running: number;
  /** Processes that ended otherwise than by the pool's wish, since its start. */
  readonly restarts: number;
}

export interface SandboxPool {
  /** One call with a fresh instance. Never rejects for what a guest does. */
  invoke(request: InvocationRequest): Promise<InvocationResult>;
  readonly stats: () => SandboxPoolStats;
  /** Waits for running calls up to `drainMs`, then ends all processes. Calls that wait, and new ones, end `ext.unavailable`. */
  close(drainMs: number): Promise<void>;
}

const loadTimeoutMs = 20_000;
const firstBackOffMs = 100;
const longestBackOffMs = 10_000;

interface Waiting {
  readonly request: InvocationRequest;
  readonly resolve: (result: InvocationResult) => void;
  readonly mayRunAgain: boolean;
  /** Stops the wait's timer and listener. */
  readonly leave: () => void;
}

interface Platform {
  readonly program: ProgramFolder;
  readonly isolation: Isolation;
}

interface Binding {
  readonly name: string;
  readonly waiting: Waiting[];
  readonly processes: Set<SandboxProcess>;
  failures: number;
  /** No process is opened before. */
  notBefore: number;
}

const unstarted = (end: Killed): InvocationResult => ({ end, fuel: 0, peakMemoryBytes: 0, durationMs: 0, hostCalls: 0 });

class Pool implements SandboxPool {
  readonly #options: SandboxPoolOptions;
  readonly #bindings = new Map<string, Binding>();
  readonly #owners = new Map<SandboxProcess, Binding | undefined>();
  readonly #opening: Promise<void>;
  #platform: Platform | undefined;
  readonly #idleTimer: NodeJS.Timeout;
  #closing = false;
  #queued = 0;
  #restarts = 0;
  #spareFailures = 0;
  #drained: (() => void) | undefined;

  constructor(options: SandboxPoolOptions) {
    this.#options = options;
    this.#opening = this.#openPlatform();
    const idleMs = options.idleMs ?? 60_000;
    this.#idleTimer = setInterval(() => this.#endIdle(idleMs), Math.max(10, idleMs / 4));
    this.#idleTimer.unref();
  }

  async #openPlatform(): Promise<void> {
    try {
      const [program, isolation] = await Promise.all([layOutProgram(), sandboxIsolation()]);
      this.#platform = { program, isolation };
      this.#options.log.info({ isolation: isolation.kind, detail: isolation.detail }, "sandbox pool opened");
      this.#fillSpares();
      this.#pump();
    } catch (error) {
      this.#options.log.error({ error }, "the program of the sandboxes cannot be laid out");
      this.#closing = true;
      for (const binding of this.#bindings.values()) this.#refuseWaiting(binding, killed("closed", "no sandbox process can be started"));
    }
  }

  invoke(request: InvocationRequest): Promise<InvocationResult> {
    return new Promise((resolve) => {
      if (this.#closing) return resolve(unstarted(killed("closed", "the runner stops")));
      if (request.signal?.aborted === true) return resolve(unstarted(killed("cancelled", "the caller no longer waits")));
      const binding = this.#bindingOf(request.binding);
      const room = binding.waiting.length === 0 ? this.#roomIn(binding) : undefined;
      if (room !== undefined) return this.#start(binding, room, request, true, resolve);
      const { queueLimit } = this.#options;
      if (this.#queued >= queueLimit || binding.waiting.length >= Math.max(1, queueLimit / 2)) {
        // With room in a process nothing waits, so a full queue never refuses what could run.
        if (this.#roomIn(binding) === undefined) return resolve(unstarted(killed("queue", "too many calls are waiting")));
      }
      this.#enqueue(binding, request, resolve, true);
      this.#pump();
    });
  }

  readonly stats = (): SandboxPoolStats => {
    const bound = [...this.#owners.keys()].filter((process) => process.state === "loaded");
    const running = bound.reduce((sum, process) => sum + process.active, 0);
    const busy = bound.filter((process) => process.active > 0).length;
    return { processes: this.#owners.size, idle: bound.length - busy, busy, queued: this.#queued, running, restarts: this.#restarts };
  };

  async close(drainMs: number): Promise<void> {
    this.#closing = true;
    clearInterval(this.#idleTimer);
    for (const binding of this.#bindings.values()) this.#refuseWaiting(binding, killed("closed", "the runner stops"));
    if (this.stats().running > 0 && drainMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, drainMs);
        this.#drained = (): void => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const process of [...this.#owners.keys()]) process.end("closed", "the runner stops");
    await this.#opening;
    await this.#platform?.program.remove();
  }

  #bindingOf(name: string): Binding {
    let binding = this.#bindings.get(name);
    if (binding === undefined) {
      binding = { name, waiting: [], processes: new Set(), failures: 0, notBefore: 0 };
      this.#bindings.set(name, binding);
    }
    return binding;
  }

  #enqueue(binding: Binding, request: InvocationRequest, resolve: Waiting["resolve"], mayRunAgain: boolean): void {
    const giveUp = (end: Killed): void => {
      const at = binding.waiting.indexOf(waiting);
      if (at < 0) return;
      binding.waiting.splice(at, 1);
      this.#queued--;
      waiting.leave();
      resolve(unstarted(end));
    };
    const onAbort = (): void => giveUp(killed("cancelled", "the caller no longer waits"));
    const timer = setTimeout(() => giveUp(killed("queue", "no process became free in time")), this.#options.queueTimeoutMs ?? 10_000);
    const leave = (): void => {
      clearTimeout(timer);
      request.signal?.removeEventListener("abort", onAbort);
    };
    const waiting: Waiting = { request, resolve, mayRunAgain, leave };
    request.signal?.addEventListener("abort", onAbort);
    if (mayRunAgain) binding.waiting.push(waiting);
    else binding.waiting.unshift(waiting);
    this.#queued++;
  }

  /** Starts whatever can start: one call of each binding in turn, until none finds room. */
  #pump(): void {
    for (let progress = true; progress && !this.#closing;) {
      progress = false;
      for (const binding of [...this.#bindings.values()]) {
        const waiting = binding.waiting[0];
        if (waiting === undefined) continue;
        const process = this.#roomIn(binding);
        if (process === undefined) {
          this.#open(binding, waiting.request);
          continue;
        }
        binding.waiting.shift();
        this.#queued--;
        waiting.leave();
        this.#start(binding, process, waiting.request, waiting.mayRunAgain, waiting.resolve);
        progress = true;
      }
    }
  }

  #start(
    binding: Binding,
    process: SandboxProcess,
    request: InvocationRequest,
    mayRunAgain: boolean,
    resolve: (result: InvocationResult) => void,
  ): void {
    // To the end of the ring.
    this.#bindings.delete(binding.name);
    this.#bindings.set(binding.name, binding);
    process.run(request, mayRunAgain, (result) => {
      if (result.end.status !== "killed") binding.failures = 0;
      resolve(result);
    });
  }

  #roomIn(binding: Binding): SandboxProcess | undefined {
    let best: SandboxProcess | undefined;
    for (const process of binding.processes) {
      if (process.state !== "loaded" || process.active >= this.#options.maxConcurrentPerProcess) continue;
      if (best === undefined || process.active < best.active) best = process;
    }
    return best;
  }

  /** Gives the binding one more process, if it may have one. */
  #open(binding: Binding, request: InvocationRequest): void {
    const { maxProcesses, processors = availableParallelism() } = this.#options;
    const platform = this.#platform;
    if (platform === undefined) return;
    if ([...binding.processes].some((process) => process.state !== "loaded")) return;
    if (performance.now() < binding.notBefore) return;
    // More processes than processors make each call dearer (measured: four on two by a quarter) and none sooner.
    if (binding.processes.size >= Math.max(1, Math.min(Math.ceil(maxProcesses / 2), processors))) return;
    const othersWait = [...this.#bindings.values()].some(
      (other) => other !== binding && other.waiting.length > 0 && other.processes.size === 0,
    );
    if (binding.processes.size > 0 && othersWait) return;
    const bound = [...this.#owners].filter(([, owner]) => owner !== undefined);
    if (bound.length >= maxProcesses && !this.#recycleIdle(binding)) return;
    const process = this.#takeBlank(platform);
    this.#owners.set(process, binding);
    binding.processes.add(process);
    this.#fillSpares();
    void this.#load(binding, process, request);
  }

  async #load(binding: Binding, process: SandboxProcess, request: InvocationRequest): Promise<void> {
    const timer = setTimeout(() => process.end("load", "the component was not loaded in time"), loadTimeoutMs);
    try {
      await process.load(await this.#readFiles(request));
      this.#pump();
    } catch (error) {
      const lost = process.state === "ended";
      process.end("closed", "its component was not loaded");
      // A process that ended by itself comes again after a while; files that are not what was prepared do not.
      if (!lost) this.#refuseWaiting(binding, killed("load", error instanceof Error ? error.message : "it cannot be loaded"));
    } finally {
      clearTimeout(timer);
    }
  }

  #readFiles({ component }: InvocationRequest): Promise<ComponentFiles> {
    return readComponentFiles(component, this.#options.world, this.#options.slice);
  }

  #refuseWaiting(binding: Binding, end: Killed): void {
    for (const waiting of binding.waiting.splice(0)) {
      this.#queued--;
      waiting.leave();
      waiting.resolve(unstarted(end));
    }
  }

  #takeBlank(platform: Platform): SandboxProcess {
    for (const [process, owner] of this.#owners) if (owner === undefined) return process;
    return this.#spawn(platform);
  }

  #spawn({ program, isolation }: Platform): SandboxProcess {
    const process = new SandboxProcess({
      program,
      isolation,
      log: this.#options.log,
      owner: {
        roomChanged: () => this.#roomChanged(),
        ended: (ended, unexpected, lost) => this.#ended(ended, unexpected, lost),
      },
    });
    this.#owners.set(process, undefined);
    process.ready().then(
      () => (this.#spareFailures = 0),
      () => {},
    );
    return process;
  }

  #fillSpares(): void {
    if (this.#platform === undefined || this.#closing || this.#spareFailures > 3) return;
    let blank = [...this.#owners.values()].filter((owner) => owner === undefined).length;
    for (; blank < this.#options.spareProcesses; blank++) this.#spawn(this.#platform);
  }

  #roomChanged(): void {
    if (!this.#closing) this.#pump();
    else if (this.stats().running === 0) this.#drained?.();
  }

  #ended(process: SandboxProcess, unexpected: boolean, lost: readonly LostCall[]): void {
    const binding = this.#owners.get(process);
    this.#owners.delete(process);
    binding?.processes.delete(process);
    if (unexpected) {
      this.#restarts++;
      if (binding === undefined) this.#spareFailures++;
      else this.#backOff(binding);
    }
    if (binding !== undefined) {
      for (const { request, resolve } of lost) {
        if (this.#closing) resolve(unstarted(killed("closed", "the runner stops")));
        else this.#enqueue(binding, request, resolve, false);
      }
    }
    // Later, so that a process that cannot be started is not tried again within the attempt.
    setImmediate(() => {
      this.#fillSpares();
      this.#roomChanged();
    });
  }

  #backOff(binding: Binding): void {
    const waitMs = Math.min(longestBackOffMs, firstBackOffMs * 2 ** binding.failures++);
    binding.notBefore = performance.now() + waitMs;
    setTimeout(() => this.#pump(), waitMs + 1).unref();
  }

  #endIdle(idleMs: number): void {
    const limit = performance.now() - idleMs;
    for (const process of [...this.#owners.keys()]) {
      if (process.state === "loaded" && process.active === 0 && process.idleSince < limit) process.end("closed", "it was idle");
    }
    for (const [name, binding] of this.#bindings) {
      if (binding.processes.size === 0 && binding.waiting.length === 0 && binding.notBefore < limit) this.#bindings.delete(name);
    }
    this.#spareFailures = 0;
    this.#fillSpares();
  }

  #recycleIdle(binding: Binding): boolean {
    let oldest: SandboxProcess | undefined;
    for (const [process, owner] of this.#owners) {
      if (owner === undefined || owner === binding || process.state !== "loaded" || process.active > 0) continue;
      if (oldest === undefined || process.idleSince < oldest.idleSince) oldest = process;
    }
    oldest?.end("closed", "another component needs its place");
    return oldest !== undefined;
  }
}

/** Opens a pool; processes start in the background. */
export function createSandboxPool(options: SandboxPoolOptions): SandboxPool {
  return new Pool(options);
}
