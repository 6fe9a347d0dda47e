/**
 * Questions to a bucket: each is asked again while that can help, and ends as an answer or as an error of the catalogue.
 *
 * Invariant: every question here may be repeated without harm (names are hashes of contents). 5xx, 408, 409, 429, broken connections and hung
 * servers are tried again with growing, jittered pauses; a refusal is final. Text of the server reaches an error only as a code of letters.
 * The library signs and speaks S3; time limits, size limits and retries are ours (guarded-fetch.ts), it has none for single requests.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, isAppError } from "@althing/contract";
import { S3mini, S3ServiceError } from "s3mini";
import { streamOf } from "./byte-stream.ts";
import { createGuardedFetch } from "./guarded-fetch.ts";
import type { S3Credentials } from "./s3-credentials.ts";
import type { StagedBytes } from "./staged-bytes.ts";

export interface S3LinkOptions {
  /** Of the bucket. */
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: S3Credentials;
  readonly fetch: typeof globalThis.fetch;
  readonly timeoutMs: number;
  readonly requestMaxMs: number;
  /** Tries of one question; at least 1. */
  readonly attempts: number;
  /** Mean pause before the second try; doubled for each further one. */
  readonly retryDelayMs: number;
}

/** What a sink throws when the bytes are not what they should be: perhaps only on their way, so they are read again. */
export class UnsoundBytes extends Error {}

/** Takes one answer's body. */
export interface Sink<T> {
  take(part: Uint8Array): void;
  /** @throws UnsoundBytes */
  end(): T;
}

export interface S3Link {
  /**
   * @param ifAbsent asks the server to refuse when the name is taken, which not every server does
   * @returns `present`: refused; `proved`: written, and the server says that it compared the hash; `written`: it did not say
   */
  put(name: string, bytes: StagedBytes, ifAbsent: boolean): Promise<"present" | "proved" | "written">;
  /** @param open gets the announced length @returns undefined: there is none @throws UnsoundBytes after the last try */
  read<T>(name: string, open: (announcedBytes: number | undefined) => Sink<T>): Promise<T | undefined>;
  has(name: string): Promise<boolean>;
  remove(name: string): Promise<void>;
  close(): void;
}

/** "Unknown" is the library's word. */
function serviceCode(error: unknown): string | undefined {
  const code = error instanceof S3ServiceError ? (error.serviceCode ?? "") : "";
  return code !== "Unknown" && /^[A-Za-z]{1,64}$/.test(code) ? code : undefined;
}
const statusOf = (error: unknown) => (error instanceof S3ServiceError ? error.status : undefined);
const isAbsent = (error: unknown) => statusOf(error) === 404 && serviceCode(error) !== "NoSuchBucket";

function mayPass(error: unknown): boolean {
  const status = statusOf(error);
  return status === undefined || status >= 500 || [408, 409, 429].includes(status);
}

/** Does the server refuse a header that it does not know? */
function refusesHeaders(error: unknown): boolean {
  const status = statusOf(error);
  return status === 501 || (status === 400 && ["InvalidArgument", "InvalidRequest", "NotImplemented"].includes(serviceCode(error) ?? ""));
}

function failure(error: unknown): AppError {
  if (isAppError(error)) return error;
  const status = statusOf(error);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const detail =
    status === undefined
      ? `no answer of the bucket: ${cause instanceof Error ? cause.message : String(cause)}`
      : `the bucket answers ${[status, serviceCode(error)].filter(Boolean).join(" ")}`;
  return new AppError("store.unavailable", { detail: detail.slice(0, 200) }, { cause: error });
}

export function createS3Link(options: S3LinkOptions): S3Link {
  const { attempts, retryDelayMs } = options;
  const closing = new AbortController();
  const guarded = createGuardedFetch({ ...options, closing: closing.signal });
  const { endpoint, region, credentials } = options;
  const s3 = new S3mini({ ...credentials, endpoint, region, fetch: guarded });
  /** Off once the server has refused them: then what it holds is known by reading only. */
  let extraHeaders = true;

  const again = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask();
      } catch (error) {
        if (closing.signal.aborted) throw new AppError("store.unavailable", { detail: "it is closed" });
        if (isAppError(error) || tries >= attempts || !mayPass(error)) throw error instanceof UnsoundBytes ? error : failure(error);
      }
      const pauseMs = retryDelayMs * 2 ** (tries - 1) * (0.5 + Math.random());
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  };

  const upload = async (name: string, bytes: StagedBytes, ifAbsent: boolean) => {
    const checksum = Buffer.from(bytes.hash, "hex").toString("base64");
    const headers: Record<string, string> = {};
    if (extraHeaders) headers["x-amz-checksum-sha256"] = checksum;
    if (extraHeaders && ifAbsent) headers["if-none-match"] = "*";
    const body = bytes.size === 0 ? new Uint8Array() : streamOf(bytes.read());
    try {
      const answer = await s3.putObject(name, body, undefined, undefined, headers, bytes.size);
      return answer.headers.get("x-amz-checksum-sha256") === checksum && extraHeaders ? "proved" : "written";
    } catch (error) {
      if (statusOf(error) === 412 && headers["if-none-match"] !== undefined) return "present";
      throw error;
    }
  };

  return {
    put: (name, bytes, ifAbsent) =>
      again(async () => {
        try {
          return await upload(name, bytes, ifAbsent);
        } catch (error) {
          if (!extraHeaders || !refusesHeaders(error)) throw error;
          extraHeaders = false;
          return upload(name, bytes, ifAbsent);
        }
      }),
    read: (name, open) =>
      again(async () => {
        let answer: Response;
        try {
          answer = await s3.getObjectRaw(name);
        } catch (error) {
          if (isAbsent(error)) return undefined;
          throw error;
        }
        const announced = Number(answer.headers.get("content-length") ?? Number.NaN);
        const sink = open(Number.isSafeInteger(announced) && announced >= 0 ? announced : undefined);
        if (answer.body !== null) for await (const part of answer.body) sink.take(part);
        return sink.end();
      }),
    has: (name) => again(async () => (await s3.objectExists(name)) === true),
    remove: (name) =>
      again(async () => {
        try {
          await s3.deleteObject(name);
        } catch (error) {
          if (!isAbsent(error)) throw error;
        }
      }),
    close: () => closing.abort(),
  };
}
