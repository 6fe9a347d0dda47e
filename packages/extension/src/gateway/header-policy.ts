/**
 * Which headers pass, and what an extension's answer may be.
 *
 * Invariant: allow-lists both ways. Nothing that proves who a person is reaches a guest; nothing a guest says can set a cookie, be run by a
 * browser as a page, or be kept by a shared cache when only the caller might see it. docs/architecture/gateway.md.
 */
import { AppError, limits } from "@althing/contract";

type Fields = readonly (readonly [string, string])[];

const inbound = new Set(["accept", "accept-language", "content-type", "user-agent"]);
const outbound = new Set(["content-type", "cache-control", "etag"]);
const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const isOwn = (name: string): boolean => name.startsWith("x-ext-");

export interface Injected {
  readonly requestId: string;
  readonly community: string;
  readonly actor: { readonly id: string; readonly permissions: readonly string[] } | undefined;
}

/** Where one request ends and what it is: two of them, and two readers see two requests. */
const once = new Set(["content-length", "transfer-encoding", "host", "content-type"]);
/** Fields that the protocol between hub and runner takes, but for those that are injected. */
const fieldsMax = 196;
const malformedValue = /[^\t\x20-\x7e\x80-\xff]/;

/** What the guest sees of the request's headers; names in lower case. @throws {ext.headers_too_large} {ext.bad_request} */
export function headersIn(headers: Fields, { requestId, community, actor }: Injected): [string, string][] {
  const bytes = headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (bytes > limits.extensionHeadersMaxBytes) throw new AppError("ext.headers_too_large", { limit: limits.extensionHeadersMaxBytes });
  const seen = new Set<string>();
  const kept: [string, string][] = [];
  for (const [given, value] of headers) {
    const name = given.toLowerCase();
    if (!token.test(name) || malformedValue.test(value)) throw new AppError("ext.bad_request", { detail: "a header is malformed" });
    if (once.has(name) && seen.has(name)) throw new AppError("ext.bad_request", { detail: `${name} comes twice` });
    seen.add(name);
    if (inbound.has(name) || isOwn(name)) kept.push([name, value]);
  }
  if (seen.has("content-length") && seen.has("transfer-encoding"))
    throw new AppError("ext.bad_request", { detail: "content-length and transfer-encoding come together" });
  if (kept.length > fieldsMax) throw new AppError("ext.bad_request", { detail: `more than ${fieldsMax} headers for the extension` });
  kept.push(["x-request-id", requestId], ["x-althing-community", community]);
  if (actor !== undefined) kept.push(["x-althing-actor", actor.id], ["x-althing-permissions", actor.permissions.join(" ")]);
  return kept;
}

/** Printable ASCII: what every reader of HTTP understands alike. */
const fieldValue = /^[\x20-\x7e\t]*$/;
const mediaType =
  /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+(?: *; *[a-z0-9!#$&^_.+-]+=(?:[A-Za-z0-9!#$&^_.+-]+|"[\x20-\x21\x23-\x5b\x5d-\x7e]*"))*$/i;
/** A browser would run these, take them for a page, or guess. */
const activeTypes =
  /^(?:text\/html|application\/xhtml\+xml|image\/svg(?:\+xml)?|(?:text|application)\/(?:x-)?(?:java|ecma|j|live)script[\d.]*|text\/xml|application\/xml|[^;]*\+xml|text\/xsl|multipart\/.*|message\/.*|application\/wasm|text\/css|(?:application|unknown)\/unknown)(?:[ ;]|$)/i;

export interface GuestResponse {
  readonly status: number;
  readonly headers: Fields;
  readonly bodyBytes: number;
}

export interface CheckedResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly hasBody: boolean;
}

const badResponse = (detail: string) => new AppError("ext.trap", { detail: `its answer is not acceptable: ${detail}` });

/**
 * The guest's answer as it leaves the gateway.
 * @param isPublic the endpoint answers without signing in, so shared caches may keep what it says
 * @throws {ext.trap} a status, header or media type that may not leave
 */
export function checkResponse({ status, headers, bodyBytes }: GuestResponse, isPublic: boolean): CheckedResponse {
  if (!Number.isInteger(status) || status < 200 || status > 599) throw badResponse(`status ${status}`);
  const kept = new Map<string, string>();
  let bytes = 0;
  for (const [given, value] of headers) {
    const name = given.toLowerCase();
    bytes += name.length + value.length;
    if (!token.test(name)) throw badResponse("a header's name is malformed");
    if (!fieldValue.test(value)) throw badResponse(`the value of ${name} has characters other than printable ASCII`);
    if (!outbound.has(name) && !isOwn(name)) continue;
    if (kept.has(name)) throw badResponse(`${name} comes twice`);
    kept.set(name, value);
  }
  if (bytes > limits.extensionHeadersMaxBytes) throw badResponse(`its headers have more than ${limits.extensionHeadersMaxBytes} bytes`);
  const hasBody = bodyBytes > 0 && ![204, 205, 304].includes(status);
  const type = kept.get("content-type") ?? "application/octet-stream";
  if (!mediaType.test(type)) throw badResponse("content-type is malformed");
  if (activeTypes.test(type)) throw badResponse(`content-type ${type.slice(0, 100)} would be run by a browser; pages belong in ui/`);
  if (hasBody) kept.set("content-type", type);
  kept.set("cache-control", cacheControl(kept.get("cache-control"), isPublic));
  kept.set("content-security-policy", "sandbox");
  kept.set("x-content-type-options", "nosniff");
  return { status, headers: [...kept], hasBody };
}

const privateDirectives =
  /^(?:no-store|no-cache|no-transform|must-revalidate|immutable|(?:max-age|stale-while-revalidate|stale-if-error)=\d{1,9})$/;
const publicDirectives = /^(?:public|private|proxy-revalidate|s-maxage=\d{1,9})$/;

/** Directives that are known, and no others. Without a word of the guest nothing is kept; on a private endpoint no shared cache keeps anything. */
function cacheControl(given: string | undefined, isPublic: boolean): string {
  const known = (given ?? "")
    .toLowerCase()
    .split(",")
    .map((part) => part.trim())
    .filter((part) => privateDirectives.test(part) || (isPublic && publicDirectives.test(part)));
  if (known.length === 0) return "no-store";
  return (isPublic ? known : ["private", ...known]).join(", ");
}
