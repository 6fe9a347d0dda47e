/**
 * `http.fetch`: requests of a guest to the hosts it was granted.
 *
 * Invariant: all goes through the guarded fetcher, which judges address, connection and answer; this file counts (requests, and bytes both ways
 * against what is left of the day), takes off the framing headers that standard clients send along, and puts secrets into headers. The
 * address is judged before a secret is asked for, so a refused host never makes the hub open one. docs/architecture/guarded-fetcher.md.
 */
import { AppError } from "@althing/contract";
import { urlRefusalError, type GuardedFetcher } from "@althing/extension/fetcher";
import { z } from "zod";
import { secretNames, substituteSecrets, type Field, type UsableSecret } from "./header-secrets.ts";
import type { KnownSecrets } from "./known-secrets.ts";

const headersMax = 100;
const field = z.object({ name: z.string().max(128), value: z.string().max(16_384) });
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, "must be bytes");

/** Arguments of `http.fetch`. */
export const fetchArguments = z.tuple([
  z.object({ method: z.string().max(32), url: z.string().max(16_384), headers: z.array(field).max(headersMax), body: bytes }),
]);
type GuestRequest = z.infer<typeof fetchArguments>[0];

export interface GuestResponse {
  readonly status: number;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly body: Uint8Array;
}

export interface EgressOptions {
  readonly fetcher: GuardedFetcher;
  /** Patterns of hosts; empty: none. */
  readonly allowlist: readonly string[];
  readonly fetchesMax: number;
  readonly bytesMax: number;
  readonly secrets: KnownSecrets;
  /** Values and their hosts; unknown names are left out. */
  readonly secretsNamed: (names: readonly string[], signal: AbortSignal) => Promise<readonly UsableSecret[]>;
}

export interface Egress {
  /** @throws {fetch.*} {ext.quota_exceeded} {secret.not_found} {capability.denied} {capability.bad_argument} */
  fetch(request: GuestRequest, signal: AbortSignal): Promise<GuestResponse>;
  readonly fetches: () => number;
  /** Both ways: head and body as sent, head and body of the answer as they crossed the wire. */
  readonly bytes: () => number;
}

/** What the fetcher writes itself; it refuses these of a caller. */
const framing = new Set(["host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"]);
/** `name: value\r\n` */
const fieldOverheadBytes = 4;

function sizeOf(fields: Iterable<readonly [string, string]>): number {
  let size = 0;
  for (const [name, value] of fields) size += name.length + value.length + fieldOverheadBytes;
  return size;
}

/** One value each, in lower case. @throws {fetch.request_forbidden} */
function readFields(request: GuestRequest): Field[] {
  const fields = request.headers.map(({ name, value }): Field => [name.toLowerCase(), value]).filter(([name]) => !framing.has(name));
  const seen = new Set<string>();
  for (const [name] of fields) {
    if (seen.has(name))
      throw new AppError("fetch.request_forbidden", { rule: "header_repeated", observed: name.slice(0, 64), use: "egress" });
    seen.add(name);
  }
  return fields;
}

export function createEgress(options: EgressOptions): Egress {
  const { fetcher, allowlist, fetchesMax, bytesMax } = options;
  let fetches = 0;
  let used = 0;

  function charge(size: number): void {
    used += size;
    if (used > bytesMax) throw new AppError("ext.quota_exceeded", { quota: "egress", observed: used, limit: bytesMax });
  }

  async function headersFor(request: GuestRequest, host: string, signal: AbortSignal): Promise<Record<string, string>> {
    const fields = readFields(request);
    const names = secretNames(fields);
    if (names.length === 0) return Object.fromEntries(fields);
    return Object.fromEntries(substituteSecrets(fields, host, await options.secretsNamed(names, signal), options.secrets));
  }

  return {
    fetches: () => fetches,
    bytes: () => used,
    async fetch(request, signal) {
      if (fetches >= fetchesMax) throw new AppError("ext.quota_exceeded", { quota: "fetches", observed: fetches + 1, limit: fetchesMax });
      fetches++;
      const check = fetcher.checkUrl("egress", request.url, allowlist);
      if (!check.ok) throw urlRefusalError(check.refusal, "egress", 0);
      const headers = await headersFor(request, check.target.host, signal);
      charge(request.method.length + request.url.length + sizeOf(Object.entries(headers)) + request.body.length);
      const body = request.body.length === 0 ? {} : { body: request.body };
      const response = await fetcher.fetch({
        use: "egress",
        url: request.url,
        method: request.method,
        headers,
        allowlist,
        signal,
        ...body,
      });
      const answered = [...response.headers];
      const parts: Uint8Array[] = [];
      try {
        charge(sizeOf(answered));
        let counted = 0;
        for await (const part of response.stream()) {
          parts.push(part);
          // What comes can decode to much or to nothing; what crossed the wire is what the quota is about.
          charge(response.wireBytes() - counted);
          counted = response.wireBytes();
        }
        charge(response.wireBytes() - counted);
      } finally {
        response.discard();
      }
      return {
        status: response.status,
        headers: answered.map(([name, value]) => ({ name, value })),
        body: new Uint8Array(Buffer.concat(parts)),
      };
    },
  };
}
