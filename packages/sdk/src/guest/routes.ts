/**
 * Which handler an HTTP request, an event or a job belongs to.
 *
 * Invariant: the platform has already matched the request against the manifest; this finds the author's function for it. Literal segments win
 * over `:name`, an exact topic over a prefix, a longer prefix over a shorter: the order in which handlers are written never matters.
 */

/** The names of `:name` segments in `"GET /poll/:id"`. */
export type ParamsOf<Route extends string> = Route extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamsOf<`/${Rest}`>
  : Route extends `${string}:${infer Name}`
    ? Name
    : never;

export interface RouteMatch<Handler> {
  readonly route: string;
  readonly handler: Handler;
  readonly params: Readonly<Record<string, string>>;
}

const segmentsOf = (path: string) => path.split("/").slice(1);

function matchPath(pattern: readonly string[], path: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== path.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const actual = path[index] ?? "";
    if (part.startsWith(":")) params[part.slice(1)] = actual;
    else if (part !== actual) return undefined;
  }
  return params;
}

/** Literal segments sort before `:name` ones, from the left. */
function isMoreSpecific(a: readonly string[], b: readonly string[]): boolean {
  const at = a.findIndex((part, index) => part.startsWith(":") !== (b[index] ?? "").startsWith(":"));
  return at >= 0 && !(a[at] ?? "").startsWith(":");
}

/** @param routes by `"METHOD /path/:name"` */
export function findRoute<Handler>(
  routes: Readonly<Record<string, Handler>>,
  method: string,
  path: string,
): RouteMatch<Handler> | undefined {
  let best: (RouteMatch<Handler> & { readonly pattern: readonly string[] }) | undefined;
  for (const [route, handler] of Object.entries(routes)) {
    const [routeMethod = "", routePath = ""] = route.split(" ", 2);
    if (routeMethod !== method) continue;
    const pattern = segmentsOf(routePath);
    const params = matchPath(pattern, segmentsOf(path));
    if (params !== undefined && (best === undefined || isMoreSpecific(pattern, best.pattern))) best = { route, handler, params, pattern };
  }
  return best;
}

/** @param handlers by topic, exact or `prefix.*` */
export function findTopic<Handler>(handlers: Readonly<Record<string, Handler>>, topic: string): Handler | undefined {
  if (Object.hasOwn(handlers, topic)) return handlers[topic];
  const prefixes = Object.keys(handlers).filter((key) => key.endsWith(".*") && topic.startsWith(key.slice(0, -1)));
  const longest = prefixes.toSorted((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : handlers[longest];
}
