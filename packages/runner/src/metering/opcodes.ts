/**
 * The allow-list of instructions: for each opcode its immediates, what the pass does with it and the feature it belongs to.
 *
 * Invariant: an opcode without a row is refused. Rows are what V8 14.6 (Node 26) takes by default, minus atomics. Immediates are
 * told by shape only; the engine has validated their values. Opcodes of the prefixes 0xfb, 0xfc and 0xfd are indexed at
 * `gcBase`, `miscBase` and `simdBase`. Sources: WebAssembly core specification 3.0 §5.4, the legacy exception proposal, the
 * relaxed SIMD proposal.
 */

/** Shapes of immediates. */
export const shape = {
  none: 0,
  /** One integer. */
  index: 1,
  /** Two integers. */
  twoIndices: 2,
  /** Alignment with the memory-index flag, optional memory index, offset. */
  memory: 3,
  memoryLane: 4,
  bytes1: 5,
  bytes4: 6,
  bytes8: 7,
  bytes16: 8,
  heapType: 9,
  valueTypes: 10,
  block: 11,
  label: 12,
  labelTable: 13,
  castLabel: 14,
  tryTable: 15,
} as const;

/** What the scan does beyond counting one unit; `plain` rows cost one and nothing else happens. */
export const action = {
  refused: 0,
  plain: 1,
  free: 2,
  block: 3,
  loop: 4,
  if: 5,
  else: 6,
  try: 7,
  catch: 8,
  catchAll: 9,
  delegate: 10,
  tryTable: 11,
  end: 12,
  branch: 13,
  branchIf: 14,
  branchTable: 15,
  branchCast: 16,
  return: 17,
  unreachable: 18,
  throw: 19,
  rethrow: 20,
  throwRef: 21,
  call: 22,
  tailCall: 23,
  /** Charged by the 32-bit size on top of the stack. */
  sized: 24,
  memoryGrow: 25,
  tableGrow: 26,
  structNew: 27,
  arrayNew: 28,
  arrayNewFixed: 29,
} as const;

/** Names of the features in a report, by number. */
export const featureNames = [
  "mvp",
  "sign-extension",
  "saturating-float-to-int",
  "multi-value",
  "bulk-memory",
  "reference-types",
  "simd",
  "relaxed-simd",
  "tail-call",
  "exceptions",
  "legacy-exceptions",
  "exception-references",
  "function-references",
  "gc",
] as const;

type FeatureName = (typeof featureNames)[number];

export const gcBase = 0x100;
export const miscBase = 0x140;
export const simdBase = 0x160;
export const opcodeCount = simdBase + 0x114;

export const shapes = new Uint8Array(opcodeCount);
export const actions = new Uint8Array(opcodeCount);
export const features = new Uint8Array(opcodeCount);

function rows(feature: FeatureName, first: number, last: number, shapeNumber: number, actionNumber: number = action.plain): void {
  for (let code = first; code <= last; code++) {
    shapes[code] = shapeNumber;
    actions[code] = actionNumber;
    features[code] = featureNames.indexOf(feature);
  }
}

function row(feature: FeatureName, code: number, shapeNumber: number, actionNumber: number = action.plain): void {
  rows(feature, code, code, shapeNumber, actionNumber);
}

function defineControl(): void {
  row("mvp", 0x00, shape.none, action.unreachable);
  row("mvp", 0x01, shape.none, action.free);
  row("mvp", 0x02, shape.block, action.block);
  row("mvp", 0x03, shape.block, action.loop);
  row("mvp", 0x04, shape.block, action.if);
  row("mvp", 0x05, shape.none, action.else);
  row("legacy-exceptions", 0x06, shape.block, action.try);
  row("legacy-exceptions", 0x07, shape.index, action.catch);
  row("exceptions", 0x08, shape.index, action.throw);
  row("legacy-exceptions", 0x09, shape.index, action.rethrow);
  row("exception-references", 0x0a, shape.none, action.throwRef);
  row("mvp", 0x0b, shape.none, action.end);
  row("mvp", 0x0c, shape.label, action.branch);
  row("mvp", 0x0d, shape.label, action.branchIf);
  row("mvp", 0x0e, shape.labelTable, action.branchTable);
  row("mvp", 0x0f, shape.none, action.return);
  row("mvp", 0x10, shape.index, action.call);
  row("mvp", 0x11, shape.twoIndices, action.call);
  row("tail-call", 0x12, shape.index, action.tailCall);
  row("tail-call", 0x13, shape.twoIndices, action.tailCall);
  row("function-references", 0x14, shape.index, action.call);
  row("function-references", 0x15, shape.index, action.tailCall);
  row("legacy-exceptions", 0x18, shape.index, action.delegate);
  row("legacy-exceptions", 0x19, shape.none, action.catchAll);
  row("mvp", 0x1a, shape.none, action.free);
  row("mvp", 0x1b, shape.none);
  row("reference-types", 0x1c, shape.valueTypes);
  row("exception-references", 0x1f, shape.tryTable, action.tryTable);
}

function defineReferences(): void {
  rows("reference-types", 0x25, 0x26, shape.index);
  row("reference-types", 0xd0, shape.heapType);
  row("reference-types", 0xd1, shape.none);
  row("reference-types", 0xd2, shape.index);
  row("gc", 0xd3, shape.none);
  row("function-references", 0xd4, shape.none);
  rows("function-references", 0xd5, 0xd6, shape.label, action.branchIf);
}

function defineVariablesMemoryNumbers(): void {
  rows("mvp", 0x20, 0x24, shape.index);
  rows("mvp", 0x28, 0x3e, shape.memory);
  row("mvp", 0x3f, shape.index);
  row("mvp", 0x40, shape.index, action.memoryGrow);
  rows("mvp", 0x41, 0x42, shape.index);
  row("mvp", 0x43, shape.bytes4);
  row("mvp", 0x44, shape.bytes8);
  rows("mvp", 0x45, 0xbf, shape.none);
  rows("sign-extension", 0xc0, 0xc4, shape.none);
}

function defineGc(): void {
  rows("gc", gcBase + 0, gcBase + 1, shape.index, action.structNew);
  rows("gc", gcBase + 2, gcBase + 5, shape.twoIndices);
  rows("gc", gcBase + 6, gcBase + 7, shape.index, action.arrayNew);
  row("gc", gcBase + 8, shape.twoIndices, action.arrayNewFixed);
  rows("gc", gcBase + 9, gcBase + 10, shape.twoIndices, action.arrayNew);
  rows("gc", gcBase + 11, gcBase + 14, shape.index);
  row("gc", gcBase + 15, shape.none);
  row("gc", gcBase + 16, shape.index, action.sized);
  rows("gc", gcBase + 17, gcBase + 19, shape.twoIndices, action.sized);
  rows("gc", gcBase + 20, gcBase + 23, shape.heapType);
  rows("gc", gcBase + 24, gcBase + 25, shape.castLabel, action.branchCast);
  rows("gc", gcBase + 26, gcBase + 30, shape.none);
}

function defineMisc(): void {
  rows("saturating-float-to-int", miscBase + 0, miscBase + 7, shape.none);
  row("bulk-memory", miscBase + 8, shape.twoIndices, action.sized);
  row("bulk-memory", miscBase + 9, shape.index);
  row("bulk-memory", miscBase + 10, shape.twoIndices, action.sized);
  row("bulk-memory", miscBase + 11, shape.index, action.sized);
  row("bulk-memory", miscBase + 12, shape.twoIndices, action.sized);
  row("bulk-memory", miscBase + 13, shape.index);
  row("bulk-memory", miscBase + 14, shape.twoIndices, action.sized);
  row("reference-types", miscBase + 15, shape.index, action.tableGrow);
  row("reference-types", miscBase + 16, shape.index);
  row("reference-types", miscBase + 17, shape.index, action.sized);
}

/** Numbers between 0xfd 0x00 and 0xfd 0xff that no instruction has. */
const simdHoles = [0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee];

function defineSimd(): void {
  rows("simd", simdBase + 0x00, simdBase + 0x0b, shape.memory);
  rows("simd", simdBase + 0x0c, simdBase + 0x0d, shape.bytes16);
  rows("simd", simdBase + 0x0e, simdBase + 0xff, shape.none);
  rows("simd", simdBase + 0x15, simdBase + 0x22, shape.bytes1);
  rows("simd", simdBase + 0x54, simdBase + 0x5b, shape.memoryLane);
  rows("simd", simdBase + 0x5c, simdBase + 0x5d, shape.memory);
  for (const hole of simdHoles) row("simd", simdBase + hole, shape.none, action.refused);
  rows("relaxed-simd", simdBase + 0x100, simdBase + 0x113, shape.none);
}

defineControl();
defineReferences();
defineVariablesMemoryNumbers();
defineGc();
defineMisc();
defineSimd();

/**
 * For the scan's inner loop, by first byte: instructions of the first version of WebAssembly that cost one unit and have no
 * immediate (1), one integer (2), or an alignment and an offset (3); 0 for all others.
 */
export const quick = new Uint8Array(256);
for (let code = 0; code < quick.length; code++) {
  if (actions[code] !== action.plain || features[code] !== 0) continue;
  const form = shapes[code];
  quick[code] = form === shape.none ? 1 : form === shape.index ? 2 : form === shape.memory ? 3 : 0;
}
