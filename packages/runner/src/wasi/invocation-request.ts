/**
 * From the platform's invocation to the request of WASI, and from its response back to the platform's outcome: the values that
 * `service/guest-values.ts` gives and reads, in the form of the glue.
 *
 * What the extension world gives as context comes as headers `althing-*`, because a component of WASI knows nothing else. The gateway lets
 * none of a caller's through; what came nevertheless is taken off here.
 */
import { type FieldEntry, bytesOfText, isForbidden, isToken, textOfBytes } from "./http-fields.ts";
import type { GuestFace } from "./guest-face.ts";
import { IncomingRequest, type Variant } from "./http-incoming.ts";
import type { OutgoingResponse } from "./http-outgoing.ts";

interface Field {
  readonly name: string;
  readonly value: string;
}

/** The record `context` of extension.wit, as far as headers carry it. */
export interface CallContext {
  readonly requestId: string;
  readonly community: string;
  readonly extension: string;
  readonly version: string;
  readonly actor?: { readonly id: string; readonly handle: string; readonly permissions: readonly string[] } | undefined;
  readonly settings: string;
}

/** The record `http-request` of extension.wit. */
export interface CallRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: readonly Field[];
  readonly body: Uint8Array;
}

const methods = new Set(["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"]);
const platformPrefix = "althing-";

function methodOf(method: string): Variant {
  const tag = method.toLowerCase();
  return methods.has(tag) ? { tag } : { tag: "other", val: method };
}

/** The path was decoded once on its way here. */
function encodePath(path: string): string {
  return path
    .toWellFormed()
    .split("/")
    .map((segment) => encodeURIComponent(segment).replace(/%(?:3A|40|24|26|2B|2C|3B|3D)/g, decodeURIComponent))
    .join("/");
}

/** JSON says all characters in ASCII. */
const inAscii = (json: string): string =>
  json.replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

function contextFields({ requestId, community, extension, version, actor, settings }: CallContext): Field[] {
  const fields = { "request-id": requestId, community, extension, version, settings: inAscii(settings) };
  const person = actor === undefined ? {} : { actor: actor.id, "actor-handle": actor.handle, permissions: actor.permissions.join(",") };
  return Object.entries({ ...fields, ...person }).map(([name, value]) => ({ name: `${platformPrefix}${name}`, value }));
}

/** `undefined` when the arguments are of a call of another kind. */
export function readCall(args: readonly unknown[]): { readonly context: CallContext; readonly request: CallRequest } | undefined {
  const [context, call] = args;
  return isContext(context) && isHttpCall(call) ? { context, request: call.val } : undefined;
}

// The service checked what it sends by its schemas; these tell the kinds of call apart.
function isContext(value: unknown): value is CallContext {
  return typeof value === "object" && value !== null && "requestId" in value && "settings" in value;
}

function isHttpCall(value: unknown): value is { readonly tag: "http"; readonly val: CallRequest } {
  return typeof value === "object" && value !== null && "tag" in value && value.tag === "http" && "val" in value;
}

export function toIncomingRequest(face: GuestFace, context: CallContext, request: CallRequest): IncomingRequest {
  const given = request.headers.filter(({ name }) => isToken(name) && !isForbidden(name) && !name.toLowerCase().startsWith(platformPrefix));
  const headers = [...given, ...contextFields(context)].map(({ name, value }): FieldEntry => [name, bytesOfText(value)]);
  const path = encodePath(request.path);
  return new IncomingRequest(
    face,
    {
      method: methodOf(request.method),
      pathWithQuery: request.query === "" ? path : `${path}?${request.query}`,
      authority: `${context.extension}.invalid`,
    },
    { headers, body: request.body },
  );
}

/** The variant `outcome` of extension.wit. */
export function toOutcome(response: OutgoingResponse, body: Uint8Array): object {
  const headers = response
    .headers()
    .all()
    .map(([name, value]) => ({ name, value: textOfBytes(value) }));
  return { tag: "response", val: { status: response.statusCode(), headers, body } };
}
