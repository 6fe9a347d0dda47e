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
import { ByteReader } from "./byte-reader.ts";
import { ControlStack, frameKind } from "./control-stack.ts";
import { allocationUnits, entryUnits, exceptionUnits, uncheckedUnits, unitsPerPage } from "./costs.ts";
import { Insertions, place } from "./insertions.ts";
import { Regions } from "./regions.ts";
import { readOpcode, skipImmediates } from "./instructions.ts";
import { action, actions, features, quick, shapes } from "./opcodes.ts";
import { refuse } from "./refusal.ts";
import { skipHeapType, skipValueType, type TypeRow } from "./type-section.ts";

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
  readonly #regions = new Regions(this.places);
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
    this.hasLoops = false;
    this.#control.clear();
    this.#readLocals(signature);
    this.#control.push(frameKind.function, true, 0, this.#facts.maxNesting);
    this.#reachable = true;
    this.#regions.begin(this.codeStart, entryUnits(this.locals));
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

  /** The loop over instructions; the common ones are stepped over here, without a call. */
  #walk(end: number): void {
    const reader = this.#reader;
    const bytes = this.#bytes;
    let at = reader.at;
    let plain = 0;
    this.seenFeatures[0] = 1;
    while (at < end) {
      const code = bytes[at] as number;
      const form = quick[code] as number;
      if (form === 0 || (form === 3 && (bytes[at + 1] as number) >= 0x40)) {
        this.#regions.cost += plain;
        this.instructions += plain + 1;
        plain = 0;
        reader.at = at;
        this.#step(at);
        at = reader.at;
        if (this.#control.depth === 0) return;
        continue;
      }
      at += form === 3 ? 2 : 1;
      if (form !== 1) while ((bytes[at++] as number) >= 0x80);
      plain++;
    }
    refuse("malformed", `a function does not end before ${end}`);
  }

  /** One instruction of any kind. */
  #step(start: number): void {
    const code = readOpcode(this.#reader);
    const what = actions[code] as number;
    this.seenFeatures[features[code] as number] = 1;
    if (what !== action.plain) return this.#act(what, code, start);
    skipImmediates(this.#reader, shapes[code] as number);
    this.#regions.cost++;
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
        skipImmediates(this.#reader, shapes[code] as number);
        return this.#call(start);
      case action.tailCall:
        skipImmediates(this.#reader, shapes[code] as number);
        return this.#leave(start, 1);
      case action.refused:
        if (code >= 0xe0 && code <= 0xe6) return refuse("feature.stack-switching", `opcode 0x${code.toString(16)}`);
        return refuse("opcode.unknown", `opcode 0x${code.toString(16)} at ${start}`);
      default:
        return this.#chargedBySize(what, code, start);
    }
  }

  // --- leaving ---

  #leave(start: number, cost: number): void {
    if (!this.#reachable) return;
    this.#regions.cost += cost;
    this.#regions.leave(start, place.flush);
    this.#reachable = false;
  }

  #call(start: number): void {
    this.#control.disqualifyLoop();
    if (!this.#reachable) return;
    this.#regions.cost++;
    this.#regions.call(start, this.#reader.at, this.#facts.splitAtCalls);
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
    this.#control.push(kind, this.#reachable, this.#regions.unchecked, this.#facts.maxNesting);
  }

  #loop(start: number): void {
    const inputs = this.#readBlockType();
    if (!this.#reachable) return this.#push(frameKind.loop);
    this.hasLoops = true;
    this.#regions.end(start);
    const mark = this.places.add(start, place.nothing, start + 1);
    this.#push(frameKind.loop);
    this.#control.markLoop(mark, inputs === 0);
    this.#regions.start(this.#reader.at, place.check);
  }

  #if(start: number): void {
    if (this.#reachable) {
      this.#regions.cost++;
      this.#regions.end(start);
    }
    this.#push(frameKind.if);
    if (this.#reachable) this.#regions.start(this.#reader.at, place.charge);
  }

  /** At else and catch: the arm before is done, the next begins with the state at the opening. */
  #otherArm(kind: number, start: number): void {
    const control = this.#control;
    if (control.wasReachable() && this.#reachable) {
      this.#regions.end(start);
      control.joinHere(this.#regions.unchecked);
    }
    control.setKind(kind);
    this.#reachable = control.wasReachable();
    this.#regions.unchecked = kind === frameKind.catch ? uncheckedUnits + 1 : control.uncheckedAtStart();
    if (this.#reachable) this.#regions.start(this.#reader.at, place.charge);
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
      if (this.#reachable) this.#regions.leave(start, place.flushUnlessWrapped, this.needsWrapper);
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
      this.#regions.end(start);
      unchecked = Math.max(unchecked, this.#regions.unchecked);
    }
    control.pop();
    this.#reachable = true;
    this.#regions.join(this.#reader.at, unchecked);
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
      this.#regions.cost++;
      this.#regions.end(start);
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
    if (conditional) this.#regions.start(this.#reader.at, place.charge);
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
    return this.#control.branchTo(depth, this.#regions.unchecked) === frameKind.function;
  }

  // --- exceptions ---

  #exceptions(what: number, start: number): void {
    const reader = this.#reader;
    this.handlesExceptions = true;
    this.#control.disqualifyLoop();
    if (what === action.try) {
      this.#readBlockType();
      if (this.#reachable) this.#regions.cost++;
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
    if (this.#reachable) this.#regions.cost++;
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
    skipImmediates(reader, shapes[code] as number);
    if (!this.#reachable) return;
    this.#regions.cost++;
    if (what === action.sized) return this.#bySize(start, 1);
    if (what === action.memoryGrow) return this.#grow(start, unitsPerPage);
    if (what === action.tableGrow) return this.#grow(start, 1);
    const { at: after } = reader;
    reader.at = at;
    const type = this.#facts.types[reader.u32()];
    if (type === undefined) return refuse("malformed", `no type for the allocation at ${start}`);
    this.#regions.cost += allocationUnits(what, type, reader);
    reader.at = after;
    if (what === action.arrayNew) this.#bySize(start, type.bytes);
  }

  #bySize(start: number, units: number): void {
    this.needsSize = true;
    this.#control.disqualifyLoop();
    this.#regions.chargeOutside(start);
    this.places.add(start, place.bySize, units);
  }

  #grow(start: number, units: number): void {
    this.needsSize = this.needsGrow = true;
    this.#control.disqualifyLoop();
    this.#regions.chargeOutside(start);
    this.places.add(start, place.growBefore, 0);
    this.places.add(this.#reader.at, place.growAfter, units);
  }
}
