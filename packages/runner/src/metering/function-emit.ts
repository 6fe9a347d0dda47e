/**
 * Second half of the pass over one function: writes the body anew with the places of the scan filled in.
 *
 * Everything between two places is copied as it came, so an instruction can be lost or changed only at a place. Functions with
 * loops keep the counter in a local and put it back into the global wherever control leaves them. Functions without loops work
 * on the global, which is shorter and lets the engine inline them; so do functions with exception handlers, where control
 * arrives from callees in the middle of the body. Conditional branches out of the function cannot be preceded by code for one outcome
 * only, so such a body is wrapped in a block of the function's results, whose end puts the counter back.
 */
import type { ByteWriter } from "./byte-writer.ts";
import type { FunctionScan } from "./function-scan.ts";
import { place } from "./insertions.ts";

/** Indices of what the pass appended to the module. */
export interface Injected {
  /** Global with the counter, i64. */
  readonly fuelGlobal: number;
  /** Function (i64) -> i64 that takes the counter and returns it filled up, or does not return. */
  readonly refuelFunction: number;
}

const op = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  call: 0x10,
  drop: 0x1a,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Const: 0x41,
  i64Const: 0x42,
  i32Eq: 0x46,
  i64LtS: 0x53,
  i64Add: 0x7c,
  i64Sub: 0x7d,
  i64Mul: 0x7e,
  i64ExtendI32U: 0xad,
  empty: 0x40,
  i32: 0x7f,
  i64: 0x7e,
} as const;

/** Most bytes one place can take, apart from copied ones. */
const roomForPlace = 128;

export class FunctionEmitter {
  readonly #out: ByteWriter;
  readonly #injected: Injected;
  #inLocal = true;
  /** Where the code of a check stands in the output already; it is the same throughout a function. */
  #checkStart = 0;
  #checkLength = 0;
  #fuel = 0;
  #size = 0;
  #result = 0;

  constructor(out: ByteWriter, injected: Injected) {
    this.#out = out;
    this.#injected = injected;
  }

  /**
   * Writes the body that `scan` read from `bytes[start, end)`.
   * @param wrapper the block type for a wrapped body, as bytes
   */
  emit(scan: FunctionScan, bytes: Uint8Array, end: number, wrapper: Uint8Array): void {
    const out = this.#out;
    this.#inLocal = scan.hasLoops && !scan.handlesExceptions;
    this.#checkLength = 0;
    const wrapped = scan.needsWrapper && this.#inLocal;
    this.#declareLocals(scan, bytes);
    const { at: offsets, kind: kinds, value: values, count } = scan.places;
    let from = scan.codeStart;
    for (let index = 0; index < count; index++) {
      const kind = kinds[index] as number;
      if (kind === place.nothing) continue;
      const at = offsets[index] as number;
      out.copy(bytes, from, at, roomForPlace);
      from = at;
      const value = values[index] as number;
      if (kind === place.label) {
        out.u32(value);
        while ((bytes[from++] as number) >= 0x80);
      } else if (kind === place.loopOpen) {
        this.#openLoop(bytes, value, offsets[index + 1] as number);
      } else if (kind === place.entry) {
        this.#entry(value);
        if (wrapped) {
          out.byte(op.block);
          out.copy(wrapper, 0, wrapper.length);
        }
      } else if (kind === place.flushUnlessWrapped) {
        if (!wrapped) this.#flush();
      } else {
        this.#fill(kind, value);
      }
    }
    out.copy(bytes, from, end);
    if (wrapped) {
      out.room(roomForPlace);
      this.#flush();
      out.byte(op.end);
    }
  }

  #declareLocals(scan: FunctionScan, bytes: Uint8Array): void {
    const out = this.#out;
    const sizes = (scan.needsSize ? 1 : 0) + (scan.needsGrow ? 1 : 0);
    out.room(32);
    out.u32(scan.localGroups + (sizes > 0 ? 2 : 1));
    let groups = scan.localsStart;
    while ((bytes[groups++] as number) >= 0x80);
    out.copy(bytes, groups, scan.codeStart);
    out.room(16);
    this.#fuel = scan.locals;
    this.#size = scan.locals + 1;
    this.#result = scan.locals + 2;
    out.byte(1);
    out.byte(op.i64);
    if (sizes > 0) {
      out.byte(sizes);
      out.byte(op.i32);
    }
  }

  #fill(kind: number, value: number): void {
    switch (kind) {
      case place.charge:
        if (value > 0) this.#charge(value);
        return;
      case place.check:
        this.#chargeForCheck(value);
        return this.#check();
      case place.reload:
        return this.#reload(value);
      case place.reloadCheck:
        this.#reload(value);
        this.#chargeForCheck(0);
        return this.#check();
      case place.flush:
        return this.#flush();
      case place.bySize:
        this.#local(op.localTee, this.#size);
        return this.#chargeSize(value, false);
      case place.growBefore:
        return this.#local(op.localTee, this.#size);
      case place.growAfter:
        this.#local(op.localTee, this.#result);
        return this.#chargeSize(value, true);
      case place.loopCheck:
        this.#chargeForCheck(value);
        this.#out.byte(op.brIf);
        return this.#out.byte(1);
      default:
        return this.#closeLoop(value);
    }
  }

  #local(code: number, index: number): void {
    this.#out.byte(code);
    this.#out.u32(index);
  }

  #global(code: number): void {
    this.#out.byte(code);
    this.#out.u32(this.#injected.fuelGlobal);
  }

  #constant(value: number): void {
    this.#out.byte(op.i64Const);
    this.#out.positive(value);
  }

  /** Pushes the counter. */
  #get(): void {
    if (this.#inLocal) this.#local(op.localGet, this.#fuel);
    else this.#global(op.globalGet);
  }

  /** Pops the counter. */
  #set(): void {
    if (this.#inLocal) this.#local(op.localSet, this.#fuel);
    else this.#global(op.globalSet);
  }

  #flush(): void {
    if (!this.#inLocal) return;
    this.#local(op.localGet, this.#fuel);
    this.#global(op.globalSet);
  }

  #subtract(cost: number): void {
    if (cost === 0) return;
    this.#constant(cost);
    this.#out.byte(op.i64Sub);
  }

  #charge(cost: number): void {
    this.#get();
    this.#subtract(cost);
    this.#set();
  }

  #reload(cost: number): void {
    if (!this.#inLocal) {
      if (cost > 0) this.#charge(cost);
      return;
    }
    this.#global(op.globalGet);
    this.#subtract(cost);
    this.#local(op.localSet, this.#fuel);
  }

  /** Charges and leaves on the stack whether the counter is below zero. */
  #chargeForCheck(cost: number): void {
    this.#get();
    if (cost > 0) {
      this.#subtract(cost);
      this.#local(op.localTee, this.#fuel);
      if (!this.#inLocal) {
        this.#global(op.globalSet);
        this.#local(op.localGet, this.#fuel);
      }
    }
    this.#constant(0);
    this.#out.byte(op.i64LtS);
  }

  /** Takes the condition from the stack and fills up the counter. */
  #check(): void {
    const out = this.#out;
    if (this.#checkLength > 0) return out.repeat(this.#checkStart, this.#checkLength);
    this.#checkStart = out.at;
    out.byte(op.if);
    out.byte(op.empty);
    this.#refuel();
    out.byte(op.end);
    this.#checkLength = out.at - this.#checkStart;
  }

  #refuel(): void {
    this.#get();
    this.#out.byte(op.call);
    this.#out.u32(this.#injected.refuelFunction);
    if (this.#inLocal) this.#set();
    else this.#out.byte(op.drop);
  }

  #entry(cost: number): void {
    if (this.#inLocal) {
      this.#global(op.globalGet);
      this.#local(op.localSet, this.#fuel);
    }
    this.#chargeForCheck(cost);
    this.#check();
  }

  /** Charges `units` for each of the kept size; of a grow instruction nothing when it answered -1. */
  #chargeSize(units: number, grown: boolean): void {
    const out = this.#out;
    this.#get();
    if (grown) {
      out.byte(op.i32Const);
      out.byte(0);
      this.#local(op.localGet, this.#size);
      this.#local(op.localGet, this.#result);
      out.byte(op.i32Const);
      out.byte(0x7f);
      out.byte(op.i32Eq);
      out.byte(op.select);
    } else {
      this.#local(op.localGet, this.#size);
    }
    out.byte(op.i64ExtendI32U);
    if (units !== 1) {
      this.#constant(units);
      out.byte(op.i64Mul);
    }
    out.byte(op.i64Sub);
    this.#set();
    this.#chargeForCheck(0);
    this.#check();
  }

  /** `block T loop T block`, before the loop itself. */
  #openLoop(bytes: Uint8Array, typeStart: number, typeEnd: number): void {
    const out = this.#out;
    out.byte(op.block);
    out.copy(bytes, typeStart, typeEnd);
    out.room(roomForPlace);
    out.byte(op.loop);
    out.copy(bytes, typeStart, typeEnd);
    out.room(roomForPlace);
    out.byte(op.block);
    out.byte(op.empty);
  }

  /** After the loop: done; or, when its check left it, fill up, take back what the header charged, and go in again. */
  #closeLoop(cost: number): void {
    const out = this.#out;
    out.byte(op.br);
    out.byte(2);
    out.byte(op.end);
    this.#get();
    out.byte(op.call);
    out.u32(this.#injected.refuelFunction);
    this.#constant(cost);
    out.byte(op.i64Add);
    this.#set();
    out.byte(op.br);
    out.byte(0);
    out.byte(op.end);
    out.byte(op.end);
  }
}
