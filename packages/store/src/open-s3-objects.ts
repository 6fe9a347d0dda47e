/**
 * Objects in an S3-compatible bucket: `<endpoint>/sha256/<hash>` (docs/architecture/store.md).
 *
 * Invariant: bytes go to the bucket only after they were hashed here, as one PUT, which S3 makes visible whole or not at all: a stream that
 * fails or lies never reaches it. `put` succeeds only when the bucket holds these bytes: the server says that it compared their hash, or
 * they were read back. Not multipart: its parts stay, and cost, when a process is killed, and not every server can abort it.
 */
import { createHash } from "node:crypto";
import { AppError } from "@althing/contract";
import { digestOf } from "./byte-stream.ts";
import { checkObjectKey, wrongBytes } from "./object-key.ts";
import { readS3Credentials } from "./s3-credentials.ts";
import { createS3Link, UnsoundBytes, type S3Link, type Sink } from "./s3-link.ts";
import { stageBytes } from "./staged-bytes.ts";
import type { ObjectStore } from "./types.ts";

export interface S3ObjectsOptions {
  /** URL of the bucket, or of a folder in it: `https://s3.example.org/bucket`. Plain http only on loopback. */
  readonly endpoint: string;
  readonly region: string;
  /** JSON with `accessKeyId` and `secretAccessKey`, mode 0600. Read once. */
  readonly credentialsFile: string;
  /** Where streams lie until their hash is known, in files without a name. Made (0700) when missing. */
  readonly stagingPath: string;
  /** Larger objects are not taken, and answers that are larger are `store.corrupt`. Default 1 GiB. */
  readonly objectMaxBytes?: number;
  /** Without any byte coming or going; default 10,000. */
  readonly timeoutMs?: number;
  /** Of one request; default 600,000. */
  readonly requestMaxMs?: number;
  /** Tries of one request; default 5. */
  readonly attempts?: number;
  /** Mean pause before the second try, doubled for each further one; default 200. */
  readonly retryDelayMs?: number;
  readonly fetch?: typeof globalThis.fetch;
}

type Condition = "absent" | "sound" | "damaged";

const isLoopback = (host: string) => host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);

/** @throws {config.invalid} */
function checkEndpoint(endpoint: string): string {
  const refuse = (detail: string) =>
    new AppError("config.invalid", { key: "endpoint", source: "the S3 settings", observed: redacted(endpoint), detail });
  if (!URL.canParse(endpoint)) throw refuse("it is no URL");
  const { protocol, hostname, username, password, search, hash } = new URL(endpoint);
  if (protocol !== "https:" && !(protocol === "http:" && isLoopback(hostname))) throw refuse("it must be https, or http on loopback");
  if (username !== "" || password !== "") throw refuse("credentials belong into their file");
  if (search !== "" || hash !== "") throw refuse("it has a query or a fragment");
  return endpoint;
}

const redacted = (endpoint: string) => endpoint.replace(/\/\/[^/]*@/, "//…@");

/** Compares the hash only; keeps nothing. */
function hashSink(key: string, maxBytes: number): Sink<true> {
  const hash = createHash("sha256");
  let size = 0;
  return {
    take(part) {
      size += part.length;
      if (size > maxBytes) throw new UnsoundBytes();
      hash.update(part);
    },
    end() {
      if (hash.digest("hex") !== key) throw new UnsoundBytes();
      return true;
    },
  };
}

/** Keeps the bytes, once: in a block of the announced length, which grows only when the server announced too little. */
function collectingSink(key: string, maxBytes: number, announcedBytes: number | undefined): Sink<Uint8Array> {
  if ((announcedBytes ?? 0) > maxBytes) throw new UnsoundBytes();
  const check = hashSink(key, maxBytes);
  let block = new Uint8Array(announcedBytes ?? 64 * 1024);
  let size = 0;
  return {
    take(part) {
      check.take(part);
      if (size + part.length > block.length) {
        const larger = new Uint8Array(Math.min(maxBytes, Math.max(size + part.length, block.length * 2)));
        larger.set(block.subarray(0, size));
        block = larger;
      }
      block.set(part, size);
      size += part.length;
    },
    end() {
      check.end();
      return block.subarray(0, size);
    },
  };
}

/**
 * Reads the credentials and asks the bucket once.
 *
 * @throws {config.invalid} {data.mode} of the settings
 * @throws {store.unavailable} the bucket does not answer, is not there, or refuses the credentials
 * @example
 * const objects = await openS3Objects({ endpoint, region: "eu-central-1", credentialsFile: "s3.json", stagingPath: "data/staging" });
 */
export async function openS3Objects(options: S3ObjectsOptions): Promise<ObjectStore> {
  const link = createS3Link({
    endpoint: checkEndpoint(options.endpoint),
    region: options.region,
    credentials: await readS3Credentials(options.credentialsFile),
    fetch: options.fetch ?? globalThis.fetch,
    timeoutMs: options.timeoutMs ?? 10_000,
    requestMaxMs: options.requestMaxMs ?? 600_000,
    attempts: options.attempts ?? 5,
    retryDelayMs: options.retryDelayMs ?? 200,
  });
  try {
    // A GET of what cannot be there: unlike a HEAD, its answer tells a missing object from a missing bucket.
    await link.read(nameOf("0".repeat(64)), () => ({ take: () => undefined, end: () => undefined }));
  } catch (error) {
    link.close();
    throw error;
  }
  return createS3Objects(link, options.endpoint, options.stagingPath, options.objectMaxBytes ?? 1024 ** 3);
}

const nameOf = (key: string) => `sha256/${key}`;

function createS3Objects(link: S3Link, endpoint: string, stagingPath: string, maxBytes: number): ObjectStore {
  let closed = false;
  const checked = (key: string): string => {
    if (closed) throw new AppError("store.unavailable", { detail: "it is closed" });
    checkObjectKey(key);
    return nameOf(key);
  };
  const damaged = (name: string, detail: string, cause?: unknown) =>
    new AppError("store.corrupt", { path: `${endpoint}/${name}`, detail }, { cause });

  const conditionOf = async (key: string): Promise<Condition> => {
    try {
      return (await link.read(checked(key), () => hashSink(key, maxBytes))) === undefined ? "absent" : "sound";
    } catch (error) {
      if (error instanceof UnsoundBytes) return "damaged";
      throw error;
    }
  };

  return {
    async put(key, bytes) {
      const name = checked(key);
      let condition = await conditionOf(key);
      if (condition === "sound") {
        const { hash, size } = await digestOf(bytes);
        checked(key);
        if (hash !== key) throw wrongBytes(key, hash, true);
        return { bytes: size };
      }
      await using staged = await stageBytes(stagingPath, bytes, maxBytes);
      if (staged.hash !== key) throw wrongBytes(key, staged.hash, condition === "damaged");
      for (let tries = 0; tries < 3; tries += 1) {
        checked(key);
        // What is damaged must be written over; whoever else writes this name writes the same bytes.
        const outcome = await link.put(name, staged, condition === "absent");
        if (outcome === "proved") return { bytes: staged.size };
        condition = await conditionOf(key);
        if (condition === "sound") return { bytes: staged.size };
      }
      throw damaged(name, "the bucket does not give back what it was given");
    },
    async get(key) {
      const name = checked(key);
      try {
        const bytes = await link.read(name, (announcedBytes) => collectingSink(key, maxBytes, announcedBytes));
        if (bytes === undefined) throw new AppError("object.not_found", { key });
        return bytes;
      } catch (error) {
        throw error instanceof UnsoundBytes ? damaged(name, "its bytes do not have its hash", error) : error;
      }
    },
    has: async (key) => link.has(checked(key)),
    delete: async (key) => link.remove(checked(key)),
    async close() {
      closed = true;
      link.close();
    },
  };
}
