/**
 * The listener that the hub talks to: run a call, prepare a component, health, metrics.
 *
 * Invariant: of a caller who is no hub of this runner's nothing is read (caller-check.ts); a body is read only when there is room for its call, and
 * counted while it comes. What was understood is answered 200 with an outcome; what was not is a problem document and ran nothing.
 */
import type { IncomingMessage } from "node:http";
import type { ServerOptions } from "node:https";
import {
  AppError,
  executeDeadlineHeader,
  executeHeadSchema,
  faultsOf,
  limits,
  prepareRequestSchema,
  type PrepareResult,
  type runnerHealthSchema,
} from "@althing/contract";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { RunnerLog } from "../sandbox/index.ts";
import type { CallerCheck } from "./caller-check.ts";
import { decodeFrame, encodeFrame } from "./execute-frame.ts";
import type { Executor } from "./executor.ts";
import { createHttpServer, requestIdOf } from "./http-server.ts";

export type RunnerHealth = z.infer<typeof runnerHealthSchema>;

export interface InternalListenerOptions {
  /** Throws unless the caller is a hub of this runner's. */
  readonly checkCaller: CallerCheck;
  /** For hubs on other machines. */
  readonly tls?: ServerOptions | undefined;
  readonly log: RunnerLog;
  readonly execute: Executor["execute"];
  /** @throws {ext.unavailable} {ext.integrity} {component.refused} */
  prepare(contentHash: string): Promise<PrepareResult>;
  health(): RunnerHealth;
  readonly metrics: { render(): Promise<string>; readonly contentType: string };
  /** Calls that may be read or run at the same time. */
  readonly callsMax: number;
}

export interface InternalListener {
  readonly app: FastifyInstance;
  /** Calls that were taken and not answered yet. */
  taken(): number;
  /** From now on calls are refused. */
  stopTaking(): void;
  /** Resolves when no call is open. */
  idle(): Promise<void>;
}

/** Settings, a filter's payload or an event's data are the bulk of it. */
export const headMaxBytes = 2 * 1_024 * 1_024;
const prepareMaxBytes = 4 * 1_024;
export const frameMaxBytes = 4 + headMaxBytes + limits.extensionBodyMaxBytes;
const connectionsMax = 2_000;
const headers = { "x-content-type-options": "nosniff", "cache-control": "no-store" };

function deadlineOf({ headers: { [executeDeadlineHeader]: text } }: IncomingMessage): number | undefined {
  return typeof text === "string" && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = faultsOf(parsed.error).slice(0, 20);
  throw new AppError("request.invalid", { detail: faults[0]?.path ?? "the head" }, { faults });
}

/** Aborted when the caller goes away before it has its answer. */
function callerGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}

export function createInternalListener(options: InternalListenerOptions): InternalListener {
  const app = createHttpServer({ log: options.log, bodyMaxBytes: frameMaxBytes, connectionsMax, headers, tls: options.tls });
  const open = new Set<FastifyReply>();
  let stopping = false;
  let whenIdle: (() => void) | undefined;

  async function requireHub(request: FastifyRequest): Promise<void> {
    options.checkCaller(request.raw);
  }

  async function admit(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (stopping) throw new AppError("ext.unavailable", { detail: "the runner stops" });
    if (open.size >= options.callsMax)
      throw new AppError("ext.unavailable", { detail: `${open.size} calls are open` }, { retryAfterSeconds: 1 });
    open.add(reply);
    reply.raw.once("close", () => {
      open.delete(reply);
      if (open.size === 0) whenIdle?.();
    });
  }

  app.addHook("onSend", async (request, reply) => {
    void reply.header("x-request-id", requestIdOf(request.raw));
    if (stopping) void reply.header("connection", "close");
  });
  app.route<{ Body: unknown }>({
    method: "POST",
    url: "/v1/execute",
    onRequest: [requireHub, admit],
    handler: async (request, reply) => {
      const frame = decodeFrame(request.body instanceof Uint8Array ? request.body : new Uint8Array(), headMaxBytes);
      const head = parse(executeHeadSchema, frame.head);
      if (head.call.kind !== "http" && frame.body.length > 0)
        throw new AppError("request.malformed", { detail: "only an http call has a body" });
      const { result, body } = await options.execute(head, frame.body, callerGone(reply), deadlineOf(request.raw));
      const answer = encodeFrame(result, body);
      // Straight to the socket: the framework's way through serialisers and hooks costs as much as all its routing.
      reply.hijack();
      reply.raw.writeHead(200, {
        ...headers,
        "content-type": "application/octet-stream",
        "content-length": answer.length,
        "x-request-id": requestIdOf(request.raw),
        ...(stopping ? { connection: "close" } : {}),
      });
      reply.raw.end(answer);
      return reply;
    },
  });
  app.route<{ Body: unknown }>({
    method: "POST",
    url: "/v1/prepare",
    bodyLimit: prepareMaxBytes,
    onRequest: [requireHub, admit],
    handler: async (request, reply) => {
      const text = request.body instanceof Uint8Array ? Buffer.from(request.body).toString() : "";
      const { contentHash } = parse(prepareRequestSchema, parseJson(text));
      return reply.headers(headers).send(await options.prepare(contentHash));
    },
  });
  app.get("/healthz", async (_request, reply) => {
    const health = options.health();
    return reply
      .code(health.status === "ready" ? 200 : 503)
      .headers(headers)
      .send(health);
  });
  app.get("/metrics", async (_request, reply) =>
    reply
      .headers(headers)
      .type(options.metrics.contentType)
      .send(await options.metrics.render()),
  );

  return {
    app,
    taken: () => open.size,
    stopTaking() {
      stopping = true;
    },
    async idle() {
      if (open.size > 0) await new Promise<void>((resolve) => (whenIdle = resolve));
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("request.malformed", { detail: "the body is not JSON" }, { cause });
  }
}
