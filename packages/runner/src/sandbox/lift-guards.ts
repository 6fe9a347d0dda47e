/**
 * What the glue sees in place of typed arrays, text decoders, timers and the global object: forms that count what is copied out of
 * guest memory and that trap where the originals would throw something a guest can catch, or cut silently.
 *
 * Why: a guest of 4 MB can make glue build gigabytes by letting many list entries alias one buffer, and a list of a hundred
 * million empty strings needs no memory at all. So bytes *and* elements cost: each read of a number its size, each string and
 * each byte list a fixed amount more, for the object it becomes. Decoders are shared and fatal: ill-formed text is a trap.
 */

/** Told of every lift; ends the guest by throwing. */
export interface LiftMeter {
  /** Takes `bytes` from the budget. @throws when it is used up */
  charge(bytes: number): void;
  /** The guest pointed outside of its memory, or at text that is none. @throws always */
  trap(detail: string): never;
}

/** Timers of one invocation; they die with it. */
export interface GuestTimers {
  setTimeout(run: () => void, ms?: number): number;
  setInterval(run: () => void, ms?: number): number;
  clear(timer: number): void;
  queueMicrotask(run: () => void): void;
}

/** Cost of a string or byte list beyond its bytes: what an empty one takes on the heap, rounded up. */
const objectBytes = 64;

const decoders = new Map<string, TextDecoder>();

function decoderOf(label: string): TextDecoder {
  let decoder = decoders.get(label);
  if (decoder === undefined) {
    decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true });
    decoders.set(label, decoder);
  }
  return decoder;
}

class CountingView extends DataView<ArrayBuffer> {
  readonly #meter: LiftMeter;

  constructor(meter: LiftMeter, buffer: ArrayBuffer, byteOffset?: number, byteLength?: number) {
    const start = byteOffset ?? 0;
    const end = start + (byteLength ?? 0);
    if (!(start >= 0 && end >= start && end <= buffer.byteLength)) meter.trap("a view outside of memory");
    super(buffer, byteOffset, byteLength);
    this.#meter = meter;
  }
  #read(offset: number, size: number): void {
    this.#within(offset, size);
    this.#meter.charge(size);
  }
  #within(offset: number, size: number): void {
    if (!(offset >= 0 && offset + size <= this.byteLength)) this.#meter.trap("an address outside of memory");
  }
  override getInt8(offset: number): number {
    this.#read(offset, 1);
    return super.getInt8(offset);
  }
  override getUint8(offset: number): number {
    this.#read(offset, 1);
    return super.getUint8(offset);
  }
  override getInt16(offset: number, littleEndian?: boolean): number {
    this.#read(offset, 2);
    return super.getInt16(offset, littleEndian);
  }
  override getUint16(offset: number, littleEndian?: boolean): number {
    this.#read(offset, 2);
    return super.getUint16(offset, littleEndian);
  }
  override getInt32(offset: number, littleEndian?: boolean): number {
    this.#read(offset, 4);
    return super.getInt32(offset, littleEndian);
  }
  override getUint32(offset: number, littleEndian?: boolean): number {
    this.#read(offset, 4);
    return super.getUint32(offset, littleEndian);
  }
  override getBigInt64(offset: number, littleEndian?: boolean): bigint {
    this.#read(offset, 8);
    return super.getBigInt64(offset, littleEndian);
  }
  override getBigUint64(offset: number, littleEndian?: boolean): bigint {
    this.#read(offset, 8);
    return super.getBigUint64(offset, littleEndian);
  }
  override getFloat32(offset: number, littleEndian?: boolean): number {
    this.#read(offset, 4);
    return super.getFloat32(offset, littleEndian);
  }
  override getFloat64(offset: number, littleEndian?: boolean): number {
    this.#read(offset, 8);
    return super.getFloat64(offset, littleEndian);
  }
  override setInt8(offset: number, value: number): void {
    this.#within(offset, 1);
    super.setInt8(offset, value);
  }
  override setUint8(offset: number, value: number): void {
    this.#within(offset, 1);
    super.setUint8(offset, value);
  }
  override setInt16(offset: number, value: number, littleEndian?: boolean): void {
    this.#within(offset, 2);
    super.setInt16(offset, value, littleEndian);
  }
  override setUint16(offset: number, value: number, littleEndian?: boolean): void {
    this.#within(offset, 2);
    super.setUint16(offset, value, littleEndian);
  }
  override setInt32(offset: number, value: number, littleEndian?: boolean): void {
    this.#within(offset, 4);
    super.setInt32(offset, value, littleEndian);
  }
  override setUint32(offset: number, value: number, littleEndian?: boolean): void {
    this.#within(offset, 4);
    super.setUint32(offset, value, littleEndian);
  }
  override setBigInt64(offset: number, value: bigint, littleEndian?: boolean): void {
    this.#within(offset, 8);
    super.setBigInt64(offset, value, littleEndian);
  }
  override setBigUint64(offset: number, value: bigint, littleEndian?: boolean): void {
    this.#within(offset, 8);
    super.setBigUint64(offset, value, littleEndian);
  }
  override setFloat32(offset: number, value: number, littleEndian?: boolean): void {
    this.#within(offset, 4);
    super.setFloat32(offset, value, littleEndian);
  }
  override setFloat64(offset: number, value: number, littleEndian?: boolean): void {
    this.#within(offset, 8);
    super.setFloat64(offset, value, littleEndian);
  }
}

interface ArrayClass {
  new (source: ArrayBufferLike | ArrayLike<never> | number, offset?: number, length?: number): ArrayBufferView;
  readonly BYTES_PER_ELEMENT: number;
  readonly prototype: object;
}

/** A typed array class that checks the range of views; `new` gives the real thing, and `instanceof` holds. */
function checkedArray(real: ArrayClass, meter: LiftMeter): unknown {
  const size = real.BYTES_PER_ELEMENT;
  const checked = function (source: ArrayBufferLike | ArrayLike<never> | number, offset?: number, length?: number): ArrayBufferView {
    if (!(source instanceof ArrayBuffer) || offset === undefined) return new real(source);
    const end = offset + (length ?? 0) * size;
    if (!(offset >= 0 && offset % size === 0 && end >= offset && end <= source.byteLength)) meter.trap("a list outside of memory");
    return new real(source, offset, length);
  };
  Object.setPrototypeOf(checked, real);
  checked.prototype = real.prototype;
  return checked;
}

const arrayClasses: Readonly<Record<string, ArrayClass>> = {
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  BigUint64Array,
  BigInt64Array,
  Float32Array,
  Float64Array,
};

const smallModules = new Map<string, WebAssembly.Module>();

/** Compiles the small modules that are written into glue once for the process, not once for each call. */
function compiledOnce(bytes: Uint8Array): WebAssembly.Module {
  const key = Buffer.from(bytes).toString("latin1");
  let module = smallModules.get(key);
  if (module === undefined) {
    module = new WebAssembly.Module(new Uint8Array(bytes));
    if (smallModules.size < 16 && bytes.length < 4096) smallModules.set(key, module);
  }
  return module;
}

/** What glue uses of the engine. */
const gluesWebAssembly = Object.freeze({
  ...Object.fromEntries(
    ["Instance", "Global", "Memory", "Table", "Tag", "Exception", "RuntimeError", "SuspendError", "Suspending", "promising"].map((name) => [
      name,
      Reflect.get(WebAssembly, name),
    ]),
  ),
  Module: function (bytes: Uint8Array): WebAssembly.Module {
    return compiledOnce(bytes);
  },
});

/** Never calls: a finaliser would enter a guest whose invocation is over. */
class IdleFinalizationRegistry {
  register(): void {}
  unregister(): boolean {
    return false;
  }
}

/**
 * Makes the names the glue is given in place of the globals, for one invocation.
 * @returns one entry for every name of `guardedNames` in the preparation
 */
export function createLiftGuards(meter: LiftMeter, timers: GuestTimers): Readonly<Record<string, unknown>> {
  class GuardedDataView extends CountingView {
    constructor(buffer: ArrayBuffer, byteOffset?: number, byteLength?: number) {
      super(meter, buffer, byteOffset, byteLength);
    }
  }
  class GuardedTextDecoder {
    readonly #decoder: TextDecoder;
    constructor(label = "utf-8") {
      this.#decoder = decoderOf(label);
    }
    decode(source: ArrayBufferView): string {
      meter.charge(objectBytes + source.byteLength);
      try {
        return this.#decoder.decode(source);
      } catch {
        return meter.trap("text that is not well-formed");
      }
    }
  }
  const guards: Record<string, unknown> = {
    Uint8Array: checkedArray(Uint8Array, meter),
    DataView: GuardedDataView,
    TextDecoder: GuardedTextDecoder,
    setTimeout: timers.setTimeout,
    setInterval: timers.setInterval,
    clearTimeout: timers.clear,
    clearInterval: timers.clear,
    queueMicrotask: timers.queueMicrotask,
    FinalizationRegistry: IdleFinalizationRegistry,
    WebAssembly: gluesWebAssembly,
    TextEncoder,
    /** In place of `memory.buffer.slice`, which cuts silently at the end. */
    sliceBuffer(buffer: ArrayBuffer, start: number, end: number): ArrayBuffer {
      if (!(start >= 0 && start <= end && end <= buffer.byteLength)) meter.trap("a list outside of memory");
      meter.charge(objectBytes + end - start);
      return buffer.slice(start, end);
    },
  };
  for (const [name, real] of Object.entries(arrayClasses)) {
    Object.defineProperty(guards, name, { enumerable: true, get: () => checkedArray(real, meter) });
  }
  return guards;
}
