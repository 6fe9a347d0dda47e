/**
 * First half of the pass over one function: reads its instructions and decides what is charged, checked and rewritten where.
 *
 * A region is a run of instructions that are all executed once whenever its first is; its whole cost is charged at its start.
 * It ends at every instruction after which control may be elsewhere: branches, ends that are branched to, and, in modules with
 * exception handlers, calls. The counter is checked at function entry, at every loop header, after every charge by size, and wherever more than
 * `uncheckedUnits` could have been charged since the last check on some path; all branches but those to loops go forward, so
 * one walk finds that maximum exactly. Unreachable code is stepped over and costs nothing, as Wasmtime counts.
 *
 * The scan trusts that the engine validated the module, and still never leaves the body: a misread is a refusal.
 */
import { ControlStack, frameKind } from "./control-stack.ts";
import { Insertions, place } from "./insertions.ts";
import { action, actions, features, gcBase, miscBase, opcodeCount, shape, shapes, simdBase } from "./opcodes.ts";
import { ByteReader } from "./byte-reader.ts";
import { refuse } from "./refusal.ts";
import { arrayHeaderBytes, skipHeapType, skipValueType, type TypeRow } from "./type-section.ts";

/** Most units that may be charged on any path without a check. */
export const uncheckedUnits = 10_000;
/** Units for a page of 64 KiB given by memory.grow: one for sixteen bytes the system must clear. */
export const unitsPerPage = 4_096;
/** Units for a throw beside its values: an object of 88 bytes and 0.3 µs of the engine's runtime, measured, rounded up. */
export const exceptionUnits = 512;
/** Locals that cost nothing at function entry; eight of the further ones cost one unit, as the engine clears each. */
export const freeLocals = 256;

/** What the scan needs to know of the module around the function. */
export interface ModuleFacts {
  readonly types: readonly TypeRow[];
  /** Type index of each tag, imported ones first. */
  readonly tags: readonly number[];
  readonly maxNesting: number;
  readonly maxLocals: number;
  /** Does a call end a region? Without handlers in the module nothing runs on after an exception, and the sums are the same. */
  readonly splitAtCalls: boolean;
}

export class FunctionScan {
  readonly places = new Insertions();
  readonly seenFeatures = new Uint8Array(16);
  /** First byte after the declarations of locals. */
  codeStart = 0;
  /** Offset of the locals' group count, and that count. */
  localsStart = 0;
  localGroups = 0;
  /** Parameters and locals. */
  locals = 0;
  instructions = 0;
  handlesExceptions = false;
  /** Conditional branches leave the function, so its body must be wrapped. */
  needsWrapper = false;
  needsSize = false;
  needsGrow = false;
  hasLoops = false;

  readonly #facts: ModuleFacts;
  readonly #control = new ControlStack();
  #reader = new ByteReader(new Uint8Array(0));
  #bytes: Uint8Array = new Uint8Array(0);
  #reachable = true;
  #region = 0;
  #cost = 0;
  #unchecked = 0;
  /** Has the local been outdated by a call? */
  #stale = false;
  /** Does the global have what the local has, or newer? */
  #flushed = false;

  constructor(facts: ModuleFacts) {
    this.#facts = facts;
  }

  /**
   * Scans the body `bytes[start, end)`, which begins with its declarations of locals.
   * @throws {component.refused}
   */
  scan(bytes: Uint8Array, start: number, end: number, signature: TypeRow): void {
    this.#bytes = bytes;
    this.#reader = new ByteReader(bytes, start, end);
    this.places.count = 0;
    this.handlesExceptions = this.needsWrapper = this.needsSize = this.needsGrow = false;
    this.hasLoops = this.#stale = this.#flushed = false;
    this.#control.clear();
    this.#readLocals(signature);
    this.#control.push(frameKind.function, true, 0, this.#facts.maxNesting);
    this.#reachable = true;
    this.#unchecked = 0;
    this.#region = this.places.add(this.codeStart, place.entry, 0);
    this.#cost = 1 + (Math.max(0, this.locals - freeLocals) >> 3);
    this.#walk(end);
    if (this.#reader.at !== end) refuse("malformed", `a function ends at ${this.#reader.at}, not at ${end}`);
  }

  #readLocals(signature: TypeRow): void {
    const reader = this.#reader;
    this.localsStart = reader.at;
    this.localGroups = reader.u32();
    this.locals = signature.inputs;
    for (let group = 0; group < this.localGroups; group++) {
      this.locals += reader.u32();
      if (this.locals > this.#facts.maxLocals) refuse("limit.locals", `more than ${this.#facts.maxLocals} locals`);
      skipValueType(reader);
    }
    this.codeStart = reader.at;
  }

  /** The loop over instructions; the common shapes are stepped over here, without a call. */
  #walk(end: number): void {
    const reader = this.#reader;
    const bytes = this.#bytes;
    let at = reader.at;
    while (at < end) {
      const start = at;
      let code = bytes[at++] as number;
      if (code >= 0xfb) {
        reader.at = start;
        code = this.#prefixed();
        at = reader.at;
      }
      this.instructions++;
      const what = actions[code] as number;
      this.seenFeatures[features[code] as number] = 1;
      if (what === action.plain) {
        const form = shapes[code] as number;
        if (form === shape.index) {
          while ((bytes[at++] as number) >= 0x80);
        } else if (form !== shape.none) {
          reader.at = at;
          this.#skipImmediates(form);
          at = reader.at;
        }
        this.#cost++;
      } else {
        reader.at = at;
        this.#act(what, code, start);
        at = reader.at;
        if (this.#control.depth === 0) return;
      }
    }
    refuse("malformed", `a function does not end before ${end}`);
  }

  #prefixed(): number {
    const reader = this.#reader;
    const prefix = reader.byte();
    const number = reader.u32();
    if (prefix === 0xfb && number <= 30) return gcBase + number;
    if (prefix === 0xfc && number <= 17) return miscBase + number;
    if (prefix === 0xfd && simdBase + number < opcodeCount) return simdBase + number;
    const name = `0x${prefix.toString(16)} 0x${number.toString(16)}`;
    if (prefix === 0xfe) return refuse("feature.atomics", `atomic instruction ${name}`);
    if (prefix === 0xfb && number >= 32 && number <= 38) return refuse("feature.custom-descriptors", `instruction ${name}`);
    return refuse("opcode.unknown", `instruction ${name}`);
  }

  #skipImmediates(form: number): void {
    const reader = this.#reader;
    if (form === shape.index) reader.skipInteger();
    else if (form === shape.twoIndices) {
      reader.skipInteger();
      reader.skipInteger();
    } else if (form === shape.memory || form === shape.memoryLane) {
      if ((reader.u32() & 0x40) !== 0) reader.skipInteger();
      reader.skipInteger();
      if (form === shape.memoryLane) reader.skip(1);
    } else if (form === shape.bytes1) reader.skip(1);
    else if (form === shape.bytes4) reader.skip(4);
    else if (form === shape.bytes8) reader.skip(8);
    else if (form === shape.bytes16) reader.skip(16);
    else if (form === shape.heapType) skipHeapType(reader);
    else if (form === shape.valueTypes) {
      const count = reader.u32();
      for (let index = 0; index < count; index++) skipValueType(reader);
    } else refuse("malformed", `immediates of form ${form} at ${reader.at}`);
  }

  #act(what: number, code: number, start: number): void {
    switch (what) {
      case action.free:
        return;
      case action.block:
        this.#readBlockType();
        return this.#push(frameKind.block);
      case action.loop:
        return this.#loop(start);
      case action.if:
        this.#readBlockType();
        return this.#if(start);
      case action.else:
        return this.#otherArm(frameKind.else, start);
      case action.try:
      case action.catch:
      case action.catchAll:
      case action.delegate:
      case action.rethrow:
      case action.tryTable:
        return this.#exceptions(what, start);
      case action.end:
        return this.#end(start);
      case action.branch:
      case action.branchIf:
      case action.branchTable:
      case action.branchCast:
        return this.#branches(what, start);
      case action.return:
      case action.unreachable:
        return this.#leave(start, 0);
      case action.throw:
        return this.#throw(start);
      case action.throwRef:
        return this.#leave(start, 1);
      case action.call:
        this.#skipImmediates(shapes[code] as number);
        return this.#call(start);
      case action.tailCall:
        this.#skipImmediates(shapes[code] as number);
        return this.#leave(start, 1);
      case action.refused:
        if (code >= 0xe0 && code <= 0xe6) return refuse("feature.stack-switching", `opcode 0x${code.toString(16)}`);
        return refuse("opcode.unknown", `opcode 0x${code.toString(16)} at ${start}`);
      default:
        return this.#chargedBySize(what, code, start);
    }
  }

  // --- regions ---

  #startRegion(kind: number): void {
    this.#region = this.places.add(this.#reader.at, kind, 0);
    this.#cost = 0;
    this.#flushed = false;
  }

  /** Before the instruction at `at` the local must be up to date. */
  #freshen(at: number): void {
    if (!this.#stale) return;
    this.places.add(at, place.reload, 0);
    this.#stale = false;
  }

  /** Before the instruction at `at` the global must be up to date. */
  #flush(at: number, kind: number = place.flush): void {
    if (!this.#flushed) this.places.add(at, kind, 0);
  }

  /** Ends the region before or with the instruction at `at`: fixes its cost and decides whether its start must check. */
  #endRegion(at: number): void {
    const { places } = this;
    this.#freshen(at);
    const index = this.#region;
    const kind = places.kind[index] as number;
    const cost = this.#cost;
    places.value[index] = cost;
    this.#cost = 0;
    if (kind === place.entry || kind === place.check) {
      this.#unchecked = 0;
      return;
    }
    this.#unchecked += cost;
    if (cost > 0 && this.#unchecked > uncheckedUnits) {
      places.kind[index] = kind === place.charge ? place.check : place.reloadCheck;
      this.#unchecked = 0;
    }
  }

  #leave(start: number, cost: number): void {
    if (!this.#reachable) return;
    this.#cost += cost;
    if (this.#flushed) this.#stale = false;
    this.#endRegion(start);
    this.#flush(start);
    this.#reachable = false;
  }

  #call(start: number): void {
    this.#control.disqualifyLoop();
    if (!this.#reachable) return;
    this.#cost++;
    if (this.#facts.splitAtCalls) {
      this.#endRegion(start);
      this.#flush(start);
      this.#startRegion(place.reload);
      return;
    }
    this.#flush(start);
    this.#flushed = this.#stale = true;
  }

  #throw(start: number): void {
    const tag = this.#facts.tags[this.#reader.u32()];
    const signature = tag === undefined ? undefined : this.#facts.types[tag];
    if (signature === undefined) return refuse("malformed", `no tag for the throw at ${start}`);
    this.#leave(start, 1 + exceptionUnits + signature.bytes);
  }

  // --- structure ---

  #readBlockType(): number {
    const reader = this.#reader;
    const start = reader.at;
    const value = reader.s33();
    if (value >= 0) {
      const type = this.#facts.types[value];
      if (type === undefined) return refuse("malformed", `no type ${value} for the block at ${start}`);
      if (type.inputs > 0 || type.outputs > 1) this.seenFeatures[3] = 1;
      return type.inputs;
    }
    if (value === -64) return 0;
    reader.at = start;
    skipValueType(reader);
    return 0;
  }

  #push(kind: number): void {
    this.#control.push(kind, this.#reachable, this.#unchecked, this.#facts.maxNesting);
  }

  #loop(start: number): void {
    const inputs = this.#readBlockType();
    if (!this.#reachable) return this.#push(frameKind.loop);
    this.hasLoops = true;
    this.#endRegion(start);
    const mark = this.places.add(start, place.nothing, start + 1);
    this.#push(frameKind.loop);
    this.#control.markLoop(mark, inputs === 0);
    this.#startRegion(place.check);
  }

  #if(start: number): void {
    if (this.#reachable) {
      this.#cost++;
      this.#endRegion(start);
    }
    this.#push(frameKind.if);
    if (this.#reachable) this.#startRegion(place.charge);
  }

  /** At else and catch: the arm before is done, the next begins with the state at the opening. */
  #otherArm(kind: number, start: number): void {
    const control = this.#control;
    if (control.wasReachable() && this.#reachable) {
      this.#endRegion(start);
      control.joinHere(this.#unchecked);
    }
    control.setKind(kind);
    this.#reachable = control.wasReachable();
    this.#unchecked = kind === frameKind.catch ? uncheckedUnits + 1 : control.uncheckedAtStart();
    if (this.#reachable) this.#startRegion(place.charge);
  }

  #end(start: number): void {
    const control = this.#control;
    const kind = control.kind();
    if (!control.wasReachable()) {
      control.pop();
      return;
    }
    if (kind === frameKind.loop) return this.#endLoop();
    const implicitArm = kind === frameKind.if;
    const isJoin = control.isTarget() || implicitArm;
    if (kind === frameKind.function) {
      if (this.#reachable) this.#endFunction(start);
      control.pop();
      return;
    }
    if (!isJoin) {
      control.pop();
      return;
    }
    let unchecked = control.uncheckedAtJoin();
    if (implicitArm) unchecked = Math.max(unchecked, control.uncheckedAtStart());
    if (this.#reachable) {
      this.#endRegion(start);
      unchecked = Math.max(unchecked, this.#unchecked);
    }
    control.pop();
    this.#reachable = true;
    this.#stale = false;
    this.#unchecked = unchecked;
    this.#startRegion(place.charge);
  }

  /** A body that is wrapped flushes at the end of the wrapper, and needs the local for it. */
  #endFunction(start: number): void {
    if (this.#flushed && !this.needsWrapper) this.#stale = false;
    this.#endRegion(start);
    this.#flush(start, place.flushUnlessWrapped);
  }

  /**
   * A loop that is branched to, has no inner loop, no call, no handler and no parameters gets a check that leaves the loop:
   * a call inside it, however cold, would keep the engine from unrolling it.
   */
  #endLoop(): void {
    const control = this.#control;
    const { places } = this;
    if (control.isTarget() && control.loopQualifies()) {
      const mark = control.loopMark();
      places.kind[mark] = place.loopOpen;
      for (let index = mark + 1; index < places.count; index++) {
        if (places.kind[index] === place.label) places.value[index] = (places.value[index] as number) + 3;
      }
      places.kind[mark + 1] = place.loopCheck;
      places.add(this.#reader.at, place.loopClose, places.value[mark + 1] as number);
    }
    control.pop();
  }

  // --- branches ---

  #branches(what: number, start: number): void {
    const reader = this.#reader;
    const live = this.#reachable;
    if (live) {
      this.#cost++;
      this.#endRegion(start);
    }
    if (what === action.branchTable) return this.#branchTable(start, live);
    if (what === action.branchCast) reader.skip(1);
    const at = reader.at;
    const depth = reader.u32();
    const conditional = what !== action.branch;
    if (live && this.#branchTo(depth)) {
      if (conditional) this.needsWrapper = true;
      else this.places.add(start, place.flushUnlessWrapped, 0);
    }
    if (this.#control.leavesLoop(depth)) this.places.add(at, place.label, depth);
    if (what === action.branchCast) {
      skipHeapType(reader);
      skipHeapType(reader);
    }
    if (!live) return;
    if (conditional) this.#startRegion(place.charge);
    else this.#reachable = false;
  }

  #branchTable(start: number, live: boolean): void {
    const reader = this.#reader;
    const flush = this.places.add(start, place.nothing, 0);
    const count = reader.u32();
    for (let index = 0; index <= count; index++) {
      const at = reader.at;
      const depth = reader.u32();
      if (live && this.#branchTo(depth)) this.places.kind[flush] = place.flushUnlessWrapped;
      if (this.#control.leavesLoop(depth)) this.places.add(at, place.label, depth);
    }
    this.#reachable = false;
  }

  /** Notes a branch; answers whether it leaves the function. */
  #branchTo(depth: number): boolean {
    return this.#control.branchTo(depth, this.#unchecked) === frameKind.function;
  }

  // --- exceptions ---

  #exceptions(what: number, start: number): void {
    const reader = this.#reader;
    this.handlesExceptions = true;
    this.#control.disqualifyLoop();
    if (what === action.try) {
      this.#readBlockType();
      if (this.#reachable) this.#cost++;
      return this.#push(frameKind.try);
    }
    if (what === action.tryTable) return this.#tryTable();
    if (what === action.catchAll) return this.#otherArm(frameKind.catch, start);
    const operand = reader.u32();
    if (what === action.catch) return this.#otherArm(frameKind.catch, start);
    if (what === action.rethrow) return this.#leave(start, 1);
    if (operand >= this.#control.depth) return refuse("malformed", `no handler for the delegate at ${start}`);
    this.#end(start);
  }

  #tryTable(): void {
    const reader = this.#reader;
    this.#readBlockType();
    if (this.#reachable) this.#cost++;
    const count = reader.u32();
    for (let index = 0; index < count; index++) {
      if (reader.byte() < 2) reader.skipInteger();
      const depth = reader.u32();
      // Whatever the body charged since its last check may stand unchecked at the handler.
      if (this.#reachable) this.#control.branchTo(depth, uncheckedUnits + 1);
    }
    this.#push(frameKind.block);
  }

  // --- charges by size ---

  #chargedBySize(what: number, code: number, start: number): void {
    const reader = this.#reader;
    const at = reader.at;
    const type = what === action.structNew || what === action.arrayNew || what === action.arrayNewFixed ? this.#facts.types[reader.u32()] : undefined;
    reader.at = at;
    this.#skipFor(code);
    if (!this.#reachable) return;
    this.#cost++;
    if (what === action.sized) return this.#bySize(start, 1);
    if (what === action.memoryGrow) return this.#grow(start, unitsPerPage);
    if (what === action.tableGrow) return this.#grow(start, 1);
    if (type === undefined) return refuse("malformed", `no type for the allocation at ${start}`);
    if (what === action.structNew) {
      this.#cost += type.bytes;
      return;
    }
    this.#cost += arrayHeaderBytes;
    if (what === action.arrayNew) return this.#bySize(start, type.bytes);
    reader.at = at;
    reader.skipInteger();
    this.#cost += reader.u32() * type.bytes;
  }

  #skipFor(code: number): void {
    this.#skipImmediates(shapes[code] as number);
  }

  #bySize(start: number, units: number): void {
    this.needsSize = true;
    this.#control.disqualifyLoop();
    this.#freshen(start);
    this.#flushed = false;
    this.places.add(start, place.bySize, units);
    this.#unchecked = 0;
  }

  #grow(start: number, units: number): void {
    this.needsSize = this.needsGrow = true;
    this.#control.disqualifyLoop();
    this.#freshen(start);
    this.#flushed = false;
    this.places.add(start, place.growBefore, 0);
    this.places.add(this.#reader.at, place.growAfter, units);
    this.#unchecked = 0;
  }
}
