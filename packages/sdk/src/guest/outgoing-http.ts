/**
 * `http.fetch`: requests to the hosts that were granted.
 *
 * Invariant: the platform makes the request (docs/architecture/guarded-fetcher.md); the guest only sees the answer. A status of 400 and more is an
 * answer, not an error.
 */
import { callHost, requireArgument, requireText } from "./host-error.ts";
import type { WitField } from "./bindings.ts";
import { host } from "./host-port.ts";

export interface FetchOptions {
  /** Default GET. */
  readonly method?: string;
  /** `{{secret:NAME}}` in a value is replaced by the platform, for the hosts of that secret; the guest never sees it. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export class FetchResponse {
  readonly status: number;
  readonly body: Uint8Array;
  readonly #headers: readonly WitField[];

  constructor(status: number, headers: readonly WitField[], body: Uint8Array) {
    this.status = status;
    this.#headers = headers;
    this.body = body;
  }

  /** 200–299. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return this.#headers.find((field) => field.name.toLowerCase() === wanted)?.value;
  }

  text(): string {
    return new TextDecoder().decode(this.body);
  }

  /** @throws {SyntaxError} it is not JSON */
  json(): unknown {
    const value: unknown = JSON.parse(this.text());
    return value;
  }
}

function fetch(url: string, options: FetchOptions = {}): FetchResponse {
  requireText(url, "http.fetch", "url");
  const { method = "GET", headers = {}, body = "" } = options;
  requireText(method, "http.fetch", "method");
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  requireArgument(bytes instanceof Uint8Array, "http.fetch", "body must be a string or a Uint8Array");
  const fields = Object.entries(headers).map(([name, value]) => {
    requireText(value, "http.fetch", `header ${name}`);
    return { name, value };
  });
  const response = callHost(() => host().http.fetch({ method, url, headers: fields, body: bytes }));
  return new FetchResponse(response.status, response.headers, response.body);
}

export interface OutgoingHttp {
  /** Throws {@link HostError}: `capability.denied`, `fetch.timeout`, `fetch.too_large`, … */
  fetch(url: string, options?: FetchOptions): FetchResponse;
}

/** Needs the capability `http.fetch` and the host in `egress`. */
export const http: OutgoingHttp = { fetch };
