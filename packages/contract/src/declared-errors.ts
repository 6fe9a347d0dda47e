/**
 * Every code that a route can answer with: its own, and those that come of what kind of route it is.
 *
 * Invariant: a row of the route table names what only its own handler refuses; what the pipeline before it can refuse stands here once, so that OpenAPI, the
 * reference and the tests that walk all routes mean the same.
 */
import type { ErrorCode } from "./errors.ts";
import type { Route } from "./route.ts";
import { routes, type RouteName } from "./routes.ts";

/** Refusals that any signed route can answer with. */
export const commonSignedErrors: readonly ErrorCode[] = [
  "auth.required",
  "auth.malformed",
  "auth.signature_count",
  "auth.component_missing",
  "auth.component_unknown",
  "auth.parameter_missing",
  "auth.algorithm",
  "auth.tag",
  "auth.stale",
  "auth.replayed",
  "auth.nonce_unavailable",
  "auth.bad_signature",
  "auth.digest_missing",
  "auth.digest_malformed",
  "auth.digest_mismatch",
  "auth.wrong_authority",
  "auth.unknown_user",
  "auth.revoked",
  "request.invalid",
  "request.malformed",
  "request.too_large",
  "request.timeout",
  "request.headers_too_large",
  "request.rate_limited",
  "store.unavailable",
  "system.internal",
  "system.unavailable",
  "system.stopping",
];

/** And those that take a body. */
export const bodyErrors: readonly ErrorCode[] = ["request.unsupported_media_type"];

/** And those that change something, which take an Idempotency-Key. */
export const changeErrors: readonly ErrorCode[] = [
  "request.idempotency_mismatch",
  "request.in_progress",
  "request.answer_lost",
  "request.person_rate_limited",
  "request.too_many_changes",
  "request.conflict",
];

/** And those that keep If-Match. */
export const conditionErrors: readonly ErrorCode[] = ["request.precondition_failed"];

/** Routes that keep If-Match; elsewhere the header is refused, because a precondition that nobody checks is worse than none. */
export const conditionalRoutes: ReadonlySet<RouteName> = new Set([
  "rooms.invite",
  "rooms.kick",
  "rooms.role",
  "rooms.rekey",
  "policy.put",
  "instancePolicy.put",
  "packages.change",
  "packages.rollback",
  "modules.change",
  "announcements.change",
  "communities.change",
  "roles.change",
  "roles.remove",
  "proposals.edit",
  "proposals.open",
  "proposals.editComment",
]);

/** Each once. */
export function declaredErrors(name: RouteName): readonly ErrorCode[] {
  const route: Route = routes[name];
  if (route.class === "open" || route.class === "internal") return route.errors;
  const isChange = route.method !== "GET";
  const takesBody = route.body !== undefined || route.rawBody !== undefined;
  return [
    ...new Set([
      ...route.errors,
      ...(conditionalRoutes.has(name) ? conditionErrors : []),
      ...(isChange ? changeErrors : []),
      ...(takesBody ? bodyErrors : []),
      ...commonSignedErrors,
    ]),
  ];
}
