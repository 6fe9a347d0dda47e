/**
 * Requests and responses as handlers see them.
 *
 * Invariant: what leaves as a response is already of the types that the component's ABI takes; a mistake is an error with words, not a trap.
 */
import type { WitField, WitHttpRequest } from "./bindings.ts";

/** Header names compare without case; several of one name join with a comma, as HTTP says. */
function headerMap(fields: readonly WitField[]): Map<string, string> {
  const map = new Map<string, string>();
  for (const { name, value } of fields) {
    const key = name.toLowerCase();
    const before = map.get(key);
    map.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return map;
}

function decodeComponent(text: string): string {
  const spaced = text.replaceAll("+", " ");
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** Fields of a query string, in order, as forms write them. */
export function parseQuery(query: string): Map<string, string[]> {
  const map = new Map<string, string[]>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const cut = pair.indexOf("=");
    const name = decodeComponent(cut < 0 ? pair : pair.slice(0, cut));
    const value = cut < 0 ? "" : decodeComponent(pair.slice(cut + 1));
    map.set(name, [...(map.get(name) ?? []), value]);
  }
  return map;
}

/** A request to one of the extension's endpoints. `Params` are the names of the path's `:name` segments. */
export class HttpRequest<Params extends string = string> {
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<Params, string>>;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** Without the question mark, as sent. */
  readonly rawQuery: string;
  #query: Map<string, string[]> | undefined;

  constructor(request: WitHttpRequest, params: Readonly<Record<Params, string>>) {
    this.method = request.method;
    this.path = request.path;
    this.rawQuery = request.query;
    this.headers = headerMap(request.headers);
    this.body = request.body;
    this.params = params;
  }

  /** First value of a query field. */
  query(name: string): string | undefined {
    return this.queryAll(name)[0];
  }

  queryAll(name: string): readonly string[] {
    this.#query ??= parseQuery(this.rawQuery);
    return this.#query.get(name) ?? [];
  }

  header(name: string): string | undefined {
    return this.headers.get(name.toLowerCase());
  }

  /** The body as UTF-8; what is not becomes U+FFFD. */
  text(): string {
    return new TextDecoder().decode(this.body);
  }

  /**
   * The body as JSON. Check its shape: it comes from outside.
   *
   * @throws {HttpProblem} 400, answered to the caller when unhandled
   */
  json(): unknown {
    try {
      const value: unknown = JSON.parse(this.text());
      return value;
    } catch (error) {
      throw new HttpProblem(400, "bad_json", `the body is not JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

export interface ResponseInit {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @throws {TypeError} a status that is none, a header that HTTP cannot carry */
export class HttpResponse {
  readonly status: number;
  readonly headers: readonly WitField[];
  readonly body: Uint8Array;

  constructor(body: string | Uint8Array = "", init: ResponseInit = {}) {
    const { status = 200, headers = {} } = init;
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw new TypeError(`a response has a status from 200 to 599, not ${status}`);
    this.status = status;
    this.headers = Object.entries(headers).map(([name, value]) => {
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[\r\n\0]/.test(value))
        throw new TypeError(`not a header: ${JSON.stringify(name)}`);
      return { name: name.toLowerCase(), value };
    });
    this.body = typeof body === "string" ? new TextEncoder().encode(body) : body;
  }
}

function withType(init: ResponseInit, type: string): ResponseInit {
  const hasType = Object.keys(init.headers ?? {}).some((name) => name.toLowerCase() === "content-type");
  return hasType ? init : { ...init, headers: { ...init.headers, "content-type": type } };
}

/** A JSON response. @throws {TypeError} what JSON cannot say: `undefined`, functions, circles, bigint */
export function json(value: unknown, init: ResponseInit = {}): HttpResponse {
  const body = JSON.stringify(value);
  if (typeof body !== "string") throw new TypeError("json() takes a value that JSON can say");
  return new HttpResponse(body, withType(init, "application/json"));
}

/** Plain text in UTF-8. */
export function text(value: string, init: ResponseInit = {}): HttpResponse {
  return new HttpResponse(value, withType(init, "text/plain; charset=utf-8"));
}

export function bytes(value: Uint8Array, init: ResponseInit = {}): HttpResponse {
  return new HttpResponse(value, withType(init, "application/octet-stream"));
}

/** 204. */
export function empty(): HttpResponse {
  return new HttpResponse("", { status: 204 });
}

/**
 * A refusal to the caller: thrown anywhere in an HTTP handler it becomes the response `{code, message}`.
 */
export class HttpProblem extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "HttpProblem";
    this.status = status;
    this.code = code;
  }

  toResponse(): HttpResponse {
    return json({ code: this.code, message: this.message }, { status: this.status });
  }
}
