/**
 * The contract's routes, prepared once: what is decided by the row is decided at start, not on every request.
 *
 * Invariant: nothing is decided by a path a second time; the pipeline sees only these rows.
 */
import {
  AppError,
  faultsOf,
  instancePermissions,
  limits,
  routes,
  type Fault,
  type InstancePermission,
  type Route,
  type RouteClass,
  type RouteName,
} from "@althing/contract";
import type { z } from "zod";

export interface CompiledRoute {
  readonly name: RouteName;
  readonly method: Route["method"];
  readonly path: string;
  readonly class: RouteClass;
  readonly status: number;
  /** Decided by the pipeline; permissions inside a room are decided where the room is read. */
  readonly instancePermission: InstancePermission | undefined;
  readonly rawBody: string | undefined;
  readonly rawResponse: string | undefined;
  readonly takesJson: boolean;
  readonly bodyMaxBytes: number;
  readonly changes: boolean;
  /** May be called unsigned when `auth = off`: everything but the allowlist's own routes. */
  readonly relaxable: boolean;
  readonly response: z.ZodType | undefined;
  /** @throws {request.invalid} with every fault */
  parse(input: RouteParts): RouteParts;
}

export interface RouteParts {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** Routes of the allowlist (users, keys, invitations) are never relaxed. */
const strictPrefixes = ["claim.", "join.", "invitations.", "users.", "me.", "internal."];

export function compileRoutes(): readonly CompiledRoute[] {
  return (Object.entries(routes) as [RouteName, Route][]).map(([name, route]) => compile(name, route));
}

function compile(name: RouteName, route: Route): CompiledRoute {
  const permission = route.permission;
  const isInstance = permission !== undefined && Object.hasOwn(instancePermissions, permission);
  return {
    name,
    method: route.method,
    path: route.path,
    class: route.class,
    status: route.status,
    instancePermission: isInstance ? (permission as InstancePermission) : undefined,
    rawBody: route.rawBody,
    rawResponse: route.rawResponse,
    takesJson: route.body !== undefined,
    bodyMaxBytes: route.bodyMaxBytes ?? limits.jsonBodyMaxBytes,
    changes: route.method !== "GET",
    relaxable: route.class === "user" && !strictPrefixes.some((prefix) => name.startsWith(prefix)),
    response: route.response,
    parse: parserOf(route),
  };
}

function parserOf(route: Route): (input: RouteParts) => RouteParts {
  const query = partParser("query", route.query);
  const params = partParser("params", route.params);
  const body = partParser("body", route.body);
  return (input) => {
    const faults: Fault[] = [];
    const parsed = { params: params(input.params, faults), query: query(input.query, faults), body: body(input.body, faults) };
    if (faults.length > 0) throw new AppError("request.invalid", { detail: detailOf(faults) }, { faults: faults.slice(0, 50) });
    return parsed;
  };
}

/** The commonest inputs (nothing, or an empty object) are parsed once, here. */
function partParser(part: keyof RouteParts, schema: z.ZodType | undefined): (value: unknown, faults: Fault[]) => unknown {
  if (schema === undefined) {
    return (value, faults) => {
      if (part === "query" && value !== undefined) {
        for (const key of Object.keys(value as object))
          faults.push({ path: `query.${key.slice(0, 64)}`, message: "the route takes no query" });
      }
      if (part === "body" && value !== undefined) faults.push({ path: "body", message: "the route takes no body" });
      return undefined;
    };
  }
  const ofNothing = part === "query" ? schema.safeParse({}) : undefined;
  return (value, faults) => {
    if (part === "query" && value === undefined && ofNothing?.success) return ofNothing.data;
    const result = schema.safeParse(part === "query" ? (value ?? {}) : value);
    if (result.success) return result.data;
    for (const fault of faultsOf(result.error))
      faults.push({ path: fault.path === "(root)" ? part : `${part}.${fault.path.slice(0, 100)}`, message: fault.message.slice(0, 200) });
    return undefined;
  };
}

function detailOf(faults: readonly Fault[]): string {
  const first = faults[0];
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
  return first ? `${first.path}: ${first.message}${more}` : "invalid";
}

/**
 * @returns the query as an object; `undefined` without one
 * @throws {request.invalid} a name comes twice
 */
export function parseQuery(url: string): Record<string, string> | undefined {
  const mark = url.indexOf("?");
  if (mark === -1 || mark === url.length - 1) return undefined;
  // No prototype: a parameter called __proto__ is an unknown field like any other.
  const query = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(url.slice(mark + 1))) {
    if (name in query)
      throw new AppError(
        "request.invalid",
        { detail: `query.${name.slice(0, 64)}: comes twice` },
        { faults: [{ path: `query.${name.slice(0, 64)}`, message: "comes twice" }] },
      );
    query[name] = value;
  }
  return query;
}
