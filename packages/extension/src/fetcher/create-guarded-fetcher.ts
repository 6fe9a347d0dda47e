/**
 * The guarded fetcher: the one way by which this instance fetches an address that somebody else chose.
 *
 * Invariant: every hop goes through the same steps in the same order (check the address, resolve once, judge all answers, connect to a judged
 * address, verify the name, ask), and no step can be reached but through the one before it. A proxy in front would move the look-up
 * to a place we cannot judge, so environment variables for proxies are not read. The page docs/architecture/guarded-fetcher.md explains it.
 */
import { checkUrl, type UrlCheck } from "./check-url.ts";
import { createConnect, type Connect } from "./connect-pinned.ts";
import { createDnsResolver, type HostResolver } from "./dns-resolver.ts";
import { startFetchDeadline, type FetchDeadline } from "./fetch-deadline.ts";
import { defaultFetchLimits, defaultUrlRules, type FetchLimits, type FetchUse, type UrlRules } from "./fetch-policy.ts";
import { followRedirects, requireTarget, type FetchCourse, type FetchHop, type FinalAnswer } from "./follow-redirects.ts";
import { interfaceAddresses } from "./own-addresses.ts";
import { readPrivateHosts, type PrivateHost } from "./private-hosts.ts";
import { readRequest, type RequestInput } from "./request-policy.ts";
import { openResponseBody, type ResponseBody } from "./response-body.ts";
import type { ResponseHead } from "./send-request.ts";

export interface GuardedFetcherOptions {
  readonly resolver?: HostResolver;
  readonly connect?: Connect;
  /** Milliseconds; only for `durationMs`. */
  readonly clock: { now(): number };
  /** Addresses and networks of this instance, asked for at each look-up. Default: this machine's interfaces. */
  readonly ownAddresses?: () => readonly string[];
  /** The operator's exceptions, from the configuration file only. */
  readonly privateHosts?: readonly PrivateHost[];
  readonly limits?: Partial<Readonly<Record<FetchUse, Partial<FetchLimits>>>>;
  readonly rules?: Partial<Readonly<Record<FetchUse, Partial<UrlRules>>>>;
}

export interface GuardedRequest extends RequestInput {
  readonly use: FetchUse;
  readonly url: string;
  /** Patterns of hosts; for `registry` `null` means that the policy names none. Checked again at every hop. */
  readonly allowlist: readonly string[] | null;
  readonly signal?: AbortSignal;
  /** `manual`: an answer that redirects is handed over as it is. Default `follow`. */
  readonly redirect?: "follow" | "manual";
}

export interface GuardedResponse extends ResponseBody {
  readonly status: number;
  /** Without hop-by-hop fields; when the body was decoded, without its coding and length. */
  readonly headers: Headers;
  /** The address that answered. */
  readonly url: string;
  /** Every connection made, for the log. */
  readonly hops: readonly FetchHop[];
  /** From the call to the headers. */
  readonly durationMs: number;
}

export interface GuardedFetcher {
  /**
   * @throws {fetch.url_forbidden | fetch.host_not_allowed | fetch.private_address | fetch.dns_failed | fetch.unreachable |
   *   fetch.certificate | fetch.timeout | fetch.too_large | fetch.bad_response | fetch.redirect_refused | fetch.request_forbidden |
   *   fetch.aborted} each with `rule`, `observed` and, after redirects, `hop`
   * @example
   * const response = await fetcher.fetch({ use: "registry", url: "https://packages.example.org/index.json", allowlist: null });
   * for await (const chunk of response.stream()) hash.update(chunk);
   */
  fetch(request: GuardedRequest): Promise<GuardedResponse>;
  /** The part of the check that needs no network, for saving an address. */
  checkUrl(use: FetchUse, url: string, allowlist?: readonly string[] | null): UrlCheck;
  /** Ends all fetches; later ones are refused. */
  close(): void;
}

const hopByHop = ["connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

function cleanHeaders(head: ResponseHead, wasDecoded: boolean): Headers {
  const named = (head.headers.get("connection") ?? "").split(",").map((name) => name.trim().toLowerCase());
  const drop = new Set([...hopByHop, ...named, ...(wasDecoded ? ["content-encoding", "content-length"] : [])]);
  return new Headers([...head.headers].filter(([name]) => !drop.has(name)));
}

/** The answer as the caller gets it; the body keeps the deadline running until it is read or given up. */
function toResponse(
  { target, request, head, hops }: FinalAnswer,
  limits: FetchLimits,
  deadline: FetchDeadline,
  durationMs: number,
): GuardedResponse {
  const hasBody = request.method !== "HEAD" && head.status !== 204 && head.status !== 304 && head.headers.get("content-length") !== "0";
  const encoding = head.headers.get("content-encoding") ?? undefined;
  const body = openResponseBody({
    source: head.body,
    contentEncoding: encoding,
    contentLength: head.headers.get("content-length") ?? undefined,
    hasBody,
    maxBytes: limits.bodyMaxBytes,
    host: target.host,
    end: () => deadline.end(),
    endedBy: (): unknown => (deadline.signal.aborted ? deadline.signal.reason : undefined),
  });
  const headers = cleanHeaders(head, hasBody && encoding !== undefined);
  return { ...body, status: head.status, headers, url: target.url.href, hops, durationMs };
}

/** @throws {config.invalid} an entry of `privateHosts` that is not exact */
export function createGuardedFetcher(options: GuardedFetcherOptions): GuardedFetcher {
  const { resolver = createDnsResolver(), connect = createConnect(), clock, ownAddresses = interfaceAddresses } = options;
  const privateHosts = readPrivateHosts(options.privateHosts ?? []);
  const running = new Set<FetchDeadline>();
  let isClosed = false;

  const policyFor = (use: FetchUse, allowlist: readonly string[] | null | undefined): FetchCourse["policy"] => ({
    use,
    rules: { ...defaultUrlRules[use], ...options.rules?.[use] },
    privateHosts,
    ...(allowlist === undefined ? {} : { allowlist }),
  });

  return {
    checkUrl: (use, url, allowlist) => checkUrl({ ...policyFor(use, allowlist), url }),
    async fetch(call) {
      const { use, allowlist, signal: callerSignal, redirect = "follow" } = call;
      const startedAt = clock.now();
      const policy = policyFor(use, allowlist);
      const limits = { ...defaultFetchLimits[use], ...options.limits?.[use] };
      const target = requireTarget(policy, call.url, 0);
      const request = readRequest(call, use, limits);
      const deadline = startFetchDeadline({ use, host: target.host, totalTimeoutMs: limits.totalTimeoutMs, callerSignal });
      running.add(deadline);
      deadline.signal.addEventListener("abort", () => running.delete(deadline), { once: true });
      if (isClosed) deadline.end("the fetcher is closed");
      try {
        const course = { policy, limits, followRedirects: redirect === "follow", resolver, connect, ownAddresses, deadline };
        const answer = await followRedirects(course, { target, request });
        return toResponse(answer, limits, deadline, clock.now() - startedAt);
      } catch (error) {
        deadline.end();
        throw error;
      }
    },
    close() {
      isClosed = true;
      for (const deadline of running) deadline.end("the fetcher was closed");
    },
  };
}
