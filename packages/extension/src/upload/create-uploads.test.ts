import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createHash, randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { AppError } from "@althing/contract";
import { tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inPieces, makePackage, multipartBytes, uploadOf, type MadePackage } from "../../test/make-package.ts";
import { bundleFile } from "../bundle/index.ts";
import { createUploads, type StagedBundle, type Uploads } from "./index.ts";

let dir: TempDir;
let uploads: Uploads;
let made: MadePackage;
const files = () => readdirSync(join(dir.path, "staging"));

beforeEach(async () => {
  dir = await tempDir();
  uploads = createUploads({ folder: join(dir.path, "staging") });
  made = await makePackage({ files: [bundleFile("sbom.json", "{}"), bundleFile("ui/index.html", "x".repeat(300_000))] });
});
afterEach(() => dir.remove());

async function whole(staged: StagedBundle): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const bytes = staged.bytes();
  if (bytes instanceof Uint8Array) return Buffer.from(bytes);
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

const bundlePart = () => ({ name: "bundle", bytes: made.bundle });
const signaturePart = () => ({ name: "signature", bytes: made.signature });

describe("an upload", () => {
  test.each([1, 7, 1_000, 1_000_000])("in pieces of %i bytes is staged with its hash, manifest and signature", async (size) => {
    const staged = await uploads.receive(uploadOf(multipartBytes([bundlePart(), signaturePart()]), size));
    expect(staged.contentHash).toBe(made.contentHash);
    expect(JSON.parse(Buffer.from(staged.manifestFile).toString())).toMatchObject({ name: "org.example.greeter" });
    expect(Buffer.from(staged.signature ?? []).toString()).toBe(made.signature);
    expect(staged.hasSbom).toBe(true);
    const tar = await whole(staged);
    expect(`sha256:${createHash("sha256").update(tar).digest("hex")}`).toBe(made.contentHash);
    expect(tar.equals(gunzipSync(made.bundle))).toBe(true);
    expect(staged.tarBytes).toBe(tar.length);
    expect(files()).toHaveLength(1);
    await staged.dispose();
    expect(files()).toEqual([]);
  });

  test("may have the signature first, or none", async () => {
    const first = await uploads.receive(uploadOf(multipartBytes([signaturePart(), bundlePart()])));
    expect(first.signature).toBeDefined();
    const none = await uploads.receive(uploadOf(multipartBytes([bundlePart()])));
    expect(none.signature).toBeUndefined();
    await Promise.all([first.dispose(), none.dispose()]);
  });

  test("whose last part is large and comes in pieces of any size is never left waiting", async () => {
    // Bytes that do not pack, so that the reader pauses for the disk.
    const large = await makePackage({ files: [bundleFile("ui/noise.bin", randomBytes(600_000))] });
    const body = multipartBytes([{ name: "bundle", bytes: large.bundle }]);
    for (const size of [4_096, 16_384, 61_440, 65_536, 65_537, 131_072, body.length - 1, body.length]) {
      const staged = await uploads.receive(uploadOf(body, size));
      expect(staged.contentHash, `pieces of ${size}`).toBe(large.contentHash);
      await staged.dispose();
    }
  });

  const refused: readonly (readonly [string, () => Buffer])[] = [
    ["two bundles", () => multipartBytes([bundlePart(), bundlePart()])],
    ["two signatures", () => multipartBytes([bundlePart(), signaturePart(), signaturePart()])],
    ["an unknown part before", () => multipartBytes([{ name: "note", bytes: "x" }, bundlePart()])],
    ["an unknown part after", () => multipartBytes([bundlePart(), { name: "note", bytes: "x" }])],
    ["a part named like a property of every object", () => multipartBytes([{ name: "constructor", bytes: "x" }, bundlePart()])],
    [
      "a part without a disposition",
      () => multipartBytes([bundlePart(), { name: undefined, head: "content-type: text/plain", bytes: "x" }]),
    ],
    [
      "a part that is an attachment",
      () => multipartBytes([{ name: "bundle", head: 'content-disposition: attachment; name="bundle"', bytes: made.bundle }]),
    ],
    [
      "a disposition that comes twice",
      () =>
        multipartBytes([
          {
            name: "bundle",
            head: 'content-disposition: form-data; name="x"\r\ncontent-disposition: form-data; name="bundle"',
            bytes: made.bundle,
          },
        ]),
    ],
    [
      "a part without headers",
      () =>
        Buffer.concat([multipartBytes([bundlePart()], ""), Buffer.from("--althing-test-boundary\r\nx\r\n--althing-test-boundary--\r\n")]),
    ],
    ["no bundle", () => multipartBytes([signaturePart()])],
    ["no parts", () => multipartBytes([])],
    ["nothing at all", () => Buffer.alloc(0)],
    ["no last boundary", () => multipartBytes([bundlePart(), signaturePart()], "")],
    ["a body that stops inside the bundle", () => multipartBytes([bundlePart()]).subarray(0, 500)],
    [
      "headers of more than 4 KiB",
      () =>
        multipartBytes([
          { name: "bundle", head: `x-long: ${"y".repeat(5_000)}\r\ncontent-disposition: form-data; name="bundle"`, bytes: made.bundle },
        ]),
    ],
    [
      "a signature of more than 512 KiB",
      () => multipartBytes([bundlePart(), { name: "signature", bytes: Buffer.alloc(512 * 1024 + 1, 97) }]),
    ],
  ];
  test.each(refused)("with %s is malformed and leaves nothing", async (_what, body) => {
    await expect(uploads.receive(uploadOf(body()))).rejects.toMatchObject({ code: "upload.malformed", status: 400 });
    expect(files()).toEqual([]);
  });

  test.each([
    "multipart/form-data",
    "multipart/mixed; boundary=x",
    "application/json",
    "",
    "multipart/form-data; boundary=",
    `multipart/form-data; boundary=${"x".repeat(71)}`,
  ])("of type %j is malformed", async (contentType) => {
    await expect(uploads.receive({ contentType, bytes: inPieces(multipartBytes([bundlePart()])) })).rejects.toMatchObject({
      code: "upload.malformed",
    });
  });

  test("that breaks off leaves nothing; an error of the sender's that has a code keeps it", async () => {
    const body = multipartBytes([bundlePart(), signaturePart()]);
    const broken = (error: Error) => ({ ...uploadOf(body), bytes: inPieces(body, 50, error) });
    await expect(uploads.receive(broken(new Error("reset")))).rejects.toMatchObject({ code: "upload.malformed" });
    await expect(uploads.receive(broken(new AppError("auth.digest_mismatch")))).rejects.toMatchObject({ code: "auth.digest_mismatch" });
    expect(files()).toEqual([]);
  });

  test("whose digest turns out wrong after the last byte leaves nothing", async () => {
    const body = multipartBytes([bundlePart()]);
    async function* lying() {
      yield* inPieces(body);
      throw new AppError("auth.digest_mismatch");
    }
    await expect(uploads.receive({ ...uploadOf(body), bytes: lying() })).rejects.toMatchObject({ code: "auth.digest_mismatch" });
    expect(files()).toEqual([]);
  });

  test("of a bundle that is none is refused by the bundle's own rules and leaves nothing", async () => {
    for (const bytes of [Buffer.from("no gzip"), made.bundle.subarray(0, 200), Buffer.concat([made.bundle, Buffer.from("x")])]) {
      await expect(uploads.receive(uploadOf(multipartBytes([{ name: "bundle", bytes }])))).rejects.toMatchObject({
        code: "bundle.malformed",
      });
    }
    expect(files()).toEqual([]);
  });
});

describe("the caps", () => {
  test("a bundle of exactly the packed cap passes, one byte less of cap refuses it", async () => {
    const at = (maxPackedBytes: number) => createUploads({ folder: join(dir.path, "staging"), limits: { bundle: { maxPackedBytes } } });
    const body = () => uploadOf(multipartBytes([bundlePart()]));
    await (await at(made.bundle.length).receive(body())).dispose();
    await expect(at(made.bundle.length - 1).receive(body())).rejects.toMatchObject({ code: "bundle.too_large", status: 413 });
    expect(files()).toEqual([]);
  });

  test("so does the unpacked size, whatever the packed one is", async () => {
    const bomb = await makePackage({ files: [bundleFile("ui/zeros.bin", new Uint8Array(5 * 1024 * 1024))] });
    expect(bomb.bundle.length).toBeLessThan(50_000);
    const small = createUploads({ folder: join(dir.path, "staging"), limits: { bundle: { maxUnpackedBytes: 1024 * 1024 } } });
    await expect(small.receive(uploadOf(multipartBytes([{ name: "bundle", bytes: bomb.bundle }])))).rejects.toMatchObject({
      code: "bundle.too_large",
    });
    expect(files()).toEqual([]);
  });

  test("a signature of exactly 512 KiB is taken", async () => {
    const staged = await uploads.receive(
      uploadOf(multipartBytes([bundlePart(), { name: "signature", bytes: Buffer.alloc(512 * 1024, 97) }])),
    );
    expect(staged.signature).toHaveLength(512 * 1024);
    await staged.dispose();
  });

  test("junk around the parts counts too", async () => {
    const small = createUploads({
      folder: join(dir.path, "staging"),
      limits: { bundle: { maxPackedBytes: made.bundle.length }, signatureMaxBytes: 10 },
    });
    const body = Buffer.concat([multipartBytes([bundlePart()]), Buffer.alloc(5_000, 32)]);
    await expect(small.receive(uploadOf(body))).rejects.toMatchObject({ code: "upload.malformed" });
    expect(files()).toEqual([]);
  });
});

test("opening the folder removes what a process that is gone left, and nothing of one that runs", () => {
  const folder = join(dir.path, "staging");
  writeFileSync(join(folder, "999999999-aa"), "x");
  writeFileSync(join(folder, `${process.ppid}-bb`), "x");
  createUploads({ folder });
  expect(files()).toEqual([`${process.ppid}-bb`]);
});
