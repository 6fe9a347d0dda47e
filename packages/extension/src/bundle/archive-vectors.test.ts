import { createHash } from "node:crypto";
import { crc32, createGzip, gzipSync, inflateSync } from "node:zlib";
import { Readable } from "node:stream";
import { hasCode } from "@althing/contract";
import { describe, expect, test } from "vitest";
import cases from "../../test/vectors/archives/cases.json" with { type: "json" };
import { readBundle, type BundleSummary } from "./read-bundle.ts";
import { encodeHead } from "./tar-form.ts";
import { bundleFile, packBundle, writeTar } from "./write-bundle.ts";

interface ArchiveCase {
  readonly id: string;
  readonly verdict: string;
  readonly class: string;
  readonly sha256?: string;
  readonly base64?: string;
  readonly deflated?: string;
  readonly entries?: readonly { readonly path: string; readonly size: number; readonly sha256: string }[];
  readonly entry_count?: number;
  readonly contentHash?: string;
}

const all = cases as readonly ArchiveCase[];
const files = all.filter((one) => one.sha256 !== undefined);

function bytesOf(one: ArchiveCase): Buffer {
  const bytes = one.deflated === undefined ? Buffer.from(one.base64 ?? "", "base64") : inflateSync(Buffer.from(one.deflated, "base64"));
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(one.sha256);
  return bytes;
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function outcome(read: Promise<BundleSummary>): Promise<{ verdict: "accept" | "reject"; rule: string; summary?: BundleSummary }> {
  try {
    return { verdict: "accept", rule: "", summary: await read };
  } catch (error) {
    if (!hasCode(error, "bundle.malformed", "bundle.too_large")) throw error;
    return { verdict: "reject", rule: String(error.params["rule"] ?? error.params["unit"]) };
  }
}

describe("shared archives", () => {
  test.each(files.map((one) => [one.id, one] as const))("%s has its verdict, whole and in pieces of 1, 7 and 511 bytes", async (_, one) => {
    const bytes = bytesOf(one);
    const whole = await outcome(readBundle([bytes]));
    if (one.verdict !== "either") expect(whole.verdict, whole.rule).toBe(one.verdict);
    for (const size of [1, 7, 511]) expect(await outcome(readBundle(pieces(bytes, size)))).toEqual(whole);
    if (whole.summary === undefined) return;
    expect(whole.summary.contentHash).toBe(one.contentHash);
    expect(whole.summary.entries).toHaveLength(one.entries?.length ?? one.entry_count ?? 0);
    const seen = whole.summary.entries.map(({ path, sizeBytes, sha256 }) => ({ path, size: sizeBytes, sha256 }));
    if (one.entries) expect(seen).toEqual(one.entries);
  });

  /** Where a refusal under another name is as right: what stands first in the file decides. */
  const alsoRight: Readonly<Record<string, readonly string[]>> = {
    "checksum-signed": ["control_character", "invalid_utf8"],
    "not-gzip-tar": ["gzip_form"],
    "pax-linkpath": ["pax_trick"],
    "pax-path-hides": ["noncanonical_header"],
    "pax-size-larger": ["pax_trick"],
    "pax-uid": ["pax_trick"],
    "size-no-nul": ["lying_size"],
    "size-spaces": ["lying_size"],
    "size-trailing-space": ["lying_size"],
    "size-smaller-hides-entry": ["unknown_type"],
  };

  test.each(files.filter((one) => one.verdict === "reject").map((one) => [one.id, one] as const))(
    "%s is refused by the rule of its class",
    async (_, one) => {
      const { rule } = await outcome(readBundle([bytesOf(one)]));
      const byClass: Readonly<Record<string, readonly string[]>> = {
        bomb: ["bytes unpacked", "trailing_data"],
        too_many_entries: ["entries"],
        nested: ["gzip_form"],
      };
      expect([one.class, ...(byClass[one.class] ?? []), ...(alsoRight[one.id] ?? [])]).toContain(rule);
    },
  );
});

describe("archives made here", () => {
  async function* endlessZeros(): AsyncGenerator<Uint8Array> {
    const size = 8 * 1024 ** 3 - 1;
    yield encodeHead("zeros", size);
    const block = Buffer.alloc(1 << 20);
    for (let sent = 0; sent < size; sent += block.length) yield block;
  }

  test("8 GiB of zeros are refused by the size that their header names, before they are read", async () => {
    const read = readBundle(Readable.from(endlessZeros()).pipe(createGzip()));
    expect(await outcome(read)).toEqual({ verdict: "reject", rule: "bytes unpacked" });
  });

  test("100,000 empty files are refused at the 2,001st", async () => {
    function* tar() {
      for (let index = 0; index < 100_000; index++) yield encodeHead(`f${String(index).padStart(6, "0")}`, 0);
    }
    const read = readBundle(Readable.from(tar()).pipe(createGzip({ level: 1 })));
    expect(await outcome(read)).toEqual({ verdict: "reject", rule: "entries" });
  });

  test("a million empty gzip members are refused after the first", async () => {
    const member = gzipSync(new Uint8Array());
    let sent = 0;
    function* members() {
      for (; sent < 1_000_000; sent++) yield member;
    }
    expect(await outcome(readBundle(members()))).toEqual({ verdict: "reject", rule: "trailing_data" });
    expect(sent).toBeLessThan(5_000);
  });

  test("a bundle of exactly the size limit is taken, one of a byte more is not, and memory grows by less than 64 MiB", async () => {
    const sizeBytes = 64 * 1024 * 1024;
    const zeros = Buffer.alloc(1 << 20);
    function* content(extra: number) {
      for (let sent = 0; sent < sizeBytes; sent += zeros.length) yield zeros;
      if (extra > 0) yield zeros.subarray(0, extra);
    }
    const tar = (extra: number) =>
      Readable.from(writeTar([{ path: "z", sizeBytes: sizeBytes + extra, content: () => content(extra) }], { maxUnpackedBytes: 2 ** 40 }));
    const before = process.memoryUsage().rss;
    let peak = before;
    const sink = { data: () => void (peak = Math.max(peak, process.memoryUsage().rss)) };
    const packed = () => tar(0).pipe(createGzip({ level: 1 }));
    expect((await readBundle(packed(), { sink })).unpackedBytes).toBe(sizeBytes);
    expect(peak - before).toBeLessThan(64 * 1024 * 1024);
    expect(await outcome(readBundle(tar(1).pipe(createGzip({ level: 1 }))))).toEqual({ verdict: "reject", rule: "bytes unpacked" });
  });

  test("a source that fails passes its failure on, and one that is refused is closed", async () => {
    const broken = async function* () {
      yield gzipSync("x").subarray(0, 5);
      throw new Error("the connection broke");
    };
    await expect(readBundle(broken())).rejects.toThrow("the connection broke");
    const upload = Readable.from([Buffer.alloc(20_000), Buffer.alloc(20_000)]);
    await outcome(readBundle(upload));
    expect(upload.destroyed).toBe(true);
  });

  test("a gzip header may carry a name and a time; a wrong header checksum is refused", async () => {
    const { bundle } = await packBundle([bundleFile("a", "1")]);
    const rest = Buffer.from(bundle).subarray(10);
    const header = Buffer.from([0x1f, 0x8b, 8, 8 | 2, 1, 2, 3, 4, 0, 3, ...Buffer.from("../../x\0")]);
    const sum = Buffer.alloc(2);
    sum.writeUInt16LE(crc32(header) & 0xffff);
    expect(await outcome(readBundle([header, sum, rest]))).toMatchObject({ verdict: "accept" });
    sum[0] = (sum[0] ?? 0) ^ 1;
    expect(await outcome(readBundle([header, sum, rest]))).toMatchObject({ rule: "gzip_form" });
  });
});
