import fc from "fast-check";
import { extract } from "tar-stream";
import { gunzipSync, gzipSync } from "node:zlib";
import { hasCode } from "@althing/contract";
import { expect, test } from "vitest";
import { readBundle, readBundleFiles, readTar, type BundleSummary } from "./read-bundle.ts";
import { bundleFile, packBundle, writeTar, type BundleFile } from "./write-bundle.ts";
import { checkBundleLayout } from "./bundle-layout.ts";
import { bundleRules, showPath } from "./bundle-rules.ts";

const seed = 20_261_122;

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts);
}

async function rulesOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "accepted";
  } catch (error) {
    if (hasCode(error, "bundle.malformed")) return String(error.params["rule"]);
    if (hasCode(error, "bundle.too_large")) return String(error.params["unit"]);
    throw error;
  }
}

/** For `catch`: a refusal of the reader is no summary; anything else is a failure of the test. */
function refusedOnly(error: unknown): undefined {
  expect(hasCode(error, "bundle.malformed", "bundle.too_large")).toBe(true);
  return undefined;
}

const packRule = (...paths: string[]) => rulesOf(bytesOf(writeTar(paths.map((path) => bundleFile(path, "x")))));

const segment = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9._ ~-]{1,20}$/),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
  fc.constantFrom("x".repeat(101), "é".repeat(60), "ui"),
);
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join("/"));
const files = fc.uniqueArray(fc.record({ path, bytes: fc.uint8Array({ maxLength: 1_100 }) }), {
  minLength: 1,
  maxLength: 8,
  selector: (file) => file.path,
});

test("what the writer takes, the reader takes with the same entries and hash, in any order and cut", async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(files, fc.integer({ min: 1, max: 2_000 }), async (made, cut) => {
      const list: BundleFile[] = made.map((file) => bundleFile(file.path, file.bytes));
      const first = await packBundle(list).catch((error: unknown) => error);
      const again = await packBundle(list.toReversed()).catch((error: unknown) => error);
      if (first instanceof Error) {
        expect(hasCode(first, "bundle.malformed")).toBe(true);
        expect(again).toBeInstanceOf(Error);
        return;
      }
      taken++;
      expect(again).toEqual(first);
      const { bundle, contentHash } = first as { bundle: Uint8Array; contentHash: string };
      const pieces = Array.from({ length: Math.ceil(bundle.length / cut) }, (_, index) => bundle.subarray(index * cut, (index + 1) * cut));
      const { summary, files: kept } = await readBundleFiles(pieces, Object.fromEntries(made.map((file) => [file.path, 2_000])));
      expect(summary.contentHash).toBe(contentHash);
      for (const file of made) expect(Buffer.compare(kept.get(file.path) ?? Buffer.of(1, 2, 3), file.bytes)).toBe(0);
      expect((await bytesOf(writeTar(list))).equals(gunzipSync(bundle))).toBe(true);
    }),
    { seed, numRuns: 150 },
  );
  expect(taken).toBeGreaterThan(40);
});

test("no byte of an accepted tar can change without a refusal or another content hash", async () => {
  const long = `ui/${"n".repeat(120)}`;
  const tar = await bytesOf(
    writeTar([bundleFile("extension.wasm", "\0asm"), bundleFile("manifest.json", "{}"), bundleFile(long, "y".repeat(512))]),
  );
  const { contentHash } = await readTar([tar]);
  const sizesOf = (summary: BundleSummary) => summary.entries.map((entry) => entry.sizeBytes);
  let accepted = 0;
  for (let at = 0; at < tar.length; at++) {
    for (const flip of [1, 0x80, 0xff]) {
      const changed = Buffer.from(tar);
      changed[at] = (changed[at] ?? 0) ^ flip;
      const summary = await readTar([changed]).catch(refusedOnly);
      if (summary === undefined) continue;
      accepted++;
      expect(summary.contentHash).not.toBe(contentHash);
      expect(sizesOf(summary)).toEqual([4, 2, 512]);
    }
  }
  expect(accepted).toBeGreaterThanOrEqual((4 + 2 + 512) * 3);
});

test("random damage to the gzip file never gives another accepted bundle with the old hash's content", async () => {
  const { bundle, contentHash } = await packBundle([bundleFile("manifest.json", "{}".repeat(300)), bundleFile("extension.wasm", "\0asm")]);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 10, max: bundle.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const changed = Buffer.from(bundle);
      changed[at] = (changed[at] ?? 0) ^ flip;
      const summary = await readBundle([changed]).catch(refusedOnly);
      if (summary !== undefined) expect(summary.contentHash).toBe(contentHash);
    }),
    { seed, numRuns: 300 },
  );
});

test("another tar reader sees the same names and bytes", async () => {
  const made = ["a", `ui/${"d".repeat(90)}/${"n".repeat(99)}`, `${"p".repeat(200)}`, "ui/größe.txt"];
  const tar = await bytesOf(writeTar(made.map((name) => bundleFile(name, name))));
  const seen = new Map<string, string>();
  const reader = extract();
  reader.end(tar);
  for await (const entry of reader) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    seen.set(entry.header.name, Buffer.concat(parts).toString());
  }
  expect(seen).toEqual(new Map(made.map((name) => [name, name])));
});

test.each([
  ["traversal", "../x"],
  ["traversal", "ui/../x"],
  ["absolute", "/etc/passwd"],
  ["absolute", "C:/windows"],
  ["backslash", "ui\\x"],
  ["noncanonical_path", "ui//x"],
  ["noncanonical_path", "./x"],
  ["noncanonical_path", "ui/"],
  ["empty_name", ""],
  ["path_too_long", `${"a/".repeat(127)}bc`],
  ["control_character", "a\u0000b"],
  ["control_character", "ui/\u202egpj.exe"],
  ["control_character", "a\u2028b"],
  ["invalid_utf8", "a\ud800"],
])("the writer refuses %s: %j", async (rule, bad) => {
  expect(await packRule(bad)).toBe(rule);
});

test.each([
  ["duplicate", ["a", "a"]],
  ["casefold_twin", ["ui/Straße", "ui/STRASSE"]],
  ["casefold_twin", ["ui/ẞ", "ui/ss"]],
  ["casefold_twin", ["Ui/a", "ui/b"]],
  ["unicode_twin", ["ui/\u00e9", "ui/e\u0301"]],
  ["unicode_twin", ["ui/²", "ui/2"]],
  ["unicode_twin", ["ui/a", "ui/a\u200b"]],
  ["path_conflict", ["ui", "ui/a"]],
  ["path_conflict", ["UI", "ui/a"]],
  ["path_conflict", ["a", "a!", "a/b"]],
  ["accepted", ["ui/ı", "ui/i"]],
  ["accepted", ["a", "a.", "b/..b"]],
])("beside each other: %s for %j", async (rule, paths) => {
  expect(await packRule(...paths)).toBe(rule);
});

test("a pax header is written exactly where ustar cannot hold the path, and refused elsewhere", async () => {
  const types = async (name: string) => String.fromCharCode((await bytesOf(writeTar([bundleFile(name, "")])))[156] ?? 0);
  expect(await types("n".repeat(100))).toBe("0");
  expect(await types("n".repeat(101))).toBe("x");
  expect(await types(`${"p".repeat(155)}/${"n".repeat(99)}`)).toBe("0");
  expect(await types(`${"p".repeat(156)}/n`)).toBe("x");
});

test("refusals name the path so that nothing in it can act on a terminal, and cut it", async () => {
  expect(showPath("a\u001b[31m\u202eé")).toBe("a\\u{1b}[31m\\u{202e}\\u{e9}");
  expect(showPath("x".repeat(1_000)).length).toBeLessThan(320);
  await expect(readBundle([gzipSync(Buffer.alloc(1_024))])).rejects.toMatchObject({
    code: "bundle.malformed",
    params: { rule: "empty", detail: bundleRules.empty },
  });
});

test("an extension needs its two files and holds nothing unread", () => {
  const entries = (...paths: string[]) => paths.map((name) => ({ path: name, sizeBytes: 0, sha256: "" }));
  expect(() => checkBundleLayout(entries("extension.wasm", "manifest.json", "sbom.json", "ui/index.html"))).not.toThrow();
  expect(() => checkBundleLayout(entries("extension.wasm"))).toThrow("missing_file at manifest.json");
  expect(() => checkBundleLayout(entries("extension.wasm", "hidden", "manifest.json"))).toThrow("foreign_file at hidden");
});

test("content of another size than said, and a wanted file that is too large, are refused", async () => {
  const lying = { path: "a", sizeBytes: 3, content: () => [Buffer.from("12")] };
  expect(await rulesOf(packBundle([lying]))).toBe("lying_size");
  expect(await rulesOf(packBundle([{ ...lying, sizeBytes: 1 }]))).toBe("lying_size");
  const { bundle } = await packBundle([bundleFile("manifest.json", "x".repeat(11))]);
  expect(await rulesOf(readBundleFiles([bundle], { "manifest.json": 10 }))).toBe("bytes unpacked");
  expect(await rulesOf(readBundle([bundle], { limits: { maxPackedBytes: bundle.length - 1 } }))).toBe("bytes packed");
});
