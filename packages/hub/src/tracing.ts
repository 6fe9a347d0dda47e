/**
 * Traces of extension calls, the hub's part: a span for each gateway request, and one for each invocation that no request caused.
 *
 * Invariant: a span says what was asked of whom and how it ended, in words of the platform: method, route template, status, codes, ids of rows that were
 * found. No header, body, path, query or name that a caller chose gets into one. A foreign `traceparent` counts only where its sender was
 * authenticated. Without the setting this file loads nothing and nothing of it runs.
 */
import type { Gateway, Invocation, TraceSpan } from "@althing/extension";
import { parseTraceparent, type Config } from "@althing/contract";
import type { Span } from "@opentelemetry/api";
import type { HeaderPair } from "./exchange.ts";
import type { HubLog } from "./log.ts";
import { openSpanExport, startClock, traceparentOf } from "@althing/extension/tracing";

/** The span of one gateway request, from its arrival; it starts when somebody needs it, because its parent is known only after authentication. */
export interface RequestSpan {
  /** Starts it, as a part of the sender's trace if that names a valid one; the header for its children. */
  begin(parent?: string): string;
  /** @param code `ok` or what the caller was told */
  end(status: number, code: string): void;
}

export interface HubTracing {
  /** @param isNamed the community stands in the path */
  request(id: string, method: string | undefined, isNamed: boolean): RequestSpan;
  /** For the invoker: the span that a call belongs to. */
  invocation(invocation: Invocation): TraceSpan;
  close(): Promise<void>;
}

/** The gateway, and what traces its requests where the operator wants that. */
export interface TracedGateway extends Gateway {
  readonly tracing?: Pick<HubTracing, "request">;
}

const routes = { named: "/api/communities/{community}/ext/{extension}", plain: "/api/ext/{extension}" };
/** RFC 9110 and PATCH; what else a parser lets through is told apart by nobody. */
const methods = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]);

/** The one valid `traceparent` of a request; two of them are none. */
export function traceparentIn(headers: readonly HeaderPair[]): string | undefined {
  const [first, ...more] = headers.filter(([name]) => name === "traceparent");
  return first !== undefined && more.length === 0 && parseTraceparent(first[1]) !== undefined ? first[1] : undefined;
}

const idsOf = ({ requestId, install }: Invocation) => ({
  "althing.request_id": requestId,
  "althing.community": install.community,
  "althing.install": install.id,
  "althing.extension": install.extension,
});

/** `undefined` without the setting. */
export async function openHubTracing(
  { otlp_endpoint: endpoint, node_name: node }: Pick<Config, "otlp_endpoint" | "node_name">,
  log: Pick<HubLog, "warn">,
): Promise<HubTracing | undefined> {
  if (endpoint === undefined) return undefined;
  const onDropped = (spans: number, reason: string) => log.warn({ spans, reason }, "traces were not taken and are gone");
  const { tracer, kinds, failed, contextOf, close } = await openSpanExport({ endpoint, service: "althing-hub", node, onDropped });
  /** By request id, while they run. */
  const running = new Map<string, Span>();

  function finish(span: Span, code: string, endMs: number): void {
    span.setAttribute("althing.code", code);
    span.end(endMs);
  }

  return {
    request(id, given, isNamed) {
      const now = startClock();
      const startTime = now();
      const method = methods.has(given ?? "") ? given : "_OTHER";
      const route = isNamed ? routes.named : routes.plain;
      const start = (parent: string | undefined): Span => {
        const attributes = { "http.request.method": method, "http.route": route, "althing.request_id": id };
        const span = tracer.startSpan(`${method} ${route}`, { kind: kinds.SERVER, startTime, attributes }, contextOf(parent));
        running.set(id, span);
        return span;
      };
      return {
        begin: (parent) => traceparentOf(running.get(id) ?? start(parent)),
        end(status, code) {
          const span = running.get(id) ?? start(undefined);
          running.delete(id);
          span.setAttribute("http.response.status_code", status);
          if (status >= 500) span.setStatus(failed);
          finish(span, code, now());
        },
      };
    },
    invocation(invocation) {
      const { call, requestId } = invocation;
      const request = running.get(requestId);
      if (request !== undefined && call.kind === "http") {
        request.setAttributes(idsOf(invocation));
        return { traceparent: traceparentOf(request), end: () => undefined };
      }
      const now = startClock();
      const attributes = { ...idsOf(invocation), "althing.trigger": call.kind };
      const parent = request === undefined ? undefined : traceparentOf(request);
      const span = tracer.startSpan(`invoke ${call.kind}`, { startTime: now(), attributes }, contextOf(parent));
      return {
        traceparent: traceparentOf(span),
        end(code) {
          if (code !== "ok") span.setStatus(failed);
          finish(span, code, now());
        },
      };
    },
    close,
  };
}
