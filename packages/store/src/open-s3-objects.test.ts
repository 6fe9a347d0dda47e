import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@althing/testkit";
import S3rver from "s3rver";
import { expect, test } from "vitest";
import { describeObjects, flipped, inParts, keyOf } from "../test/objects.contract.ts";
import { bucketAccount, startHostileBucket, type BucketFault, type HostileBucket } from "../test/start-hostile-bucket.ts";
import { openS3Objects, type S3ObjectsOptions } from "./open-s3-objects.ts";

async function credentialsIn(folder: string, content: unknown = bucketAccount, mode = 0o600): Promise<string> {
  const path = join(folder, "credentials.json");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content), { mode });
  return path;
}

const filesIn = async (path: string) =>
  (await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describeObjects("s3rver, which ignores If-None-Match and proves nothing", true, async () => {
  const folder = await tempDir();
  const directory = join(folder.path, "s3");
  const stagingPath = join(folder.path, "staging");
  const server = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    directory,
    vhostBuckets: false,
    configureBuckets: [{ name: "bucket" }],
  });
  const { port } = await server.run();
  const credentialsFile = await credentialsIn(folder.path, { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" });
  const objectsOf = async () => (await filesIn(directory)).filter((path) => path.endsWith("_object"));
  return {
    open: () =>
      openS3Objects({
        endpoint: `http://127.0.0.1:${port}/bucket`,
        region: "us-east-1",
        credentialsFile,
        stagingPath,
        retryDelayMs: 10,
      }),
    files: async () => [...(await objectsOf()), ...(await filesIn(stagingPath))],
    damage: async (key) => {
      const path = (await objectsOf()).find((name) => name.includes(key)) ?? "";
      await writeFile(path, flipped(await readFile(path)));
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await folder.remove();
    },
  };
});

interface Place {
  readonly bucket: HostileBucket;
  readonly folder: string;
  readonly stagingPath: string;
  open(options?: Partial<S3ObjectsOptions>): ReturnType<typeof openS3Objects>;
  [Symbol.asyncDispose](): Promise<void>;
}

async function place(): Promise<Place> {
  const folder = await tempDir();
  const bucket = await startHostileBucket();
  const stagingPath = join(folder.path, "staging");
  const credentialsFile = await credentialsIn(folder.path);
  return {
    bucket,
    folder: folder.path,
    stagingPath,
    open: (options = {}) =>
      openS3Objects({
        endpoint: bucket.endpoint,
        region: "eu-central-1",
        credentialsFile,
        stagingPath,
        timeoutMs: 2_000,
        retryDelayMs: 2,
        attempts: 3,
        ...options,
      }),
    async [Symbol.asyncDispose]() {
      await bucket.close();
      await folder.remove();
    },
  };
}

describeObjects("s3, a strict bucket", true, async () => {
  const here = await place();
  return {
    open: () => here.open(),
    files: async () => [...here.bucket.objects.keys(), ...(await filesIn(here.stagingPath))],
    damage: async (key) => {
      const name = `sha256/${key}`;
      here.bucket.objects.set(name, Buffer.from(flipped(here.bucket.objects.get(name) ?? new Uint8Array())));
    },
    [Symbol.asyncDispose]: () => here[Symbol.asyncDispose](),
  };
});

const bytes = new Uint8Array(randomBytes(300_000));
const key = keyOf(bytes);
const putsOf = ({ requests }: HostileBucket) => requests.filter(({ method }) => method === "PUT");

test.each<[string, BucketFault]>([
  ["500", 500],
  ["503 SlowDown", { status: 503, code: "SlowDown" }],
  ["429", 429],
  ["409 ConditionalRequestConflict", { status: 409, code: "ConditionalRequestConflict" }],
  ["a cut connection", "cut"],
  ["no answer", "hang"],
])("s3: %s is passed over when it happens twice, for every operation", async (_, fault) => {
  await using here = await place();
  const { bucket } = here;
  const options = { timeoutMs: fault === "hang" ? 150 : 2_000, attempts: 6 };
  const objects = await here.open(options);
  const twice = () => {
    const from = bucket.requests.length;
    bucket.fault = (_request, nth) => (nth <= from + 2 ? fault : undefined);
  };
  twice();
  await objects.put(key, inParts(bytes, 50_000));
  bucket.objects.clear();
  // The upload itself, not only the look that goes before it.
  let left = 2;
  bucket.fault = ({ method }) => (method === "PUT" && (left -= 1) >= 0 ? fault : undefined);
  await objects.put(key, inParts(bytes, 50_000));
  twice();
  expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
  twice();
  expect(await objects.has(key)).toBe(true);
  twice();
  await objects.delete(key);
  expect([...bucket.objects]).toEqual([]);
  twice();
  await here.open(options);
});

test.each<BucketFault>([500, "cut", "hang", "cut in body", "hang in body", "dribble"])(
  "s3: %s each time is store.unavailable after the last try, in bounded time",
  async (fault) => {
    await using here = await place();
    const { bucket } = here;
    const objects = await here.open({ timeoutMs: 250, requestMaxMs: 400 });
    await objects.put(key, bytes);
    bucket.fault = () => fault;
    const from = bucket.requests.length;
    const startedMs = performance.now();
    await expect(objects.get(key)).rejects.toMatchObject({ code: "store.unavailable" });
    expect(bucket.requests.length - from).toBe(3);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    await expect(objects.put(key, bytes)).rejects.toMatchObject({ code: "store.unavailable" });
  },
);

test("s3: an upload that hangs or fails each time is store.unavailable and leaves nothing, here or there", async () => {
  await using here = await place();
  const { bucket } = here;
  const objects = await here.open({ timeoutMs: 250 });
  for (const fault of ["hang", "cut", 500] as const) {
    bucket.fault = ({ method }) => (method === "PUT" ? fault : undefined);
    await expect(objects.put(key, inParts(bytes, 50_000))).rejects.toMatchObject({ code: "store.unavailable" });
  }
  expect([...bucket.objects]).toEqual([]);
  expect(await filesIn(here.stagingPath)).toEqual([]);
});

test("s3: a refusal is final and asked once; the server's words reach no message", async () => {
  await using here = await place();
  const { bucket } = here;
  const objects = await here.open();
  bucket.fault = () => ({ status: 403, headers: { "x-amz-error-code": "<b>lies</b> only/for+tests" }, body: "lies" });
  const from = bucket.requests.length;
  const error: unknown = await objects.get(key).catch((e: unknown) => e);
  expect(error).toMatchObject({ code: "store.unavailable", params: { detail: "the bucket answers 403" } });
  bucket.fault = () => ({ status: 403, code: "AccessDenied" });
  await expect(objects.put(key, bytes)).rejects.toMatchObject({ params: { detail: "the bucket answers 403 AccessDenied" } });
  await expect(objects.has(key)).rejects.toMatchObject({ code: "store.unavailable" });
  await expect(objects.delete(key)).rejects.toMatchObject({ code: "store.unavailable" });
  expect(bucket.requests.length - from).toBe(4);
});

test.each<BucketFault>(["flipped bit", "short body", "endless body", "huge length"])(
  "s3: %s on the way once is read again; each time it is store.corrupt",
  async (fault) => {
    await using here = await place();
    const { bucket } = here;
    const objects = await here.open({ objectMaxBytes: 4_000_000 });
    await objects.put(key, bytes);
    let left = 1;
    bucket.fault = () => ((left -= 1) >= 0 ? fault : undefined);
    expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
    bucket.fault = () => fault;
    await expect(objects.get(key)).rejects.toMatchObject({ code: "store.corrupt" });
  },
);

test("s3: a body that is slow but comes may take longer than the time without progress", async () => {
  await using here = await place();
  const objects = await here.open({ timeoutMs: 700, attempts: 1 });
  await objects.put(key, bytes);
  here.bucket.fault = () => "slow body";
  expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
});

test("s3: an error with an endless body holds nobody", async () => {
  await using here = await place();
  const objects = await here.open();
  here.bucket.fault = () => "endless error";
  const startedMs = performance.now();
  await expect(objects.get(key)).rejects.toMatchObject({ code: "store.unavailable" });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});

test("s3: streams that fail or lie never reach the bucket", async () => {
  await using here = await place();
  const objects = await here.open();
  await expect(objects.put(key, inParts(bytes, 50_000, 200_000))).rejects.toThrow("the client went away");
  await expect(objects.put(key, inParts(bytes.subarray(1), 50_000))).rejects.toMatchObject({ code: "object.hash_mismatch" });
  expect(putsOf(here.bucket)).toEqual([]);
});

test("s3: an upload asks not to overwrite, carries the hash, and one that is there is not sent again", async () => {
  await using here = await place();
  const objects = await here.open();
  await objects.put(key, inParts(bytes, 50_000));
  const [put] = putsOf(here.bucket);
  expect(put?.headers).toMatchObject({
    "if-none-match": "*",
    "content-length": String(bytes.length),
    "x-amz-checksum-sha256": Buffer.from(key, "hex").toString("base64"),
  });
  await objects.put(key, inParts(bytes, 50_000));
  expect(putsOf(here.bucket)).toHaveLength(1);
});

test("s3: an upload whose answer is lost is found to be there", async () => {
  await using here = await place();
  const objects = await here.open();
  let left = 1;
  here.bucket.fault = ({ method }) => (method === "PUT" && (left -= 1) >= 0 ? "lose answer" : undefined);
  expect(await objects.put(key, inParts(bytes, 50_000))).toEqual({ bytes: bytes.length });
  expect(putsOf(here.bucket)).toHaveLength(2);
  expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
});

test("s3: a bucket that keeps other bytes is found out by reading back, and written over when it keeps them rightly", async () => {
  await using here = await place();
  const { bucket } = here;
  const objects = await here.open();
  bucket.proves = false;
  bucket.fault = ({ method }) => (method === "PUT" ? "keep other bytes" : undefined);
  await expect(objects.put(key, bytes)).rejects.toMatchObject({ code: "store.corrupt" });
  let left = 1;
  bucket.fault = ({ method }) => (method === "PUT" && (left -= 1) >= 0 ? "keep other bytes" : undefined);
  await objects.put(key, bytes);
  expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
});

test.each([
  { status: 501, code: "NotImplemented" },
  { status: 400, code: "InvalidArgument" },
])("s3: a server that refuses the headers it does not know ($status) gets none, and what it holds is read back", async (refusal) => {
  await using here = await place();
  const { bucket } = here;
  const objects = await here.open();
  bucket.fault = ({ method, headers }) => (method === "PUT" && "x-amz-checksum-sha256" in headers ? refusal : undefined);
  await objects.put(key, inParts(bytes, 50_000));
  expect(bucket.requests.slice(1).map(({ method }) => method)).toEqual(["GET", "PUT", "PUT", "GET"]);
  expect(bucket.requests.at(2)?.headers["if-none-match"]).toBe("*");
  expect(bucket.requests.at(3)?.headers["if-none-match"]).toBeUndefined();
  expect(Buffer.compare(await objects.get(key), bytes)).toBe(0);
});

test("s3: a redirect is not followed", async () => {
  await using here = await place();
  await using other = await startHostileBucket();
  const objects = await here.open();
  here.bucket.fault = () => ({ status: 307, headers: { location: `${other.endpoint}/sha256/${key}` }, body: "" });
  await expect(objects.get(key)).rejects.toMatchObject({ code: "store.unavailable", params: { detail: "the bucket answers 307" } });
  await expect(objects.put(key, bytes)).rejects.toMatchObject({ code: "store.unavailable" });
  expect(other.requests).toEqual([]);
});

test("s3: objects beyond the limit are refused while they come", async () => {
  await using here = await place();
  const objects = await here.open({ objectMaxBytes: 100_000 });
  await expect(objects.put(key, bytes)).rejects.toMatchObject({ code: "store.value_too_large" });
  let given = 0;
  async function* endless() {
    for (;;) yield new Uint8Array((given += 1));
  }
  await expect(objects.put(key, endless())).rejects.toMatchObject({ code: "store.value_too_large" });
  expect(putsOf(here.bucket)).toEqual([]);
});

test("s3: closing ends what hangs", async () => {
  await using here = await place();
  const objects = await here.open({ timeoutMs: 60_000 });
  const asked = Promise.withResolvers<void>();
  here.bucket.fault = () => {
    asked.resolve();
    return "hang";
  };
  const hanging = objects.get(key).catch((error: unknown) => error);
  await asked.promise;
  await objects.close();
  expect(await hanging).toMatchObject({ code: "store.unavailable", params: { detail: "it is closed" } });
});

test("s3: a stream is sent in small parts from a file without a name", async () => {
  await using here = await place();
  const sizes: number[] = [];
  let named: string[] = ["not looked"];
  const objects = await here.open({
    fetch: async (input, init) => {
      if (init?.method !== "PUT" || !(init.body instanceof ReadableStream)) return fetch(input, init);
      named = await filesIn(here.stagingPath);
      for await (const part of init.body as ReadableStream<Uint8Array>) sizes.push(part.length);
      return new Response(null, { headers: { "x-amz-checksum-sha256": new Headers(init.headers).get("x-amz-checksum-sha256") ?? "" } });
    },
  });
  const large = new Uint8Array(randomBytes(3_000_000));
  await objects.put(keyOf(large), inParts(large, 1_000_000));
  expect(named).toEqual([]);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * 1024);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(large.length);
});

test("s3: a missing bucket, a wrong secret and a server that is not there are store.unavailable at the open", async () => {
  await using here = await place();
  const missing = here.open({ endpoint: here.bucket.endpoint.replace(/bucket$/, "other") });
  await expect(missing).rejects.toMatchObject({ params: { detail: "the bucket answers 404 NoSuchBucket" } });
  const wrong = await credentialsIn(here.stagingPath.replace("staging", ""), { ...bucketAccount, secretAccessKey: "other" });
  await expect(here.open({ credentialsFile: wrong })).rejects.toMatchObject({
    code: "store.unavailable",
    params: { detail: "the bucket answers 403 SignatureDoesNotMatch" },
  });
  await credentialsIn(here.folder);
  await here.bucket.close();
  await expect(here.open()).rejects.toMatchObject({ code: "store.unavailable" });
});

test("s3: credentials come from a private, regular file of the right form, and no error repeats them", async () => {
  await using here = await place();
  const folder = join(here.folder, "other");
  await mkdir(folder);
  const open = (credentialsFile: string) => here.open({ credentialsFile }).catch((error: unknown) => error);
  expect(await open(join(folder, "missing"))).toMatchObject({ code: "config.invalid" });
  expect(await open(folder)).toMatchObject({ code: "config.invalid" });
  const contents = ["", "only/for+tests", "[]", '{"accessKeyId":"only/for+tests"}', " ".repeat(20_000)];
  const keys = [
    { ...bucketAccount, secretAccessKey: "" },
    { ...bucketAccount, accessKeyId: "a b" },
    { ...bucketAccount, more: 1 },
  ];
  for (const content of [...contents, ...keys]) {
    const error = await open(await credentialsIn(folder, content));
    expect(error).toMatchObject({ code: "config.invalid" });
    expect(JSON.stringify(error) + String(error)).not.toContain("only/for");
  }
  const link = join(folder, "link");
  await symlink(await credentialsIn(folder), link);
  expect(await open(link)).toMatchObject({ code: "config.invalid" });
  const loose = join(folder, "loose");
  await mkdir(loose);
  expect(await open(await credentialsIn(loose, bucketAccount, 0o640))).toMatchObject({ code: "data.mode", params: { observed: "0640" } });
});

test("s3: an address is https or loopback and carries no credentials", async () => {
  await using here = await place();
  for (const endpoint of [
    "http://s3.example.org/bucket",
    "http://127.0.0.1.example.org/bucket",
    "http://10.0.0.1/bucket",
    "ftp://127.0.0.1/bucket",
    "bucket",
    "",
    "https://user:only-for-tests@s3.example.org/bucket",
    "https://s3.example.org/bucket?x=1",
  ]) {
    const error: unknown = await here.open({ endpoint }).catch((e: unknown) => e);
    expect(error, endpoint).toMatchObject({ code: "config.invalid" });
    expect(String(error)).not.toContain("only-for-tests");
  }
  expect(here.bucket.requests).toEqual([]);
});
