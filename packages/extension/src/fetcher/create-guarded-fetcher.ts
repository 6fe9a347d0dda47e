/**
 * The guarded fetcher: the one way by which this instance fetches an address that somebody else chose.
 *
 * Invariant: every hop goes through the same steps in the same order (check the address, resolve once, judge all answers, connect to a judged
 * address, verify the name, ask), and no step can be reached but through the one before it. A proxy in front would move the look-up
 * to a place we cannot judge, so environment variables for proxies are not read. The page docs/architecture/guarded-fetcher.md explains it.
 */
import { AppError } from "@althing/contract";
import { checkUrl, urlRefusalError, type UrlCheck, type UrlTarget } from "./check-url.ts";
import { connectVetted, createConnect, type Connect } from "./connect-pinned.ts";
import { createDnsResolver, type HostResolver } from "./dns-resolver.ts";
import { startFetchDeadline, type FetchDeadline } from "./fetch-deadline.ts";
import { defaultFetchLimits, defaultUrlRules, type FetchLimits, type FetchUse, type UrlRules } from "./fetch-policy.ts";
import { interfaceAddresses } from "./own-addresses.ts";
import { readPrivateHosts, type PrivateHost } from "./private-hosts.ts";
import { afterRedirect, readRequest, redirectStatuses, type OutgoingRequest, type RequestInput } from "./request-policy.ts";
import { openResponseBody, type ResponseBody } from "./response-body.ts";
import { openExchange, type Exchange, type ResponseHead } from "./send-request.ts";
import { vetAddresses } from "./vet-addresses.ts";

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

export interface FetchHop {
  readonly host: string;
  readonly address: string;
  readonly status: number;
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

interface Hop {
  readonly head: ResponseHead;
  readonly exchange: Exchange;
  readonly address: string;
}

interface Settings {
  readonly resolver: HostResolver;
  readonly connect: Connect;
  readonly ownAddresses: () => readonly string[];
}

async function resolveOnce(
  target: UrlTarget,
  resolver: HostResolver,
  limits: FetchLimits,
  deadline: FetchDeadline,
  use: FetchUse,
  hop: number,
) {
  if (target.isLiteral) return [target.host];
  return deadline.phase("dns", limits.dnsTimeoutMs, async (signal) => {
    try {
      return await resolver.resolve(target.host, signal);
    } catch (error) {
      signal.throwIfAborted();
      const code = error instanceof Error && "code" in error ? String(error.code) : "failed";
      throw new AppError(
        "fetch.dns_failed",
        { host: target.host, observed: code, detail: `the look-up ended with ${code}`, rule: "lookup", use, hop },
        { cause: error },
      );
    }
  });
}

/** One hop: from a checked address to the head of the answer. */
async function makeHop(
  { resolver, connect, ownAddresses }: Settings,
  target: UrlTarget,
  request: OutgoingRequest,
  limits: FetchLimits,
  deadline: FetchDeadline,
  place: { readonly use: FetchUse; readonly hop: number },
): Promise<Hop> {
  const answers = await resolveOnce(target, resolver, limits, deadline, place.use, place.hop);
  const addresses = vetAddresses({ target, answers, ...place, ownAddresses: ownAddresses() });
  const { socket, address } = await deadline.phase("connect", limits.connectTimeoutMs, async (signal) => {
    const connected = await connectVetted(connect, target, addresses, signal);
    if (!signal.aborted) return connected;
    connected.socket.destroy();
    throw signal.reason;
  });
  const exchange = openExchange(target, socket, address, limits);
  deadline.signal.addEventListener("abort", exchange.end, { once: true });
  if (deadline.signal.aborted) exchange.end();
  const head = await deadline
    .phase("headers", limits.headersTimeoutMs, (signal) => exchange.send(request, signal))
    .catch((error: unknown) => {
      exchange.end();
      throw error;
    });
  return { head, exchange, address };
}

function cleanHeaders(head: ResponseHead, wasDecoded: boolean): Headers {
  const named = (head.headers.get("connection") ?? "").split(",").map((name) => name.trim().toLowerCase());
  const drop = new Set([...hopByHop, ...named, ...(wasDecoded ? ["content-encoding", "content-length"] : [])]);
  return new Headers([...head.headers].filter(([name]) => !drop.has(name)));
}

/** @throws {config.invalid} an entry of `privateHosts` that is not exact */
export function createGuardedFetcher(options: GuardedFetcherOptions): GuardedFetcher {
  const { resolver = createDnsResolver(), connect = createConnect(), clock, ownAddresses = interfaceAddresses } = options;
  const privateHosts = readPrivateHosts(options.privateHosts ?? []);
  const limitsOf = (use: FetchUse): FetchLimits => ({ ...defaultFetchLimits[use], ...options.limits?.[use] });
  const rulesOf = (use: FetchUse): UrlRules => ({ ...defaultUrlRules[use], ...options.rules?.[use] });
  const running = new Set<FetchDeadline>();
  let isClosed = false;

  function judge(use: FetchUse, url: string, allowlist: readonly string[] | null | undefined): UrlCheck {
    return checkUrl({ use, url, rules: rulesOf(use), privateHosts, ...(allowlist === undefined ? {} : { allowlist }) });
  }

  function requireTarget(request: GuardedRequest, url: string, hop: number): UrlTarget {
    const checked = judge(request.use, url, request.allowlist);
    if (!checked.ok) throw urlRefusalError(checked.refusal, request.use, hop);
    return checked.target;
  }

  /** The next target and request; `undefined`: the answer is final. */
  function nextHop(call: GuardedRequest, from: UrlTarget, request: OutgoingRequest, head: ResponseHead, hop: number) {
    const location = head.headers.get("location");
    if (call.redirect === "manual" || !redirectStatuses.has(head.status) || location === null) return undefined;
    const rules = rulesOf(call.use);
    const url = URL.parse(location, from.url);
    const refuse = (rule: string) =>
      new AppError("fetch.redirect_refused", {
        host: from.host,
        observed: url ? url.host || url.protocol : "no address",
        rule,
        use: call.use,
        hop,
      });
    if (hop > rules.maxRedirects) throw refuse("too_many_redirects");
    if (!url) throw refuse("invalid_url");
    const target = requireTarget(call, url.href, hop);
    if (!rules.crossHostRedirects && target.host !== from.host) throw refuse("cross_host_redirect");
    if (from.scheme === "https" && target.scheme === "http") throw refuse("downgrade");
    const next = afterRedirect(request, head.status, target.url.origin !== from.url.origin);
    if (!next) throw refuse("body_across_origins");
    return { target, request: next };
  }

  async function follow(
    call: GuardedRequest,
    first: { target: UrlTarget; request: OutgoingRequest },
    limits: FetchLimits,
    deadline: FetchDeadline,
  ) {
    const hops: FetchHop[] = [];
    let { target, request } = first;
    for (let hop = 0; ; hop += 1) {
      deadline.host = target.host;
      const { head, exchange, address } = await makeHop({ resolver, connect, ownAddresses }, target, request, limits, deadline, {
        use: call.use,
        hop,
      });
      hops.push({ host: target.host, address, status: head.status });
      const next = nextHop(call, target, request, head, hop + 1);
      if (!next) return { target, request, head, hops };
      exchange.end();
      deadline.signal.removeEventListener("abort", exchange.end);
      ({ target, request } = next);
    }
  }

  async function answer(
    call: GuardedRequest,
    first: { target: UrlTarget; request: OutgoingRequest },
    deadline: FetchDeadline,
    end: () => void,
  ) {
    const limits = limitsOf(call.use);
    const startedAt = clock.now();
    const { target, request, head, hops } = await follow(call, first, limits, deadline);
    const hasBody = request.method !== "HEAD" && head.status !== 204 && head.status !== 304 && head.headers.get("content-length") !== "0";
    const encoding = head.headers.get("content-encoding") ?? undefined;
    const body = openResponseBody({
      source: head.body,
      contentEncoding: encoding,
      contentLength: head.headers.get("content-length") ?? undefined,
      hasBody,
      maxBytes: limits.bodyMaxBytes,
      host: target.host,
      end,
      endedBy: () => (deadline.signal.aborted ? deadline.signal.reason : undefined),
    });
    const headers = cleanHeaders(head, hasBody && encoding !== undefined);
    return { ...body, status: head.status, headers, url: target.url.href, hops, durationMs: clock.now() - startedAt };
  }

  return {
    checkUrl: judge,
    async fetch(call) {
      const limits = limitsOf(call.use);
      const first = { target: requireTarget(call, call.url, 0), request: readRequest(call, call.use, limits) };
      const deadline = startFetchDeadline({
        use: call.use,
        host: first.target.host,
        totalTimeoutMs: limits.totalTimeoutMs,
        callerSignal: call.signal,
      });
      running.add(deadline);
      deadline.signal.addEventListener("abort", () => running.delete(deadline), { once: true });
      if (isClosed) deadline.end("the fetcher is closed");
      try {
        return await answer(call, first, deadline, () => deadline.end());
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
