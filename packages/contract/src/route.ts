/**
 * The form of a row of the route table.
 *
 * Invariant: everything the hub decides about a route before its handler runs stands in its row.
 */
import type { z } from "zod";
import type { ErrorCode } from "./errors.ts";
import type { CommunityPermission, InstancePermission, RoomPermission } from "./permissions.ts";

export type RouteClass = "open" | "self-signed" | "user" | "internal";

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `:name` is a parameter of one segment. */
  readonly path: string;
  readonly class: RouteClass;
  readonly permission?: InstancePermission | RoomPermission | CommunityPermission;
  readonly summary: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  /** JSON body. */
  readonly body?: z.ZodType;
  /** Raw body of this media type in place of JSON. */
  readonly rawBody?: string;
  readonly bodyMaxBytes?: number;
  readonly status: number;
  /** JSON answer; absent with `rawResponse` or 204. */
  readonly response?: z.ZodType;
  readonly rawResponse?: string;
  readonly errors: readonly ErrorCode[];
}
