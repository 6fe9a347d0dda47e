/**
 * Joins neighbouring data segments of a core module into few large ones.
 *
 * Why: a snapshot of a language runtime comes as thousands of segments of some bytes each, and the engine pays for each of them at
 * every instantiation (measured: 7,900 segments are about 40 µs). Invariant: memory holds the same bytes after instantiation,
 * and nothing else can tell the difference; a module about which that is not certain is left as it is. It is certain when its one memory is
 * its own (so what lies between segments is zero), every segment stands at a literal address, above the one before it and within the
 * minimum (so none traps half way), and no instruction can name a segment (without a count of segments, validation allows none).
 */
import { ByteReader } from "../metering/byte-reader.ts";
import { ByteWriter } from "../metering/byte-writer.ts";
import { defaultMeterLimits } from "../metering/index.ts";
import { readLayout, sectionId, type Span } from "../metering/module-layout.ts";
import { pageBytes } from "./memory-plan.ts";

/** Zeros written between two segments at most; a whole page of the system would be touched for nothing. */
const maxGapBytes = 512;
const i32Const = 0x41;
const end = 0x0b;

interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** @returns `undefined` unless every segment stands at a literal address, in order, apart from the others and below `limit` */
function readSegments(module: Uint8Array, span: Span, limit: number): Segment[] | undefined {
  const reader = new ByteReader(module, span.start, span.end);
  const segments: Segment[] = [];
  let free = 0;
  for (let count = reader.u32(); count > 0; count--) {
    if (reader.u32() !== 0 || reader.byte() !== i32Const) return undefined;
    const address = reader.s33();
    if (reader.byte() !== end) return undefined;
    const bytes = reader.vector();
    // A negative literal, which is an address above 2 GiB, is below `free`: such a module stays as it is.
    if (address < free || address + bytes.length > limit) return undefined;
    free = address + bytes.length;
    segments.push({ address, bytes });
  }
  return segments;
}

function join(segments: readonly Segment[]): Segment[] {
  const groups: Segment[][] = [];
  let free = 0;
  for (const segment of segments) {
    const group = groups.at(-1);
    if (group === undefined || segment.address - free > maxGapBytes) groups.push([segment]);
    else group.push(segment);
    free = segment.address + segment.bytes.length;
  }
  return groups.flatMap((group) => {
    const [first, last] = [group[0], group.at(-1)];
    if (first === undefined || last === undefined) return [];
    const bytes = new Uint8Array(last.address + last.bytes.length - first.address);
    for (const segment of group) bytes.set(segment.bytes, segment.address - first.address);
    return [{ address: first.address, bytes }];
  });
}

function writeSegments(segments: readonly Segment[]): Uint8Array {
  const out = new ByteWriter(segments.reduce((total, { bytes }) => total + bytes.length + 16, 16));
  out.u32(segments.length);
  for (const { address, bytes } of segments) {
    out.room(16);
    out.byte(0);
    out.byte(i32Const);
    out.positive(address);
    out.byte(end);
    out.u32(bytes.length);
    out.copy(bytes, 0, bytes.length);
  }
  return out.finish();
}

/**
 * @param module one the engine takes
 * @returns the module with fewer segments, or `module` itself
 */
export function mergeDataSegments(module: Uint8Array): Uint8Array {
  const { sections, memories } = readLayout(module, defaultMeterLimits);
  const span = sections.get(sectionId.data);
  // Of the memories a module defines; the layout knows of no module with two.
  const memory = memories[0];
  if (span === undefined || memory === undefined || sections.has(sectionId.dataCount)) return module;
  const segments = readSegments(module, span, memory.minimum * pageBytes);
  if (segments === undefined) return module;
  const joined = join(segments);
  if (joined.length === segments.length) return module;
  const content = writeSegments(joined);
  const out = new ByteWriter(module.length + content.length);
  // The content of a section begins behind its id and its size, which may be written in more bytes than it needs.
  out.copy(module, 0, headerStart(module, span));
  out.room(16);
  out.byte(sectionId.data);
  out.u32(content.length);
  out.copy(content, 0, content.length);
  out.copy(module, span.end, module.length);
  return out.finish();
}

/** Where the section of this content begins. */
function headerStart(module: Uint8Array, content: Span): number {
  const reader = new ByteReader(module, 8);
  for (;;) {
    const start = reader.at;
    reader.byte();
    const size = reader.u32();
    if (reader.at === content.start) return start;
    reader.skip(size);
  }
}
