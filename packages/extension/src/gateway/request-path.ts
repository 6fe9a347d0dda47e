/**
 * The path behind an extension's id, and which endpoint of the manifest it is.
 *
 * Invariant: decoded exactly once, segment by segment; what two readers could understand differently (dot segments, empty segments, an encoded
 * slash or backslash, NUL and other controls, ill-formed UTF-8, bytes that are not encoded) is refused and never repaired. Literal segments
 * win over `:name`.
 */
import { AppError } from "@althing/contract";
import type { Manifest } from "../manifest/index.ts";

export type Endpoint = Manifest["endpoints"][number];

export interface EndpointMatch {
  readonly endpoint: Endpoint;
  /** As the manifest writes it, `GET /poll/:id`. */
  readonly name: string;
  readonly params: readonly (readonly [string, string])[];
}

export interface EndpointTable {
  find(method: string, segments: readonly string[]): EndpointMatch | undefined;
}

const pathMaxLength = 2_048;
const segmentsMax = 32;
const forbidden = /[\p{Cc}/\\]/u;
/** What a request line may hold of a path: printable ASCII but for the fragment's mark, at which some readers cut. */
const plain = /^[\x21\x22\x24-\x7e]*$/;

const bad = (detail: string) => new AppError("ext.bad_request", { detail });

/**
 * @param rawPath as it came, from the slash after the extension's id on; empty means `/`
 * @returns decoded segments; none for `/`
 * @throws {ext.bad_request}
 */
export function decodePath(rawPath: string): string[] {
  if (rawPath === "" || rawPath === "/") return [];
  if (rawPath.length > pathMaxLength) throw bad(`the path has more than ${pathMaxLength} characters`);
  if (!rawPath.startsWith("/")) throw bad("the path does not begin with a slash");
  if (!plain.test(rawPath)) throw bad("the path has characters that must be percent-encoded");
  const raw = rawPath.slice(1).split("/");
  if (raw.length > segmentsMax) throw bad(`the path has more than ${segmentsMax} segments`);
  return raw.map(decodeSegment);
}

function decodeSegment(raw: string): string {
  if (raw === "") throw bad("the path has an empty segment");
  let segment: string;
  try {
    segment = decodeURIComponent(raw);
  } catch (cause) {
    throw new AppError("ext.bad_request", { detail: "the path is not percent-encoded UTF-8" }, { cause });
  }
  if (segment === "." || segment === "..") throw bad("the path has a dot segment");
  if (forbidden.test(segment)) throw bad("the path encodes a slash, a backslash or a control character");
  return segment;
}

interface Pattern {
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly parts: readonly string[];
}

/** Prepared once for a manifest. */
export function createEndpointTable(endpoints: readonly Endpoint[]): EndpointTable {
  const patterns: Pattern[] = endpoints.map((endpoint) => ({
    endpoint,
    name: `${endpoint.method} ${endpoint.path}`,
    parts: endpoint.path === "/" ? [] : endpoint.path.slice(1).split("/"),
  }));
  // `/a/:x` before `/:y/b`: at the first difference the literal comes first.
  patterns.sort((a, b) => compareParts(a.parts, b.parts));
  return {
    find(method, segments) {
      const found = patterns.find(({ endpoint, parts }) => endpoint.method === method && fits(parts, segments));
      if (found === undefined) return undefined;
      const params = found.parts.flatMap((part, i) => (part.startsWith(":") ? [[part.slice(1), segments[i] ?? ""] as const] : []));
      return { endpoint: found.endpoint, name: found.name, params };
    },
  };
}

const fits = (parts: readonly string[], segments: readonly string[]): boolean =>
  parts.length === segments.length && parts.every((part, i) => part.startsWith(":") || part === segments[i]);

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = Number(a[i]?.startsWith(":")) - Number(b[i]?.startsWith(":"));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
