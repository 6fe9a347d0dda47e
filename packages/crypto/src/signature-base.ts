/**
 * The signature base of RFC 9421 §2.5: the exact text that a request's signature covers.
 *
 * Invariant: a component that cannot be resolved to exactly one printable line ends in an error, so that no two requests share a base. Paths and
 * queries are cut from the target URI as it came; the URL parser would normalise them and change what was signed. Component parameters
 * (`;sf`, `;key`, `;bs`, `;req`, `;tr`, `;name`) are not taken.
 */
import { AppError } from "@althing/contract";

/** A request as the verifier received it. */
export interface HttpRequestView {
  /** As sent; case matters. */
  readonly method: string;
  /** Scheme, authority, path and query as sent, in full. */
  readonly targetUri: string;
  /** Field lines in the order of arrival, repeats kept, names in any case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly hasBody: boolean;
}

interface TargetParts {
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly query: string;
}

const defaultPorts: Readonly<Record<string, string>> = { http: ":80", https: ":443" };

function unresolved(component: string): AppError {
  return new AppError("auth.component_unknown", { component });
}

/** Does the line begin or end with a space or a tab? */
function isSpaced(line: string): boolean {
  const first = line.charCodeAt(0);
  const last = line.charCodeAt(line.length - 1);
  return first === 0x20 || first === 0x09 || last === 0x20 || last === 0x09;
}

/** The field's lines trimmed and joined (RFC 9421 §2.1); undefined when the request does not have it. */
export function fieldValue(view: HttpRequestView, name: string): string | undefined {
  let value: string | undefined;
  for (const [key, line] of view.headers) {
    if (key.length !== name.length || (key !== name && key.toLowerCase() !== name)) continue;
    const trimmed = isSpaced(line) ? line.replace(/^[ \t]+/, "").replace(/(?<![ \t])[ \t]+$/, "") : line;
    value = value === undefined ? trimmed : `${value}, ${trimmed}`;
  }
  return value;
}

function targetParts(targetUri: string): TargetParts | undefined {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#@]+)([^?#]*)(\?[^#]*)?$/i.exec(targetUri);
  if (match === null) return undefined;
  const [, scheme = "", authority = "", path = "", query = ""] = match;
  return { scheme: scheme.toLowerCase(), authority: authority.toLowerCase(), path, query };
}

function derivedComponent(view: HttpRequestView, name: string): string {
  if (name === "@method") return view.method;
  if (name === "@target-uri") return view.targetUri;
  const parts = targetParts(view.targetUri);
  if (parts === undefined) throw unresolved(name);
  const port = defaultPorts[parts.scheme];
  switch (name) {
    case "@authority":
      return port !== undefined && parts.authority.endsWith(port) ? parts.authority.slice(0, -port.length) : parts.authority;
    case "@scheme":
      return parts.scheme;
    case "@request-target":
      return (parts.path || "/") + parts.query;
    case "@path":
      return parts.path || "/";
    case "@query":
      return parts.query || "?";
    default:
      throw unresolved(name);
  }
}

/** @throws {auth.component_unknown} a component this request does not have, or whose value is no single printable line */
export function componentValue(view: HttpRequestView, name: string): string {
  const value = name.startsWith("@") ? derivedComponent(view, name) : fieldValue(view, name);
  if (value === undefined || !/^[\t\x20-\x7e]*$/.test(value)) throw unresolved(name);
  return value;
}

/**
 * @param names component names, each once
 * @param signatureParams the serialised inner list with its parameters
 */
export function signatureBase(view: HttpRequestView, names: readonly string[], signatureParams: string): string {
  let base = "";
  for (const name of names) base += `"${name}": ${componentValue(view, name)}\n`;
  return `${base}"@signature-params": ${signatureParams}`;
}
