/**
 * A bucket that honours what S3 may honour (`If-None-Match`, `x-amz-checksum-sha256`), checks every signature by its own
 * computation, and misbehaves on demand.
 *
 * Invariant: without a fault it is strict: a request that S3 would refuse is refused here, and an upload that is not complete stores nothing.
 */
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export const bucketAccount = { accessKeyId: "hostile", secretAccessKey: "only/for+tests" };

/** How one request is treated; a number is a status without a body. */
export type BucketFault =
  | number
  | { readonly status: number; readonly code?: string; readonly headers?: Record<string, string>; readonly body?: string }
  /** No answer at all. */
  | "hang"
  /** The connection is cut before or after the work is done. */
  | "cut"
  | "lose answer"
  /** The body stops: for ever, by a cut, or by an end that agrees with its length. */
  | "hang in body"
  | "cut in body"
  | "short body"
  /** One byte each 20 ms, for ever. */
  | "dribble"
  | "endless body"
  | "endless error"
  /** Whole, in 30 parts with 40 ms between them. */
  | "slow body"
  | "flipped bit"
  | "huge length"
  /** 200, but other bytes are kept. */
  | "keep other bytes";

export interface BucketRequest {
  readonly method: string;
  readonly key: string;
  readonly headers: IncomingMessage["headers"];
  /** Bytes received. */
  readonly bytes: number;
}

export interface HostileBucket {
  readonly endpoint: string;
  readonly objects: Map<string, Buffer>;
  readonly requests: BucketRequest[];
  /** Asked for each request. */
  fault: (request: BucketRequest, nth: number) => BucketFault | undefined;
  /** Does it repeat the checksum that it compared? Default true. */
  proves: boolean;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const sha256 = (text: string | Uint8Array) => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();

/** AWS Signature Version 4, as its documentation has it. */
function isSigned({ method = "", url = "", headers }: IncomingMessage): boolean {
  const found = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
    headers.authorization ?? "",
  );
  if (found === null) return false;
  const [, id, day = "", region = "", signed = "", signature] = found;
  const date = String(headers["x-amz-date"]);
  const { pathname, searchParams } = new URL(url, "http://bucket");
  searchParams.sort();
  const lines = signed.split(";").map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const payload = String(headers["x-amz-content-sha256"]);
  const request = [method, pathname, searchParams.toString(), lines.join(""), signed, payload].join("\n");
  const key = [day, region, "s3", "aws4_request"].reduce<Buffer | string>(hmac, `AWS4${bucketAccount.secretAccessKey}`);
  const expected = hmac(key, ["AWS4-HMAC-SHA256", date, `${day}/${region}/s3/aws4_request`, sha256(request)].join("\n")).toString("hex");
  const mustBeSigned = Object.keys(headers).filter((name) => name === "host" || name.startsWith("x-amz-"));
  return (
    id === bucketAccount.accessKeyId &&
    date.startsWith(day) &&
    signature === expected &&
    mustBeSigned.every((name) => signed.split(";").includes(name))
  );
}

function refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(status, { "content-type": "application/xml", "content-length": body.length, ...headers }).end(body);
}

function sendForEver(response: ServerResponse, partBytes: number, pauseMs: number): void {
  const part = Buffer.alloc(partBytes);
  const timer = setInterval(() => response.writableNeedDrain || response.write(part), pauseMs);
  response.once("close", () => clearInterval(timer));
}

/** Bodies of a GET, right and wrong. */
function sendBody(response: ServerResponse, bytes: Buffer, fault: BucketFault | undefined): void {
  const half = bytes.subarray(0, bytes.length / 2);
  const head = (length: number) => response.writeHead(200, { "content-length": length });
  if (fault === "hang in body") head(bytes.length).write(half);
  else if (fault === "cut in body") head(bytes.length).write(half, () => response.destroy());
  else if (fault === "short body") head(half.length).end(half);
  else if (fault === "huge length") head(2 ** 45).write(bytes);
  else if (fault === "flipped bit") head(bytes.length).end(Buffer.from(bytes.map((byte, at) => (at === 1 ? byte ^ 4 : byte))));
  else if (fault === "dribble") sendForEver(response.writeHead(200), 1, 20);
  else if (fault === "endless body") sendForEver(response.writeHead(200), 1024 * 1024, 1);
  else if (fault === "slow body") {
    head(bytes.length);
    for (let n = 0; n < 30; n += 1) {
      const [from, to] = [n, n + 1].map((part) => Math.floor((bytes.length * part) / 30));
      setTimeout(() => response.write(bytes.subarray(from, to)), n * 40);
    }
  } else head(bytes.length).end(bytes);
}

/** @example await using bucket = await startHostileBucket(); bucket.fault = () => 500; */
export async function startHostileBucket(): Promise<HostileBucket> {
  const objects = new Map<string, Buffer>();
  const requests: BucketRequest[] = [];
  const sockets = new Set<Socket>();

  const put = (response: ServerResponse, { key, headers }: BucketRequest, body: Buffer, fault: BucketFault | undefined): void => {
    const checksum = headers["x-amz-checksum-sha256"];
    if (headers["if-none-match"] === "*" && objects.has(key)) return refuse(response, 412, "PreconditionFailed");
    if (checksum !== undefined && checksum !== createHash("sha256").update(body).digest("base64"))
      return refuse(response, 400, "BadDigest");
    objects.set(key, fault === "keep other bytes" ? body.subarray(1) : body);
    if (fault === "lose answer") return void response.destroy();
    const proof = bucket.proves && typeof checksum === "string" ? { "x-amz-checksum-sha256": checksum } : {};
    response.writeHead(200, { etag: '"x"', ...proof }).end();
  };

  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(Buffer.from(part));
    const body = Buffer.concat(parts);
    const method = incoming.method ?? "";
    const [, name, key = ""] = /^\/([^/]+)\/(.*)$/.exec(incoming.url ?? "") ?? [];
    const request = { method, key, headers: incoming.headers, bytes: body.length };
    requests.push(request);
    const fault = bucket.fault(request, requests.length);
    if (fault === "hang") return;
    if (fault === "cut") return void response.destroy();
    if (fault === "endless error") return sendForEver(response.writeHead(500), 1024 * 1024, 1);
    if (typeof fault === "number") return void response.writeHead(fault).end();
    if (typeof fault === "object" && fault.body !== undefined) return void response.writeHead(fault.status, fault.headers).end(fault.body);
    if (typeof fault === "object") return refuse(response, fault.status, fault.code ?? "InternalError", fault.headers);
    if (!isSigned(incoming)) return refuse(response, 403, "SignatureDoesNotMatch");
    if (name !== "bucket") return refuse(response, 404, "NoSuchBucket");
    const found = objects.get(key);
    if (method === "PUT") return put(response, request, body, fault);
    if (method === "DELETE") {
      objects.delete(key);
      return void response.writeHead(204).end();
    }
    if (found === undefined) return refuse(response, 404, "NoSuchKey");
    if (method === "HEAD") return void response.writeHead(200, { "content-length": found.length }).end();
    sendBody(response, found, fault);
  };

  const server = createServer((incoming, response) => {
    // A client that goes away in the middle of its upload.
    answer(incoming, response).catch(() => response.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done());
      for (const socket of sockets) socket.destroy();
    });
  const bucket: HostileBucket = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/bucket`,
    objects,
    requests,
    fault: () => undefined,
    proves: true,
    close,
    [Symbol.asyncDispose]: close,
  };
  return bucket;
}
