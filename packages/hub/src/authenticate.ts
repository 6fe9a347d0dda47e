/**
 * From headers to a caller: RFC 9421 signature, RFC 9530 digest, active user, in that order.
 *
 * Invariant: cheap refusals come before cryptography and cryptography before the store; the authority is one of ours before anything is verified; the
 * user row is read freshly on each call, so a revocation holds for the next request. No body byte has been read when this returns.
 * See docs/architecture/hub.md, "A signed request".
 */
import type { IncomingMessage } from "node:http";
import type { Caller } from "@althing/bus";
import { AppError, limits, signPubSchema, type SignPub } from "@althing/contract";
import { checkFreshness, parseContentDigest, parseSignature, type DigestMember } from "@althing/crypto";
import type { ClaimStore } from "@althing/store";
import type { CompiledRoute } from "./compiled-routes.ts";
import { hasBody, headerOf, type Exchange } from "./exchange.ts";
import type { Origins } from "./origins.ts";
import type { RateLimiter } from "./rate-limit.ts";
import { createSignatureCheck } from "./signature-check.ts";

export interface AuthenticateOptions {
  readonly origins: Origins;
  readonly limiter: RateLimiter;
  readonly claims: ClaimStore;
  /** The active user of a key, from the store, never a cache. @throws {auth.unknown_user} {auth.revoked} */
  readonly findCaller: (signPub: SignPub) => Promise<Caller>;
  readonly nowMs: () => number;
  readonly auth: "enforce" | "off";
}

export interface Authenticated {
  readonly signPub: SignPub;
  /** Absent on self-signed routes: the key is proven, there is no user yet. */
  readonly caller: Caller | undefined;
  /** Content-Digest as signed; present iff there is a body. */
  readonly digest: readonly DigestMember[] | undefined;
  /** Takes the nonce; at most once. @throws {auth.replayed} {auth.nonce_unavailable} */
  readonly claimNonce: () => Promise<void>;
}

export type Authenticate = (route: CompiledRoute, request: IncomingMessage, exchange: Exchange) => Promise<Authenticated>;

/** How long a nonce is kept, by the second at which its signature expires: a clock that is set back meanwhile must not let the request in again. */
export function claimExpiryMs(expiresSeconds: number): number {
  return (expiresSeconds + limits.signatureSkewSeconds + 1) * 1_000;
}

export function createAuthenticate(options: AuthenticateOptions): Authenticate {
  const { origins, limiter, nowMs } = options;
  const signatures = createSignatureCheck();

  async function verify(route: CompiledRoute, request: IncomingMessage, exchange: Exchange): Promise<Authenticated> {
    const { headers } = exchange;
    const origin = origins.forAuthority(headerOf(headers, "host") ?? "");
    const body = hasBody(request);
    const signed = headerOf(headers, "signature-input") !== undefined || headerOf(headers, "signature") !== undefined;
    if (!signed && options.auth === "off" && route.relaxable) return unsigned(headers, body);
    if (!signed) throw new AppError("auth.required");
    const digest = body ? readDigest(headers) : undefined;
    const parsed = parseSignature({ method: request.method ?? "", targetUri: origin + (request.url ?? ""), headers, hasBody: body });
    checkFreshness(parsed, Math.floor(nowMs() / 1_000));
    const verified = signatures.verify(parsed);
    if (verified instanceof Promise) await verified;
    const signPub = parsed.keyId as SignPub;
    const caller = route.class === "self-signed" ? undefined : await options.findCaller(signPub);
    return { signPub, caller, digest, claimNonce: () => claimNonce(`${parsed.keyId}/${parsed.nonce}`, claimExpiryMs(parsed.expires)) };
  }

  async function claimNonce(key: string, expiresAtMs: number): Promise<void> {
    let first: boolean;
    try {
      first = await options.claims.claim(key, expiresAtMs);
    } catch (cause) {
      throw new AppError("auth.nonce_unavailable", {}, { cause, retryAfterSeconds: 1 });
    }
    if (!first) throw new AppError("auth.replayed");
  }

  /**
   * `auth = off`, which the configuration allows on loopback only: the caller says who it acts for. A header of our own keeps pages of other
   * origins out: a browser asks first before it sends one, and nobody answers.
   */
  async function unsigned(headers: Exchange["headers"], body: boolean): Promise<Authenticated> {
    const as = signPubSchema.safeParse(headerOf(headers, "althing-as"));
    if (!as.success) throw new AppError("auth.required");
    const caller = await options.findCaller(as.data);
    const digest = body && headerOf(headers, "content-digest") !== undefined ? readDigest(headers) : undefined;
    return { signPub: as.data, caller, digest, claimNonce: () => Promise.resolve() };
  }

  return async (route, request, exchange) => {
    const wait = limiter.mayTry(exchange.address);
    if (wait > 0)
      throw new AppError("request.rate_limited", { limit: "the allowed number of failed requests" }, { retryAfterSeconds: wait });
    try {
      const authenticated = await verify(route, request, exchange);
      exchange.endpoint = authenticated.caller?.endpoint;
      return authenticated;
    } catch (error) {
      if (error instanceof AppError && error.row.kind === "user") limiter.fail(exchange.address);
      throw error;
    }
  };
}

/** @throws {auth.digest_missing} {auth.digest_malformed} */
function readDigest(headers: Exchange["headers"]): DigestMember[] {
  const value = headerOf(headers, "content-digest");
  if (value === undefined) throw new AppError("auth.digest_missing");
  return parseContentDigest(value);
}
