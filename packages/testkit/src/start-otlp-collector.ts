/**
 * A receiver of traces over OTLP/HTTP (JSON) on loopback, which keeps what it gets and answers as a test wants.
 *
 * Invariant: every byte that came is kept as it came, so that a test can look for what must not be in it; waiting is for an event, never for time.
 */
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { z } from "zod";

const valueSchema = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
  z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
  z.object({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
]);
const attributesSchema = z
  .array(z.object({ key: z.string(), value: valueSchema }))
  .transform((list) => Object.fromEntries(list.map(({ key, value }) => [key, value])));
const spanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.coerce.bigint(),
  endTimeUnixNano: z.coerce.bigint(),
  attributes: attributesSchema,
  status: z.object({ code: z.number() }),
});
const requestSchema = z.object({
  resourceSpans: z.array(
    z.object({ resource: z.object({ attributes: attributesSchema }), scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })) }),
  ),
});

export interface CollectedSpan extends z.infer<typeof spanSchema> {
  /** `service.name` of its resource. */
  readonly service: unknown;
}

export interface OtlpCollector {
  /** What a setting names: the base. */
  readonly url: string;
  readonly spans: CollectedSpan[];
  /** Bodies as they came. */
  readonly bodies: string[];
  /** `METHOD path`, in order. */
  readonly requests: string[];
  /** Answers in place of `200 {}`. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  /** The first spans for which `wanted` has something to give. */
  until<T>(wanted: (spans: readonly CollectedSpan[]) => T | undefined): Promise<T>;
  close(): Promise<void>;
}

export async function startOtlpCollector(): Promise<OtlpCollector> {
  const arrivals = new EventEmitter();
  const collector: Omit<OtlpCollector, "url"> = {
    spans: [],
    bodies: [],
    requests: [],
    answer: undefined,
    async until(wanted) {
      for (;;) {
        const found = wanted(collector.spans);
        if (found !== undefined) return found;
        await once(arrivals, "spans");
      }
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      collector.requests.push(`${request.method} ${request.url}`);
      collector.bodies.push(body);
      for (const { resource, scopeSpans } of requestSchema.parse(JSON.parse(body)).resourceSpans)
        for (const { spans } of scopeSpans)
          collector.spans.push(...spans.map((span) => ({ ...span, service: resource.attributes["service.name"] })));
      if (collector.answer === undefined) response.writeHead(200, { "content-type": "application/json" }).end("{}");
      else collector.answer(request, response);
      arrivals.emit("spans");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return Object.assign(collector, { url: `http://127.0.0.1:${address.port}` });
}
