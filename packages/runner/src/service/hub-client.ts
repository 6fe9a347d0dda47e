/**
 * What the runner asks of the hub: bundles, whether a page may be served, and the broker.
 *
 * Invariant: connections are kept and bounded, every question has an end in time, every answer a bound in bytes and a schema. A hub that is away or talks
 * nonsense is `ext.unavailable`: nothing is run or served on a guess.
 */
import { AppError, brokerAnswerSchema, problemSchema, extensionRoutes, type BrokerRequest, type ExecuteHead } from "@althing/contract";
import { Agent, request, type buildConnector, type Dispatcher } from "undici";
import type { z } from "zod";

export const connectTimeoutMs = 2_000;
const answerTimeoutMs = 5_000;
const bundleTimeoutMs = 30_000;
const connectionsMax = 128;
const jsonMaxBytes = 64 * 1_024;
/** A page of 100 entries of 64 KiB in base64, and its keys. */
const brokerAnswerMaxBytes = 10 * 1_024 * 1_024;

export type BrokerAnswer = z.infer<typeof brokerAnswerSchema>;
export type UiPolicy = z.infer<(typeof extensionRoutes)["internal.uiHash"]["response"]>;

export interface HubClient {
  /** The canonical tar, as it comes, for `use`. @throws {ext.unavailable} {ext.integrity} the hub refuses these bytes itself */
  bundle<T>(contentHash: string, use: (bytes: AsyncIterable<Uint8Array>) => Promise<T>): Promise<T>;
  /** `undefined`: it may not be served. @throws {ext.unavailable} */
  uiPolicy(extension: string, contentHash: string): Promise<UiPolicy | undefined>;
  /** @throws {ext.unavailable} */
  broker(head: ExecuteHead, call: BrokerRequest, signal: AbortSignal): Promise<BrokerAnswer>;
  close(): Promise<void>;
}

export interface HubClientOptions {
  /** Base of the hub's internal listener. */
  readonly hubUrl: string;
  /** Of this boot; absent where the certificate says who asks. */
  readonly token?: string | undefined;
  /** How a hub on another machine is connected to. */
  readonly connector?: buildConnector.connector | undefined;
}

async function readAll(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new TypeError(`an answer of more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function unavailable(detail: string, cause?: unknown): AppError {
  return new AppError("ext.unavailable", { detail }, { cause });
}

/** The problem that an answer describes, if it does. */
async function codeOf(answer: Dispatcher.ResponseData): Promise<string> {
  const text = await readAll(answer.body, jsonMaxBytes);
  try {
    return problemSchema.parse(JSON.parse(text.toString())).code;
  } catch {
    return `status ${answer.statusCode}`;
  }
}

/** Undici reads an answer to its end only when somebody does. */
function giveUp(answer: Dispatcher.ResponseData): void {
  answer.body.on("error", () => undefined);
  answer.body.destroy();
}

export function createHubClient(options: HubClientOptions): HubClient {
  const dispatcher = new Agent({
    connections: connectionsMax,
    connect: options.connector ?? { timeout: connectTimeoutMs },
    headersTimeout: bundleTimeoutMs,
    bodyTimeout: bundleTimeoutMs,
    maxHeaderSize: 16 * 1_024,
  });
  const base = options.hubUrl.replace(/\/+$/, "");
  const own: Record<string, string> = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };

  async function ask<T>(
    what: string,
    url: string,
    sent: {
      readonly method: "GET" | "POST";
      readonly headers: Record<string, string>;
      readonly body?: string;
      readonly signal: AbortSignal;
    },
    take: (answer: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T> {
    let answer: Dispatcher.ResponseData | undefined;
    try {
      answer = await request(url, { ...sent, body: sent.body ?? null, dispatcher });
      return await take(answer);
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw unavailable(`the hub did not answer for ${what}`, error);
    } finally {
      if (answer !== undefined && !answer.body.readableEnded) giveUp(answer);
    }
  }

  return {
    bundle: (contentHash, use) =>
      ask(
        "a bundle",
        `${base}/internal/bundles/${contentHash}`,
        { method: "GET", headers: own, signal: AbortSignal.timeout(bundleTimeoutMs) },
        async (answer) => {
          if (answer.statusCode === 200) return use(answer.body);
          const code = await codeOf(answer);
          if (code === "ext.integrity")
            throw new AppError("ext.integrity", { extension: contentHash, detail: "the hub refuses its bytes" });
          throw unavailable(`the hub gives no bundle ${contentHash}: ${code}`);
        },
      ),
    uiPolicy: (extension, contentHash) =>
      ask(
        "a page",
        `${base}/internal/ext-ui/${extension}/${contentHash}`,
        { method: "GET", headers: own, signal: AbortSignal.timeout(answerTimeoutMs) },
        async (answer) => {
          if (answer.statusCode === 200) {
            const text = await readAll(answer.body, jsonMaxBytes);
            return extensionRoutes["internal.uiHash"].response.parse(JSON.parse(text.toString()));
          }
          const code = await codeOf(answer);
          if (code === "ext.not_found") return undefined;
          throw unavailable(`the hub does not say whether the page may be served: ${code}`);
        },
      ),
    broker: (head, call, signal) =>
      ask(
        call.op,
        head.broker.url,
        {
          method: "POST",
          headers: {
            authorization: `Bearer ${head.broker.token}`,
            "content-type": "application/json",
            "x-request-id": head.requestId,
            ...(head.traceparent === undefined ? {} : { traceparent: head.traceparent }),
          },
          body: JSON.stringify(call),
          signal: AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]),
        },
        async (answer) => {
          if (answer.statusCode !== 200) throw unavailable(`the broker refuses the call: ${await codeOf(answer)}`);
          return brokerAnswerSchema.parse(JSON.parse((await readAll(answer.body, brokerAnswerMaxBytes)).toString()));
        },
      ),
    close: () => dispatcher.destroy(),
  };
}
