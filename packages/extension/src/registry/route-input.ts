/**
 * What the handlers of this package take: parsed parameters, query and body of the route of that name in one flat object. No field name
 * occurs in two of the three parts, so nothing can shadow a path parameter from the body.
 */
import type { RouteName, RouteParsed, RouteResponse } from "@althing/contract";

/** Nothing for an absent part and for an empty object, which would forbid every field. */
type Part<T> = [T] extends [undefined] ? unknown : string extends keyof T ? unknown : T;

export type Input<N extends RouteName> = Part<RouteParsed<N>["params"]> & Part<RouteParsed<N>["query"]> & Part<RouteParsed<N>["body"]>;
export type Output<N extends RouteName> = RouteResponse<N>;
