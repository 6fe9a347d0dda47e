/**
 * One invocation inside the sandbox: a fresh instance, its fuel, its limits, its host calls, and its one end.
 *
 * Invariants: the end is set once, and nothing the guest does later changes it; when it is set the fuel is gone, every pending
 * host call is rejected with a trap no guest can catch, and every timer is cleared, so the guest's stack unwinds without running
 * its code and nothing of it stays in memory. Limits end the guest from where they are noticed: slice ends, lifts, host calls.
 */
import { createFuelTank, type FuelTank } from "../metering/fuel.ts";
import { isCallable, promising, uncatchableTrap } from "./jspi.ts";
import { createLiftGuards } from "./lift-guards.ts";
import {
  camelCase,
  type CompiledModule,
  type CoreInstance,
  type LoadedComponent,
  type Operation,
  oneWayOperation,
} from "./loaded-component.ts";
import type { SandboxKillRule, SandboxMessage, ServiceMessage } from "./messages.ts";
import { callUnits, createWasiGuest, type GuestFace, type WasiAnswer, type WasiGuest } from "../wasi/index.ts";
import { meterImports, meterSuspending } from "./metered-imports.ts";

export type CallMessage = Extract<ServiceMessage, { type: "call" }>;
type AnswerMessage = Extract<ServiceMessage, { type: "answer" }>;
type EndMessage = Extract<SandboxMessage, { type: "ok" | "error" | "killed" }>;
type Outcome =
  | { readonly type: "ok"; readonly value: unknown }
  | { readonly type: "error"; readonly error: unknown }
  | { readonly type: "killed"; readonly rule: SandboxKillRule; readonly detail: string };

/**
 * What reading the smallest thing from guest memory costs a guest whose lists may be of handles: as much as an empty text, because each becomes an object
 * before the function they are for can refuse them. The thread stands still meanwhile, so they must run out long before the watchdog's patience does.
 */
const smallestLift = 64;
/** The host's `http.fetch` and `log.write`, for shims. */
const fetchOperation: Operation = { name: "http.fetch", answered: true };
const logOperation: Operation = { name: "log.write", answered: false };
/** What a log record costs beyond its text. */
const logRecordBytes = 256;
/** A guest may look at the clock of its slices this much earlier than the service's own deadline would reach it. */
const marginMs = 5;

/** Taken before the hardening removes the global. */
const clock = performance;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export class Guest {
  readonly #component: LoadedComponent;
  readonly #call: CallMessage;
  readonly #send: (message: SandboxMessage) => void;
  readonly #tank: FuelTank;
  readonly #memories = new Set<WebAssembly.Memory>();
  readonly #pending = new Map<number, PendingCall>();
  readonly #timers = new Set<number>();
  /** Ends what the guest waits for in shims. */
  readonly #waits = new Set<() => void>();
  readonly #wasi: WasiGuest | undefined;
  readonly #deadline: number;
  readonly #end = Promise.withResolvers<Outcome>();
  #over = false;
  #lifted = 0;
  #hostCalls = 0;
  #logged = 0;
  #minimumBytes = 0;
  #peakBytes = 0;

  constructor(component: LoadedComponent, call: CallMessage, send: (message: SandboxMessage) => void) {
    this.#component = component;
    this.#call = call;
    this.#send = send;
    this.#deadline = clock.now() + call.limits.timeMs - marginMs;
    this.#tank = createFuelTank({ budget: call.limits.fuel, slice: component.slice, onSliceEnd: () => this.#sliceEnd() });
    this.#wasi = component.profile === "wasi-http" ? createWasiGuest(this.#face()) : undefined;
  }

  /** Runs to the end, whatever it is, and gives the message that says so. Never rejects. */
  async run(): Promise<EndMessage> {
    void this.#enter().catch((error: unknown) => this.#failed(error));
    const outcome = await this.#end.promise;
    if (outcome.type === "killed") this.#tank.forfeit();
    return { ...outcome, id: this.#call.id, fuel: this.#tank.fuelUsed(), peakMemoryBytes: this.#peakBytes };
  }

  /** Ends the guest from outside. */
  kill(rule: SandboxKillRule, detail: string): void {
    this.#finish({ type: "killed", rule, detail });
  }

  answer(message: AnswerMessage): void {
    const pending = this.#pending.get(message.call);
    if (pending === undefined) return;
    this.#pending.delete(message.call);
    // Glue takes an own `payload` for the error case of the WIT; an Error would be a trap.
    if ("error" in message) pending.reject({ payload: message.error });
    else pending.resolve(message.ok);
  }

  async #enter(): Promise<void> {
    const guards = createLiftGuards(
      {
        charge: (bytes) => this.#charge(this.#wasi === undefined ? bytes : Math.max(bytes, smallestLift)),
        trap: (detail) => this.#endHere("trap", detail),
      },
      {
        setTimeout: (run, ms) => this.#addTimer(run, ms, false),
        setInterval: (run, ms) => this.#addTimer(run, ms, true),
        clear: (timer) => this.#clearTimer(timer),
        queueMicrotask: (run) => queueMicrotask(() => this.#guarded(run)),
      },
    );
    const wasi = this.#wasi;
    const work = (): void => this.#work(callUnits);
    const instantiate = this.#component.createInstantiate(
      wasi === undefined ? guards : meterSuspending(guards, work, (answer) => this.#orEnd(answer)),
    );
    const instance = await instantiate(this.#component.module, wasi?.imports ?? this.#imports(), (module, imports) =>
      this.#instantiateCore(module, wasi === undefined ? imports : meterImports(imports, work)),
    );
    if (this.#over) return;
    if (wasi !== undefined) return this.#answered(await wasi.run(instance, this.#call.args));
    const entry = instance[camelCase(this.#call.exportName)];
    if (!isCallable(entry)) return this.kill("trap", "the component does not export the function");
    const value = await entry(...this.#call.args);
    this.#lookAtMemory();
    this.#finish({ type: "ok", value });
  }

  #answered(answer: WasiAnswer): void {
    this.#lookAtMemory();
    this.#finish("ok" in answer ? { type: "ok", value: answer.ok } : { type: "error", error: answer.error });
  }

  /** What shims see of this guest. */
  #face(): GuestFace {
    return {
      work: (units) => this.#work(units),
      charge: (bytes) => this.#charge(bytes),
      end: (rule, detail) => this.#endHere(rule, detail),
      exit: () => {
        if (this.#wasi !== undefined) this.#answered(this.#wasi.answer());
        throw uncatchableTrap;
      },
      fetch: async (request) => this.#hostCall(fetchOperation, [request]),
      log: (level, message) => this.#lineOfOutput(level, message),
      wait: (begin) => this.#wait(begin),
      setTimeout: (run, ms) => this.#addTimer(run, ms, false),
      clearTimeout: (timer) => this.#clearTimer(timer),
      resultBytes: this.#call.limits.resultBytes,
    };
  }

  #work(units: number): void {
    if (this.#over) throw uncatchableTrap;
    this.#tank.charge(Math.ceil(units));
  }

  #wait(begin: (done: () => void) => () => void): Promise<void> {
    if (this.#over) throw uncatchableTrap;
    this.#lookAtMemory();
    let stop: (() => void) | undefined;
    const waiting = new Promise<void>((resolve) => {
      stop = begin(resolve);
    });
    return this.#orEnd(waiting).finally(() => stop?.());
  }

  /** What `answer` gives, or the end of the guest, whichever comes first. */
  #orEnd<T>(answer: T | PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = (): void => reject(uncatchableTrap);
      this.#waits.add(end);
      void Promise.resolve(answer)
        .then(resolve, reject)
        .finally(() => this.#waits.delete(end));
    });
  }

  /** The last lines of a guest come when it is over: what does not fit any more is then left out. */
  #lineOfOutput(level: string, message: string): void {
    if (!this.#over) return void this.#log(logOperation, [level, message]);
    if (this.#logged + logRecordBytes + message.length <= this.#call.limits.logBytes) void this.#log(logOperation, [level, message]);
  }

  /** At once, unless the module has a start function: the glue takes either, and thirteen modules are as many turns of the queue. */
  #instantiateCore({ module, names, minMemoryBytes }: CompiledModule, imports?: WebAssembly.Imports): CoreInstance | Promise<CoreInstance> {
    if (this.#over) throw uncatchableTrap;
    this.#minimumBytes += minMemoryBytes;
    this.#lookAtMemory();
    const instance = this.#tank.instantiate(module, names, imports);
    for (const memory of instance.memories) this.#memories.add(memory);
    this.#lookAtMemory();
    return instance.start === undefined ? instance : promising(instance.start)().then(() => instance);
  }

  /** An object for each interface of the world, whose functions are the host's. */
  #imports(): object {
    const imports: Record<string, object> = {};
    for (const key of this.#component.interfaces) {
      const known = this.#component.operations.get(key);
      const functions = new Map<string, unknown>();
      imports[key] = new Proxy(Object.freeze({ __proto__: null }), {
        get: (_target, name) => {
          if (typeof name !== "string") return undefined;
          let found = functions.get(name);
          if (found === undefined) {
            const operation = known?.get(name) ?? oneWayOperation(key, name);
            found = (...args: readonly unknown[]) => this.#hostCall(operation, args);
            functions.set(name, found);
          }
          return found;
        },
      });
    }
    return imports;
  }

  #hostCall(operation: Operation, args: readonly unknown[]): Promise<unknown> | undefined {
    if (this.#over) throw uncatchableTrap;
    this.#lookAtMemory();
    if (operation.name === "log.write") return this.#log(operation, args);
    if (++this.#hostCalls > this.#call.limits.hostCalls) {
      this.#endHere("host_calls", `more than ${this.#call.limits.hostCalls} host calls`);
    }
    const call = operation.answered ? this.#hostCalls : 0;
    this.#send({ type: "host", id: this.#call.id, call, op: operation.name, args });
    if (!operation.answered) return undefined;
    return new Promise<unknown>((resolve, reject) => {
      this.#pending.set(call, { resolve, reject });
    });
  }

  #log(operation: Operation, args: readonly unknown[]): Promise<unknown> | undefined {
    this.#logged += logRecordBytes;
    for (const arg of args) if (typeof arg === "string") this.#logged += arg.length;
    if (this.#logged > this.#call.limits.logBytes) this.#endHere("log", `more than ${this.#call.limits.logBytes} bytes of log`);
    this.#send({ type: "host", id: this.#call.id, call: 0, op: operation.name, args });
    return operation.answered ? Promise.resolve(undefined) : undefined;
  }

  async #sliceEnd(): Promise<void> {
    await nextTurn();
    if (this.#over) return;
    if (clock.now() >= this.#deadline) this.kill("time", `no answer within ${this.#call.limits.timeMs} ms`);
    else if (this.#memoryBytes() > this.#call.limits.memoryBytes) this.#memoryExceeded();
  }

  #memoryBytes(): number {
    let sum = 0;
    for (const memory of this.#memories) sum += memory.buffer.byteLength;
    sum = Math.max(sum, this.#minimumBytes);
    if (sum > this.#peakBytes) this.#peakBytes = sum;
    return sum;
  }

  #memoryExceeded(): void {
    this.kill("memory", `more than ${this.#call.limits.memoryBytes} bytes of memory`);
  }

  #lookAtMemory(): void {
    if (this.#memoryBytes() <= this.#call.limits.memoryBytes) return;
    this.#memoryExceeded();
    throw uncatchableTrap;
  }

  #charge(bytes: number): void {
    this.#lifted += bytes;
    if (this.#lifted > this.#call.limits.liftedBytes || this.#over) {
      this.#endHere("lifted", `more than ${this.#call.limits.liftedBytes} bytes taken from guest memory`);
    }
  }

  /** Ends the guest from inside a frame of the host below guest code. */
  #endHere(rule: SandboxKillRule, detail: string): never {
    this.kill(rule, detail);
    throw uncatchableTrap;
  }

  #failed(error: unknown): void {
    if (this.#tank.exhausted) return this.kill("fuel", `more than ${this.#call.limits.fuel} units of fuel`);
    if (error instanceof WebAssembly.Exception) return this.kill("trap", "an exception nobody caught");
    // The glue throws the plain value of the error case; whatever else fails is an Error.
    if (error instanceof Error) return this.kill("trap", trapText(error));
    this.#finish({ type: "error", error });
  }

  #finish(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#wasi?.flush();
    this.#tank.kill();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const pending of this.#pending.values()) pending.reject(uncatchableTrap);
    this.#pending.clear();
    for (const end of this.#waits) end();
    this.#waits.clear();
    this.#end.resolve(outcome);
  }

  /** Glue's own callbacks: an error in one is the end of this guest, not of the process. */
  #guarded(run: () => void): void {
    if (this.#over) return;
    try {
      run();
    } catch (error) {
      this.#failed(error);
    }
  }

  #addTimer(run: () => void, ms: number | undefined, repeat: boolean): number {
    if (this.#over) return 0;
    const timer: number = Number(
      repeat
        ? setInterval(() => this.#guarded(run), ms)
        : setTimeout(() => {
            this.#timers.delete(timer);
            this.#guarded(run);
          }, ms),
    );
    this.#timers.add(timer);
    return timer;
  }

  #clearTimer(timer: number): void {
    if (this.#timers.delete(timer)) clearTimeout(timer);
  }
}

const knownTraps =
  /^(unreachable|memory access out of bounds|table index is out of bounds|divide by zero|remainder by zero|integer overflow|float unrepresentable in integer range|null function or function signature mismatch|indirect call signature mismatch|dereferencing a null pointer|illegal cast|array element access out of bounds|Maximum call stack size exceeded)/;

/** The engine's own words for a trap; never text that a guest could have chosen. */
function trapText(error: Error): string {
  return (
    knownTraps.exec(error.message)?.[1] ??
    `${error instanceof WebAssembly.RuntimeError ? "a trap" : "an answer the interface does not allow"}`
  );
}
