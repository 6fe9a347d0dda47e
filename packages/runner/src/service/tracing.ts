/**
 * Traces of extension calls, the runner's part: a span for each invocation below the hub's, and one for each host call below that.
 *
 * Invariant: a span holds ids, counts and codes of the platform. Nothing that a guest chose or was told gets into one: no key, value, path, query, message
 * or header; of `http.fetch` the host, and that only as the granted list names it, because even a host name can be made to carry a secret.
 */
import type { ExecuteHead, ExecuteResult } from "@althing/contract";
import type { GuardedFetcher } from "@althing/extension/fetcher";
import { openSpanExport, startClock, traceparentOf } from "@althing/extension/tracing";

export interface InvocationSpan {
  /** A host call that has just ended. @param code `ok` or what the guest was told */
  hostCall(op: string, code: string, durationMs: number, args: readonly unknown[]): void;
  end(result: ExecuteResult): void;
}

export interface RunnerTracing {
  invocation(head: ExecuteHead): InvocationSpan;
  close(): Promise<void>;
}

export interface RunnerTracingOptions {
  readonly endpoint: string;
  readonly node: string;
  readonly fetcher: Pick<GuardedFetcher, "checkUrl">;
  readonly log: { warn(fields: object, message: string): void };
}

/** What the host takes. */
const urlMaxChars = 16_384;

/** The granted name that an address falls under; `undefined` when it falls under none. */
function grantedHost(fetcher: RunnerTracingOptions["fetcher"], granted: readonly string[], args: readonly unknown[]): string | undefined {
  const [request] = args;
  if (typeof request !== "object" || request === null || !("url" in request) || typeof request.url !== "string") return undefined;
  if (request.url.length > urlMaxChars) return undefined;
  const { url } = request;
  return granted.find((pattern) => fetcher.checkUrl("egress", url, [pattern]).ok);
}

export async function openRunnerTracing({ endpoint, node, fetcher, log }: RunnerTracingOptions): Promise<RunnerTracing> {
  const onDropped = (spans: number, reason: string) => log.warn({ spans, reason }, "traces were not taken and are gone");
  const { tracer, kinds, failed, contextOf, close } = await openSpanExport({ endpoint, service: "althing-runner", node, onDropped });
  return {
    invocation(head) {
      const nowMs = startClock();
      const attributes = {
        "althing.request_id": head.requestId,
        "althing.community": head.community,
        "althing.install": head.install,
        "althing.extension": head.extension,
        "althing.version": head.version,
        "althing.trigger": head.call.kind,
      };
      const span = tracer.startSpan(
        `execute ${head.call.kind}`,
        { kind: kinds.SERVER, startTime: nowMs(), attributes },
        contextOf(head.traceparent),
      );
      const inside = contextOf(traceparentOf(span));
      return {
        hostCall(op, code, durationMs, args) {
          const endMs = nowMs();
          const host = op === "http.fetch" ? grantedHost(fetcher, head.egress, args) : undefined;
          const call = tracer.startSpan(
            op,
            {
              kind: op === "http.fetch" ? kinds.CLIENT : kinds.INTERNAL,
              startTime: endMs - durationMs,
              attributes: { "althing.op": op, "althing.code": code, ...(host === undefined ? {} : { "server.address": host }) },
            },
            inside,
          );
          if (code !== "ok") call.setStatus(failed);
          call.end(endMs);
        },
        end({ outcome, usage }) {
          const { fuel, peakMemoryBytes, hostCalls, fetches, egressBytes } = usage;
          const isFailed = outcome.kind === "failed";
          span.setAttributes({
            "althing.outcome": outcome.kind,
            "althing.code": isFailed ? outcome.code : "ok",
            ...(isFailed ? { "althing.rule": outcome.rule } : {}),
            "althing.fuel": fuel,
            "althing.memory_bytes": peakMemoryBytes,
            "althing.host_calls": hostCalls,
            "althing.fetches": fetches,
            "althing.egress_bytes": egressBytes,
          });
          if (isFailed) span.setStatus(failed);
          span.end(nowMs());
        },
      };
    },
    close,
  };
}
