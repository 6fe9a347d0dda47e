/**
 * The canonical bytes before an entry's data: one ustar header, or a pax header where ustar cannot hold the path.
 *
 * Invariant: `encodeHead` is the only definition of the form; `decodeHead` takes path and size out of a head, encodes them again and refuses
 * any difference, so there is no field that a reader could forget to check. A general tar reader (tar-stream) accepts a dozen dialects and
 * would have to be distrusted field by field; here parsing is two names and one number. Form: POSIX.1-2017 "pax", docs/architecture/bundles.md.
 */
import { decodePath, encodePath } from "./bundle-path.ts";
import { malformedBundle, type BundleRule } from "./bundle-rules.ts";

export const blockBytes = 512;
/** Eleven octal digits. */
export const maxEntryBytes = 0o77777777777;
const maxNameBytes = 100;
const maxPrefixBytes = 155;
const paxName = Buffer.from("PaxHeaders/x");
const slash = 0x2f;

/** Offset and length of the fields that we read or name in refusals. */
const fields = { name: [0, 100], size: [124, 12], checksum: [148, 8], type: [156, 1], prefix: [345, 155] } as const;

function fieldOf(block: Uint8Array, field: keyof typeof fields): Uint8Array {
  const [offset, length] = fields[field];
  return block.subarray(offset, offset + length);
}

function encodeBlock(type: "0" | "x", name: Uint8Array, prefix: Uint8Array, sizeBytes: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.set(name, fields.name[0]);
  block.write("0000644\x000000000\x000000000\0", 100, "latin1");
  block.write(`${sizeBytes.toString(8).padStart(11, "0")}\x0000000000000\0        ${type}`, fields.size[0], "latin1");
  block.write("ustar\x0000", 257, "latin1");
  block.write("0000000\x000000000\0", 329, "latin1");
  block.set(prefix, fields.prefix[0]);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, fields.checksum[0], "latin1");
  return block;
}

/** Where the path is cut into prefix and name: 0 when it needs no prefix, `undefined` when ustar cannot hold it. */
function splitAt(path: Uint8Array): number | undefined {
  if (path.length <= maxNameBytes) return 0;
  for (let at = 1; at <= maxPrefixBytes && at < path.length - 1; at++) {
    if (path[at] === slash && path.length - at - 1 <= maxNameBytes) return at;
  }
  return undefined;
}

/** `<length> path=<path>\n`, the length counting itself (POSIX.1-2017, "pax Extended Header"). */
function paxRecord(path: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(" path="), path, Buffer.from("\n")]);
  let digits = 1;
  while (String(rest.length + digits).length !== digits) digits++;
  return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
}

/**
 * One or three blocks.
 * @throws {bundle.malformed} the path is none that a bundle may hold, or the size none that it can write
 */
export function encodeHead(path: string, sizeBytes: number): Buffer {
  const bytes = encodePath(path);
  if (!Number.isInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > maxEntryBytes) throw malformedBundle("lying_size", path);
  const cut = splitAt(bytes);
  if (cut !== undefined) {
    return encodeBlock("0", cut === 0 ? bytes : bytes.subarray(cut + 1), bytes.subarray(0, cut), sizeBytes);
  }
  const record = paxRecord(bytes);
  const body = Buffer.concat([record], blockBytes);
  const none = new Uint8Array();
  return Buffer.concat([
    encodeBlock("x", paxName, none, record.length),
    body,
    encodeBlock("0", bytes.subarray(0, maxNameBytes), none, sizeBytes),
  ]);
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** What stands in a name field: all before the first NUL, and nothing may follow that. */
function nameIn(block: Uint8Array, field: "name" | "prefix"): Buffer {
  const bytes = Buffer.from(fieldOf(block, field));
  const end = bytes.indexOf(0);
  if (end < 0) return bytes;
  if (!isZero(bytes.subarray(end))) throw malformedBundle("nul_name", bytes.toString("latin1"));
  return bytes.subarray(0, end);
}

function sizeIn(block: Uint8Array): number {
  const digits = Buffer.from(fieldOf(block, "size")).toString("latin1");
  if (!/^[0-7]{11}\0$/.test(digits)) throw malformedBundle("lying_size", shownName(block));
  return Number.parseInt(digits, 8);
}

/** The name as it stands, for refusals only. */
function shownName(block: Uint8Array): string {
  return Buffer.from(fieldOf(block, "name")).toString("utf8").replace(/\0.*$/s, "");
}

const typeRules: Readonly<Record<string, BundleRule>> = {
  "1": "link",
  "2": "link",
  "3": "device",
  "4": "device",
  "5": "directory",
  "6": "device",
  "7": "unknown_type",
  S: "sparse",
  L: "gnu_longname",
  K: "gnu_longname",
  g: "pax_trick",
  "\0": "noncanonical_header",
};

/**
 * How many bytes the head has of which this is the first block.
 * @throws {bundle.malformed} when the block opens no file
 */
export function headBytes(block: Uint8Array): number {
  const type = String.fromCharCode(fieldOf(block, "type")[0] ?? 0);
  if (type === "0") return blockBytes;
  if (type !== "x") throw malformedBundle(typeRules[type] ?? "unknown_type", shownName(block));
  if (!nameIn(block, "name").equals(paxName)) throw malformedBundle("noncanonical_header", shownName(block));
  const record = sizeIn(block);
  if (record === 0 || record > blockBytes) throw malformedBundle("pax_trick");
  return blockBytes * 3;
}

function pathOfRecord(record: Buffer): Buffer {
  if (record.includes("GNU.sparse.")) throw malformedBundle("sparse");
  const start = record.indexOf(" path=");
  const path = record.subarray(start + 6, -1);
  if (start < 1 || start > 3 || path.length === 0 || !paxRecord(path).equals(record)) throw malformedBundle("pax_trick");
  return path;
}

function pathIn(head: Buffer): Buffer {
  if (head.length > blockBytes) return pathOfRecord(head.subarray(blockBytes, blockBytes + sizeIn(head)));
  const name = nameIn(head, "name");
  const prefix = nameIn(head, "prefix");
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.of(slash), name]);
}

export interface EntryHead {
  readonly path: string;
  readonly pathBytes: Uint8Array;
  readonly sizeBytes: number;
}

/**
 * Path and size of a whole head (`headBytes`).
 * @throws {bundle.malformed} when the bytes are not the canonical ones of that path and size
 */
export function decodeHead(head: Buffer, maxPathBytes: number): EntryHead {
  const header = head.subarray(head.length - blockBytes);
  const pathBytes = pathIn(head);
  const path = decodePath(pathBytes, maxPathBytes);
  const type = fieldOf(header, "type")[0] ?? 0;
  if (type !== 0x30) throw malformedBundle(typeRules[String.fromCharCode(type)] ?? "pax_trick", path);
  const sizeBytes = sizeIn(header);
  const canonical = encodeHead(path, sizeBytes);
  if (!canonical.equals(head)) throw malformedBundle(differingRule(canonical, head), path);
  return { path, pathBytes, sizeBytes };
}

function differingRule(canonical: Buffer, head: Buffer): BundleRule {
  if (canonical.length !== head.length) return "noncanonical_header";
  const only = (from: number, to: number) =>
    canonical.subarray(0, from).equals(head.subarray(0, from)) && canonical.subarray(to).equals(head.subarray(to));
  const [offset, length] = fields.checksum;
  const last = head.length - blockBytes + offset;
  return only(last, last + length) ? "checksum" : "noncanonical_header";
}
