/**
 * The host's side of metering: gives slices of fuel to metered instances and ends them at the budget.
 *
 * One tank serves one invocation and all core instances of its component. Units are given in slices; what an instance has left
 * of its slices stands in its own global, and is taken back when a neighbour asks, so the budget holds for the sum. When a slice
 * is used up the guest stands in a stub of our own, which may suspend the whole guest to the event loop (JSPI) and so lets one
 * thread serve many guests. The stub, not the host, finds out whether suspending is possible: under a synchronous entry (glue
 * calling an allocator) the suspension fails with an exception, which the stub swallows and goes on. Nothing here ever throws
 * into a guest; the end of a guest is `unreachable` in its own module, which no handler catches. See docs/architecture/metering.md.
 */
import type { InjectedNames } from "./meter-module.ts";

export interface FuelTankOptions {
  /** Units the invocation may use in all. */
  readonly budget: number;
  /** Units given at a time; about what a guest may use before another one gets its turn. */
  readonly slice: number;
  /**
   * Awaited at the end of each slice, with the guest suspended; absent: guests never suspend. A rejection ends the guest.
   * Entries into the guest must then go through `WebAssembly.promising` to suspend; others run on without.
   */
  readonly onSliceEnd?: () => Promise<void>;
}

export interface MeteredInstance {
  /** The guest's own exports, without those the pass added; no prototype. */
  readonly exports: Readonly<Record<string, WebAssembly.ExportValue>>;
  /** Those of them that are memories. */
  readonly memories: readonly WebAssembly.Memory[];
  /** The module's start function, to be called before anything else; wrap it in `WebAssembly.promising` to let it suspend. */
  readonly start: (() => void) | undefined;
}

export interface FuelTank {
  /** Instantiates a metered module on this tank. Constant expressions and segments run, guest code does not. */
  instantiate(module: WebAssembly.Module, names: InjectedNames, imports?: WebAssembly.Imports): MeteredInstance;
  /** Units used up to the last point where every guest of the tank called, was called or asked; never above the budget. */
  fuelUsed(): number;
  /**
   * Counts the open slices as used. For a guest that ended by a trap of its own or was terminated: its running functions had
   * their counters in locals, which are lost, so what it used of its last slice is not known.
   */
  forfeit(): void;
  /** Takes units for work of the host on behalf of the guest that stands in it; the guest notices at its next check. */
  charge(units: number): void;
  /** Has the budget ended a guest? */
  readonly exhausted: boolean;
  /** Ends every guest of this tank at its next check; a suspended one does not come back to its code. */
  kill(): void;
}

const stubBytes = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  // types: (i64) -> i64, () -> ()
  1, 9, 2, 0x60, 1, 0x7e, 1, 0x7e, 0x60, 0, 0,
  // imports: h.a (ask), h.w (wait), h.f (final answer)
  2, 19, 3, 1, 0x68, 1, 0x61, 0, 0, 1, 0x68, 1, 0x77, 0, 1, 1, 0x68, 1, 0x66, 0, 0, 3, 2, 1, 0,
  // export "r"
  7, 5, 1, 1, 0x72, 0, 3,
  // if ask() == 0: block try_table (catch_all 0) wait; final
  10, 34, 1, 32, 1, 1, 0x7e, 0x20, 0, 0x10, 0, 0x22, 1, 0x50, 0x04, 0x40, 0x02, 0x40, 0x1f, 0x40, 1, 2, 0, 0x10, 1, 0x0b, 0x0b, 0x20, 0,
  0x10, 2, 0x0f, 0x0b, 0x20, 1, 0x0b,
]);

let stubModule: WebAssembly.Module | undefined;

interface ExportNames {
  readonly own: readonly string[];
  readonly memories: readonly string[];
}

/** A module is instantiated for every invocation, and what it exports does not change. */
const knownExports = new WeakMap<WebAssembly.Module, ExportNames>();

function exportNamesOf(module: WebAssembly.Module, { fuel, refuel, start }: InjectedNames): ExportNames {
  let known = knownExports.get(module);
  if (known === undefined) {
    const own = WebAssembly.Module.exports(module).filter(({ name }) => name !== fuel && name !== refuel && name !== start);
    known = { own: own.map(({ name }) => name), memories: own.filter(({ kind }) => kind === "memory").map(({ name }) => name) };
    knownExports.set(module, known);
  }
  return known;
}

interface SuspendingApi {
  readonly Suspending: new (body: () => Promise<void>) => WebAssembly.ImportValue;
}

class Tank implements FuelTank {
  readonly #options: FuelTankOptions;
  readonly #counters: WebAssembly.Global<"i64">[] = [];
  readonly #refuel: WebAssembly.ExportValue;
  #given = 0;
  #ended = false;
  #exhausted = false;

  constructor(options: FuelTankOptions) {
    if (!(Number.isSafeInteger(options.budget) && options.budget >= 0)) throw new RangeError("budget is no safe integer");
    if (!(Number.isSafeInteger(options.slice) && options.slice > 0)) throw new RangeError("slice is no positive safe integer");
    this.#options = options;
    stubModule ??= new WebAssembly.Module(stubBytes);
    const wait = (): Promise<void> => this.#sliceEnd();
    const suspending = options.onSliceEnd === undefined ? wait : new (WebAssembly as unknown as SuspendingApi).Suspending(wait);
    const stub = new WebAssembly.Instance(stubModule, {
      h: { a: (counter: bigint) => this.#ask(counter), w: suspending, f: (counter: bigint) => this.#give(counter) },
    });
    this.#refuel = stub.exports["r"] as WebAssembly.ExportValue;
  }

  get exhausted(): boolean {
    return this.#exhausted;
  }

  instantiate(module: WebAssembly.Module, names: InjectedNames, imports: WebAssembly.Imports = {}): MeteredInstance {
    const instance = new WebAssembly.Instance(module, imports);
    const all = instance.exports;
    const known = exportNamesOf(module, names);
    (all[names.refuel] as WebAssembly.Global).value = this.#refuel;
    this.#counters.push(all[names.fuel] as WebAssembly.Global<"i64">);
    const exports: Record<string, WebAssembly.ExportValue> = Object.create(null) as Record<string, WebAssembly.ExportValue>;
    for (const name of known.own) exports[name] = all[name] as WebAssembly.ExportValue;
    const memories = known.memories.map((name) => all[name] as WebAssembly.Memory);
    const start = names.start === undefined ? undefined : (all[names.start] as () => void);
    return { exports: Object.freeze(exports), memories, start };
  }

  fuelUsed(): number {
    return Math.min(this.#given - this.#unspent(), this.#options.budget);
  }

  kill(): void {
    this.#ended = true;
    this.#reclaim();
  }

  forfeit(): void {
    for (const counter of this.#counters) if (counter.value > 0n) counter.value = 0n;
  }

  charge(units: number): void {
    // The instance that runs is as a rule the one that has most left; what another one lacks counts as used all the same.
    let most = this.#counters[0];
    for (const counter of this.#counters) if (most === undefined || counter.value > most.value) most = counter;
    if (most !== undefined) most.value -= BigInt(units);
  }

  #unspent(): number {
    let sum = 0;
    for (const counter of this.#counters) sum += Number(counter.value);
    return sum;
  }

  /** First answer to a guest: its next slice, 0 to wait for it, below 0 to end. */
  #ask(counter: bigint): bigint {
    if (this.#ended) return -1n;
    if (this.#options.onSliceEnd !== undefined && this.#given > 0 && -counter <= BigInt(this.#options.budget - this.#given)) return 0n;
    return this.#give(counter);
  }

  #sliceEnd(): Promise<void> {
    const { onSliceEnd } = this.#options;
    if (onSliceEnd === undefined) return Promise.resolve();
    return Promise.resolve()
      .then(onSliceEnd)
      .catch(() => this.kill());
  }

  /** Gives the next slice, and at least what the counter lacks; -1 when the budget does not have it. */
  #give(counter: bigint): bigint {
    if (this.#ended) return -1n;
    const lacks = Number(-counter);
    this.#reclaim();
    const left = this.#options.budget - this.#given;
    if (lacks > left) {
      this.#ended = this.#exhausted = true;
      this.#given = this.#options.budget;
      return -1n;
    }
    const slice = Math.max(Math.min(left, lacks + this.#options.slice), 1);
    this.#given += slice;
    return BigInt(slice);
  }

  /** Takes back what other instances have left; they ask again when they run. */
  #reclaim(): void {
    for (const counter of this.#counters) {
      const left = counter.value;
      if (left <= 0n) continue;
      this.#given -= Number(left);
      counter.value = 0n;
    }
  }
}

/**
 * Opens the tank of one invocation.
 * @throws {RangeError} when budget or slice is no safe integer
 */
export function createFuelTank(options: FuelTankOptions): FuelTank {
  return new Tank(options);
}
