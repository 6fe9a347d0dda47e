/**
 * From a checked address to the final answer: hop after hop, each through every step.
 *
 * Invariant: a hop's connection is opened only to addresses that `vetAddresses` gave back for that hop, and ended before the next is begun.
 * A redirect from a public place never enters one of the operator's private hosts: the exception is for those who ask for that place, not
 * for whoever can send a Location header.
 */
import { AppError } from "@althing/contract";
import { checkUrl, urlRefusalError, type UrlCheckInput, type UrlTarget } from "./check-url.ts";
import { connectVetted, type Connect } from "./connect-pinned.ts";
import type { HostResolver } from "./dns-resolver.ts";
import type { FetchDeadline } from "./fetch-deadline.ts";
import type { FetchLimits } from "./fetch-policy.ts";
import { afterRedirect, redirectStatuses, type OutgoingRequest } from "./request-policy.ts";
import { openExchange, type Exchange, type ResponseHead } from "./send-request.ts";
import { vetAddresses } from "./vet-addresses.ts";

/** Everything one fetch is judged by. */
export interface FetchCourse {
  /** All of the check but the address itself. */
  readonly policy: Omit<UrlCheckInput, "url">;
  readonly limits: FetchLimits;
  readonly followRedirects: boolean;
  readonly resolver: HostResolver;
  readonly connect: Connect;
  readonly ownAddresses: () => readonly string[];
  readonly deadline: FetchDeadline;
}

export interface FetchHop {
  readonly host: string;
  readonly address: string;
  readonly status: number;
}

/** A checked place and what is asked of it. */
export interface Leg {
  readonly target: UrlTarget;
  readonly request: OutgoingRequest;
}

export interface FinalAnswer extends Leg {
  readonly head: ResponseHead;
  readonly hops: readonly FetchHop[];
}

interface HopAnswer {
  readonly head: ResponseHead;
  readonly exchange: Exchange;
  readonly address: string;
}

/**
 * @param hop 0 is the address asked for, 1 the first redirect
 * @throws {fetch.url_forbidden | fetch.host_not_allowed}
 */
export function requireTarget(policy: FetchCourse["policy"], url: string, hop: number): UrlTarget {
  const checked = checkUrl({ ...policy, url });
  if (!checked.ok) throw urlRefusalError(checked.refusal, policy.use, hop);
  return checked.target;
}

async function resolveOnce(course: FetchCourse, target: UrlTarget, hop: number): Promise<readonly string[]> {
  if (target.isLiteral) return [target.host];
  const { deadline, limits, policy, resolver } = course;
  return deadline.phase("dns", limits.dnsTimeoutMs, async (signal) => {
    try {
      return await resolver.resolve(target.host, signal);
    } catch (error) {
      signal.throwIfAborted();
      const observed = error instanceof Error && "code" in error ? String(error.code) : "failed";
      const params = { host: target.host, observed, detail: `the look-up ended with ${observed}`, rule: "lookup", use: policy.use, hop };
      throw new AppError("fetch.dns_failed", params, { cause: error });
    }
  });
}

async function makeHop(course: FetchCourse, { target, request }: Leg, hop: number): Promise<HopAnswer> {
  const { deadline, limits, policy, connect } = course;
  const answers = await resolveOnce(course, target, hop);
  const addresses = vetAddresses({ target, answers, use: policy.use, hop, ownAddresses: course.ownAddresses() });
  const { socket, address } = await deadline.phase("connect", limits.connectTimeoutMs, async (signal) => {
    const connected = await connectVetted(connect, target, addresses, signal);
    if (!signal.aborted) return connected;
    connected.socket.destroy();
    throw signal.reason;
  });
  const exchange = openExchange(target, socket, address, limits);
  deadline.signal.addEventListener("abort", exchange.end, { once: true });
  try {
    const head = await deadline.phase("headers", limits.headersTimeoutMs, (signal) => exchange.send(request, signal));
    return { head, exchange, address };
  } catch (error) {
    exchange.end();
    throw error;
  }
}

/** The next leg; `undefined`: the answer is final. */
function nextLeg(course: FetchCourse, from: Leg, head: ResponseHead, hop: number): Leg | undefined {
  const location = head.headers.get("location");
  if (!course.followRedirects || !redirectStatuses.has(head.status) || location === null) return undefined;
  const { rules, use } = course.policy;
  const url = URL.parse(location, from.target.url);
  const refuse = (rule: string) => {
    const observed = url ? url.host || url.protocol : "no address";
    return new AppError("fetch.redirect_refused", { host: from.target.host, observed, rule, use, hop });
  };
  if (hop > rules.maxRedirects) throw refuse("too_many_redirects");
  if (!url) throw refuse("invalid_url");
  const target = requireTarget(course.policy, url.href, hop);
  if (!rules.crossHostRedirects && target.host !== from.target.host) throw refuse("cross_host_redirect");
  if (from.target.scheme === "https" && target.scheme === "http") throw refuse("downgrade");
  if (target.exceptions.length > 0 && from.target.exceptions.length === 0) throw refuse("private_host_redirect");
  const request = afterRedirect(from.request, head.status, target.url.origin !== from.target.url.origin);
  if (!request) throw refuse("body_across_origins");
  return { target, request };
}

/** Follows the course to the head of the answer that counts; the caller ends its connection through the deadline. */
export async function followRedirects(course: FetchCourse, first: Leg): Promise<FinalAnswer> {
  const { deadline } = course;
  const hops: FetchHop[] = [];
  let leg = first;
  for (;;) {
    deadline.host = leg.target.host;
    const { head, exchange, address } = await makeHop(course, leg, hops.length);
    hops.push({ host: leg.target.host, address, status: head.status });
    const next = nextLeg(course, leg, head, hops.length);
    if (!next) return { ...leg, head, hops };
    exchange.end();
    deadline.signal.removeEventListener("abort", exchange.end);
    leg = next;
  }
}
