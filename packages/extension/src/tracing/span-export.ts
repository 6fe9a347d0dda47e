/**
 * From finished spans to an OTLP/HTTP receiver (JSON): a bounded queue, batches, one connection a batch.
 *
 * Invariant: nobody waits for a span and none is worth an error. What does not fit the queue, and what the receiver does not take in time, is dropped and told
 * of once a minute; of its answer only the first kilobytes are read. Nothing global is set and OpenTelemetry is loaded here, on demand. It is
 * an entry of its own, because hub and runner both need it and neither imports the other.
 */
import { Agent as HttpAgent, type ClientRequestArgs } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Context, SpanKind, SpanStatus, Tracer } from "@opentelemetry/api";
import type { ReadableSpan, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import { parseTraceparent } from "@althing/contract";

export interface SpanExportOptions {
  /** Base of the receiver; spans go to `v1/traces` below it. */
  readonly endpoint: string;
  /** `service.name` of the spans. */
  readonly service: string;
  /** Name of this node. */
  readonly node: string;
  /** At most once a minute: spans dropped since the last time, and why the latest were; nothing of the receiver's own words. */
  readonly onDropped: (spans: number, reason: string) => void;
  /** How long one batch may take; default 5,000. */
  readonly timeoutMs?: number;
}

export interface SpanExport {
  readonly tracer: Tracer;
  readonly kinds: typeof SpanKind;
  /** Status of what went wrong. */
  readonly failed: SpanStatus;
  /** What a span without a parent starts from; with a valid `traceparent` that span's child does. */
  contextOf(traceparent: string | undefined): Context;
  /** Sends what is left, for at most a second; later spans are dropped. */
  close(): Promise<void>;
}

const spansMax = 2_048;
const batchMax = 512;
const batchDelayMs = 1_000;
const batchTimeoutMs = 5_000;
const closeMs = 1_000;
const warnIntervalMs = 60_000;
/** A receiver answers with an empty object, or with how many spans it refused. */
const answerMaxBytes = 16 * 1_024;
const valueMaxChars = 256;

/** The code is what the log shows. */
const cut = (code: string): Error => Object.assign(new Error(code), { code });

/** A connection serves one batch and ends with its time or with an answer that is too large, whatever the other side does. */
function boundedAgent(protocol: string, timeoutMs: number, closed: AbortSignal): HttpAgent {
  const agent = protocol === "https:" ? new HttpsAgent({ keepAlive: false }) : new HttpAgent({ keepAlive: false });
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options: ClientRequestArgs, done) => {
    // The exporter tries again, also after its end.
    closed.throwIfAborted();
    const socket = connect(options, done);
    if (socket == null) return socket;
    let bytes = 0;
    const end = setTimeout(() => socket.destroy(cut("took too long")), timeoutMs);
    socket.on("data", (part: Uint8Array) => {
      bytes += part.length;
      if (bytes > answerMaxBytes) socket.destroy(cut("answered too much"));
    });
    socket.once("close", () => clearTimeout(end));
    return socket;
  };
  return agent;
}

/** A status or a code of the system: what the receiver says itself reaches no log. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (typeof code === "number") return `status ${code}`;
  return typeof code === "string" ? code : "no valid answer in time";
}

function createDropped(onDropped: SpanExportOptions["onDropped"]): (spans: number, reason: string) => void {
  let dropped = 0;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  return (spans, reason) => {
    dropped += spans;
    if (performance.now() - toldAtMs < warnIntervalMs) return;
    toldAtMs = performance.now();
    onDropped(dropped, reason);
    dropped = 0;
  };
}

/** The batching processor behind a count of all that is finished and not sent, also of what is under way. */
function bounded(
  exporter: SpanExporter,
  batching: (counted: SpanExporter) => SpanProcessor,
  onDropped: SpanExportOptions["onDropped"],
): SpanProcessor {
  const drop = createDropped(onDropped);
  let held = 0;
  let isClosed = false;
  const processor = batching({
    export(spans, done) {
      exporter.export(spans, (result) => {
        held -= spans.length;
        if (result.error !== undefined) drop(spans.length, reasonOf(result.error));
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  });
  return {
    onStart: (span, parent) => processor.onStart(span, parent),
    onEnd(span: ReadableSpan) {
      if (isClosed) return;
      if (held >= spansMax) return drop(1, "the queue is full");
      held++;
      processor.onEnd(span);
    },
    forceFlush: () => processor.forceFlush(),
    shutdown() {
      isClosed = true;
      return processor.shutdown();
    },
  };
}

export async function openSpanExport({
  endpoint,
  service,
  node,
  onDropped,
  timeoutMs = batchTimeoutMs,
}: SpanExportOptions): Promise<SpanExport> {
  const [{ ROOT_CONTEXT, SpanKind: kinds, SpanStatusCode, trace }, sdk, { OTLPTraceExporter }] = await Promise.all([
    import("@opentelemetry/api"),
    import("@opentelemetry/sdk-trace"),
    import("@opentelemetry/exporter-trace-otlp-http"),
  ]);
  const url = new URL(endpoint);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`;
  const closed = new AbortController();
  const agent = boundedAgent(url.protocol, timeoutMs, closed.signal);
  const exporter = new OTLPTraceExporter({
    url: url.href,
    timeoutMillis: timeoutMs,
    concurrencyLimit: spansMax / batchMax,
    httpAgentOptions: () => agent,
  });
  const attributes = { "service.name": service, "service.namespace": "althing", "service.instance.id": node };
  const resource = { attributes, merge: () => resource, getRawAttributes: () => Object.entries(attributes) };
  const provider = new sdk.TracerProvider({
    resource,
    // A caller's own decision is not ours: the flag of a foreign span must not hide a request.
    sampler: new sdk.AlwaysOnSampler(),
    spanLimits: { attributeValueLengthLimit: valueMaxChars },
    spanProcessors: [
      bounded(
        exporter,
        (counted) =>
          new sdk.BatchSpanProcessor({
            exporter: counted,
            maxQueueSize: spansMax,
            maxExportBatchSize: batchMax,
            scheduledDelayMillis: batchDelayMs,
            exportTimeoutMillis: timeoutMs + closeMs,
          }),
        onDropped,
      ),
    ],
  });
  return {
    tracer: provider.getTracer("althing"),
    kinds,
    failed: { code: SpanStatusCode.ERROR },
    contextOf(traceparent) {
      const parent = traceparent === undefined ? undefined : parseTraceparent(traceparent);
      if (parent === undefined) return ROOT_CONTEXT;
      const { traceId, spanId, flags } = parent;
      return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: flags, isRemote: true });
    },
    async close() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, closeMs);
      await Promise.race([provider.shutdown().catch(() => undefined), late.promise]);
      clearTimeout(timer);
      closed.abort();
      agent.destroy();
    },
  };
}

/** A clock that starts at the wall's time and only goes forward. @returns milliseconds since the epoch */
export function startClock(): () => number {
  const [wallMs, steadyMs] = [Date.now(), performance.now()];
  return () => wallMs + performance.now() - steadyMs;
}

/** The header of a span's children. */
export function traceparentOf(span: { spanContext(): { readonly traceId: string; readonly spanId: string } }): string {
  const { traceId, spanId } = span.spanContext();
  return `00-${traceId}-${spanId}-01`;
}
