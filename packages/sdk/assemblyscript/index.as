// What an author in AssemblyScript imports: `@althing/sdk/assemblyscript`. Handlers are registered while the module starts and called by the
// component's one export. Functions without captured variables only: the language has no closures.
import { Field } from "./abi";
export { Field } from "./abi";
export * from "./host";

export class Actor {
  constructor(public id: string, public handle: string, public permissions: string[]) {}
}

export class Context {
  constructor(
    public requestId: string, public community: string, public extension: string, public version: string, public actor: Actor | null,
    /** JSON, defaults filled in. */
    public settings: string,
    public timeLimitMs: u32,
    /** When the invocation began, RFC 3339 in UTC: the only clock there is. */
    public time: string,
  ) {}
}

function findField(fields: Field[], name: string): string | null {
  for (let index = 0; index < fields.length; index++) {
    if (fields[index].name.toLowerCase() == name) return fields[index].value;
  }
  return null;
}

export class HttpRequest {
  constructor(
    public method: string, public path: string, public query: string, public params: Field[], public headers: Field[], public body: Uint8Array,
  ) {}

  /** The value of a `:name` segment. */
  param(name: string): string {
    for (let index = 0; index < this.params.length; index++) {
      if (this.params[index].name == name) return this.params[index].value;
    }
    return "";
  }

  header(name: string): string | null {
    return findField(this.headers, name.toLowerCase());
  }

  text(): string {
    return String.UTF8.decode(this.body.buffer);
  }
}

export class HttpResponse {
  /** Not empty: the invocation fails with this line, which begins with a code. */
  failure: string = "";

  constructor(public status: i32, public body: Uint8Array, public headers: Field[] = []) {}

  withHeader(name: string, value: string): HttpResponse {
    this.headers.push(new Field(name.toLowerCase(), value));
    return this;
  }
}

export function text(value: string, status: i32 = 200): HttpResponse {
  return new HttpResponse(status, Uint8Array.wrap(String.UTF8.encode(value)), [new Field("content-type", "text/plain; charset=utf-8")]);
}

/** `value` is JSON already. */
export function json(value: string, status: i32 = 200): HttpResponse {
  return new HttpResponse(status, Uint8Array.wrap(String.UTF8.encode(value)), [new Field("content-type", "application/json")]);
}

/** Ends the invocation with the code and message of a refused host call: `return failed(answer.code, answer.message)`. */
export function failed(code: string, message: string): HttpResponse {
  const response = new HttpResponse(500, new Uint8Array(0));
  response.failure = code + ": " + message;
  return response;
}

export class Event {
  constructor(
    public topic: string, public index: u64, public id: string, public time: string, public actor: string, public subject: string,
    /** JSON. */
    public data: string,
    public depth: u32,
  ) {}
}

export class FilterAnswer {
  constructor(public isAccepted: bool, public text: string) {}
}

/** Go on with this payload, JSON. */
export function accept(payload: string): FilterAnswer {
  return new FilterAnswer(true, payload);
}

/** Refuse, with a reason that the person sees. */
export function refuse(reason: string): FilterAnswer {
  return new FilterAnswer(false, reason);
}

export type HttpHandler = (request: HttpRequest, context: Context) => HttpResponse;
export type EventHandler = (event: Event, context: Context) => string;
/** The payload is JSON. */
export type FilterHandler = (payload: string, context: Context) => FilterAnswer;
/** `slot`: RFC 3339 in UTC. */
export type JobHandler = (slot: string, context: Context) => string;

class Route {
  constructor(public method: string, public segments: string[], public handler: HttpHandler) {}

  matches(method: string, segments: string[]): bool {
    if (this.method != method || this.segments.length != segments.length) return false;
    for (let index = 0; index < segments.length; index++) {
      const part = this.segments[index];
      if (!part.startsWith(":") && part != segments[index]) return false;
    }
    return true;
  }

  isMoreSpecific(than: Route): bool {
    for (let index = 0; index < this.segments.length; index++) {
      const mine = this.segments[index].startsWith(":"), other = than.segments[index].startsWith(":");
      if (mine != other) return other;
    }
    return false;
  }
}

const routes: Route[] = [];
const eventHandlers = new Map<string, EventHandler>();
const filterHandlers = new Map<string, FilterHandler>();
const jobHandlers = new Map<string, JobHandler>();

/** Answers requests to an endpoint of the manifest. */
export function onHttp(method: string, path: string, handler: HttpHandler): void {
  routes.push(new Route(method, path.split("/"), handler));
}

/** `topic`: exact or `prefix.*`, as in the manifest. */
export function onEvent(topic: string, handler: EventHandler): void {
  eventHandlers.set(topic, handler);
}

export function onFilter(point: string, handler: FilterHandler): void {
  filterHandlers.set(point, handler);
}

export function onJob(name: string, handler: JobHandler): void {
  jobHandlers.set(name, handler);
}

export function findHttp(method: string, path: string): HttpHandler | null {
  const segments = path.split("/");
  let best: Route | null = null;
  for (let index = 0; index < routes.length; index++) {
    const route = routes[index];
    if (route.matches(method, segments) && (best === null || route.isMoreSpecific(best))) best = route;
  }
  return best === null ? null : best.handler;
}

export function findEvent(topic: string): EventHandler | null {
  if (eventHandlers.has(topic)) return eventHandlers.get(topic);
  let best = "";
  const topics = eventHandlers.keys();
  for (let index = 0; index < topics.length; index++) {
    const key = topics[index];
    if (key.endsWith(".*") && topic.startsWith(key.slice(0, -1)) && key.length > best.length) best = key;
  }
  return best == "" ? null : eventHandlers.get(best);
}

export function findFilter(point: string): FilterHandler | null {
  return filterHandlers.has(point) ? filterHandlers.get(point) : null;
}

export function findJob(name: string): JobHandler | null {
  return jobHandlers.has(name) ? jobHandlers.get(name) : null;
}
