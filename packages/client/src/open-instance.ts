/**
 * What somebody can do before being a user: look at the posture, claim the instance, join it.
 *
 * Invariant: the token goes in a signed body, never in an address, and the request proves the key and publishes its key card in one step.
 */
import { type Handle, type Health, type User } from "@althing/contract";
import type { Identity } from "@althing/crypto";
import { platform } from "#platform";
import { createApi, type Api } from "./api.ts";
import { checkApiUrl } from "./target.ts";

export interface NewcomerOptions {
  readonly url: string;
  /** Further addresses of the same instance: the first that lives is asked, once. */
  readonly otherUrls?: readonly string[];
  /** The one-time token of the link or invitation. */
  readonly token: string;
  readonly handle: Handle | string;
  readonly identity: Identity;
  /** PEM of a private authority; Node only. */
  readonly ca?: string;
}

/**
 * Becomes the first admin with the one-time link.
 *
 * @throws {claim.invalid} unknown, used or expired
 * @throws {bootstrap.closed} there is an admin already
 */
export function claimInstance(options: NewcomerOptions): Promise<User> {
  return withApi(options, (api) => api.call("claim.post", { body: newcomer(options) }));
}

/** Joins with an invitation. @throws {invitation.invalid} unknown, used or expired */
export function joinInstance(options: NewcomerOptions): Promise<User> {
  return withApi(options, (api) => api.call("join.post", { body: newcomer(options) }));
}

/** The posture, also of an instance that is not ready (its answer is 503 with the same body). */
export function fetchHealth(url: string, options: { readonly ca?: string } = {}): Promise<Health> {
  return withApi({ url, ...options }, (api) => api.call("health.get"));
}

function newcomer(options: NewcomerOptions) {
  return { token: options.token, handle: options.handle, keys: options.identity.card };
}

interface Target {
  readonly url: string;
  readonly otherUrls?: readonly string[];
  readonly ca?: string;
  readonly identity?: Identity;
}

async function withApi<T>(options: Target, use: (api: Api) => Promise<T>): Promise<T> {
  const urls = [options.url, ...(options.otherUrls ?? [])].map(checkApiUrl);
  const http = platform.createHttp({ ca: options.ca });
  try {
    return await use(createApi({ identity: options.identity, urls, http, now: Date.now }));
  } finally {
    await http.close();
  }
}
