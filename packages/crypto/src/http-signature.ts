/**
 * HTTP message signatures (RFC 9421) under a profile.
 *
 * Invariant: a request passes only when every component the profile asks for is covered, nothing else is (unless the profile says so), all
 * parameters have their one form, and there is exactly one signature. The steps are apart because the hub orders them by cost:
 * parse → digest form → freshness → signature → user → nonce. Fields are parsed by a library (structured-fields.ts); the base is our own,
 * compared byte for byte with the RFC's vectors.
 */
import { AppError, limits, type SignPub } from "@althing/contract";
import { serializeInnerList } from "structured-headers";
import { randomBytes, toBase64url, utf8, type Bytes } from "./bytes.ts";
import { byteSequence, contentDigest } from "./content-digest.ts";
import type { Identity } from "./identity.ts";
import { chain, type MaybePromise } from "./maybe-promise.ts";
import { readOwnSignature } from "./own-form.ts";
import { fieldValue, signatureBase, type HttpRequestView } from "./signature-base.ts";
import { verifyExact, verifyExactApart } from "./signing.ts";
import {
  bytesOf,
  isInnerListMember,
  parseStrictDictionary,
  type Dictionary,
  type InnerList,
  type Parameters,
} from "./structured-fields.ts";

export type { HttpRequestView } from "./signature-base.ts";

/** What a verifier asks of a signature. */
export interface SignatureProfile {
  /** Covered always. */
  readonly components: readonly string[];
  /** Covered when the request has a body, and allowed without one. */
  readonly bodyComponents: readonly string[];
  /** Covered when the request has the field. */
  readonly presentComponents: readonly string[];
  /** May a signature cover more, and have parameters of other names? */
  readonly others: boolean;
  readonly parameters: readonly ("created" | "expires" | "nonce" | "keyid" | "alg" | "tag")[];
  readonly algorithm: "ed25519";
  /** null: any. */
  readonly tag: string | null;
  readonly keyId: RegExp;
  readonly nonce: RegExp;
  /** Longest life, `expires` minus `created`; null: times are not checked. */
  readonly windowSeconds: number | null;
  readonly skewSeconds: number;
  readonly signatures: "exactly one" | "at least one";
}

/** Requests to an instance. The key id is the signer's public key in lower-case hexadecimal. */
export const althingProfile: SignatureProfile = {
  components: ["@method", "@target-uri"],
  bodyComponents: ["content-digest", "content-type"],
  presentComponents: ["althing-community", "idempotency-key", "if-match"],
  others: false,
  parameters: ["created", "expires", "nonce", "keyid", "alg", "tag"],
  algorithm: "ed25519",
  tag: "althing",
  keyId: /^[0-9a-f]{64}$/,
  nonce: /^[\x21-\x7e]{16,128}$/,
  windowSeconds: limits.signatureWindowSeconds,
  skewSeconds: limits.signatureSkewSeconds,
  signatures: "exactly one",
};

/** A signature of the right form; nothing is verified yet. Parameters the profile does not ask for may be absent: "" or NaN then. */
export interface ParsedSignature {
  readonly label: string;
  readonly keyId: string;
  readonly nonce: string;
  /** Unix seconds. */
  readonly created: number;
  /** Unix seconds. */
  readonly expires: number;
  /** RFC 9421 §2.5. */
  readonly base: string;
  readonly signature: Bytes;
  readonly components: readonly string[];
}

function malformed(detail: string, cause?: unknown): AppError {
  return new AppError("auth.malformed", { detail }, cause === undefined ? {} : { cause });
}

function parseField(name: string, value: string): Dictionary {
  try {
    return parseStrictDictionary(value);
  } catch (cause) {
    throw malformed(`${name}: ${cause instanceof Error ? cause.message : "unreadable"}`, cause);
  }
}

function componentNames([items]: InnerList): string[] {
  return items.map(([name, parameters]) => {
    if (typeof name !== "string") throw malformed("a component name is no string");
    if (parameters.size > 0) throw new AppError("auth.component_unknown", { component: `${name} with parameters` });
    if (name !== name.toLowerCase()) throw malformed("a component name is not lower case");
    return name;
  });
}

function checkComponents(view: HttpRequestView, names: readonly string[], profile: SignatureProfile): void {
  const covered = new Set(names);
  if (covered.size !== names.length) throw malformed("a component is covered twice");
  const present = profile.presentComponents.filter((name) => fieldValue(view, name) !== undefined);
  const required = [...profile.components, ...(view.hasBody ? profile.bodyComponents : []), ...present];
  for (const component of required) {
    if (component === "content-digest" && fieldValue(view, component) === undefined) throw new AppError("auth.digest_missing");
    if (covered.has(component)) continue;
    throw new AppError("auth.component_missing", { component });
  }
  if (profile.others) return;
  const allowed = new Set([...required, ...profile.bodyComponents]);
  for (const component of names) {
    if (!allowed.has(component)) throw new AppError("auth.component_unknown", { component });
  }
}

function textParameter(parameters: Parameters, name: string, form: RegExp, required: boolean): string {
  const value = parameters.get(name);
  if (value === undefined && !required) return "";
  if (typeof value !== "string" || !form.test(value)) throw new AppError("auth.parameter_missing", { parameter: name });
  return value;
}

function timeParameter(parameters: Parameters, name: string, required: boolean): number {
  const value = parameters.get(name);
  if (value === undefined && !required) return Number.NaN;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) throw new AppError("auth.parameter_missing", { parameter: name });
  return value;
}

function readParameters(
  parameters: Parameters,
  profile: SignatureProfile,
): Pick<ParsedSignature, "keyId" | "nonce" | "created" | "expires"> {
  const asks = (name: SignatureProfile["parameters"][number]) => profile.parameters.includes(name);
  const anyText = /^[\x20-\x7e]*$/;
  const algorithm = textParameter(parameters, "alg", anyText, asks("alg"));
  if (parameters.has("alg") && algorithm !== profile.algorithm) throw new AppError("auth.algorithm", { observed: algorithm });
  const tag = textParameter(parameters, "tag", anyText, asks("tag"));
  if (profile.tag !== null && tag !== profile.tag) throw new AppError("auth.tag", { observed: tag });
  const read = {
    keyId: textParameter(parameters, "keyid", profile.keyId, true),
    nonce: textParameter(parameters, "nonce", profile.nonce, asks("nonce")),
    created: timeParameter(parameters, "created", asks("created")),
    expires: timeParameter(parameters, "expires", asks("expires")),
  };
  if (!profile.others) {
    const other = [...parameters.keys()].find((name) => !(profile.parameters as readonly string[]).includes(name));
    if (other !== undefined) throw malformed(`parameter ${other} is not taken`);
  }
  return read;
}

function parseOne(
  view: HttpRequestView,
  label: string,
  inputs: Dictionary,
  signatures: Dictionary,
  profile: SignatureProfile,
): ParsedSignature {
  const input = inputs.get(label);
  const value = signatures.get(label);
  if (input === undefined || value === undefined) throw malformed("Signature-Input and Signature have different labels");
  if (!isInnerListMember(input)) throw malformed("Signature-Input holds no list of components");
  if (isInnerListMember(value) || value[1].size > 0) throw malformed("Signature holds no plain byte sequence");
  const signature = bytesOf(value[0]);
  if (signature?.length !== 64) throw malformed("the signature does not have 64 bytes");
  const components = componentNames(input);
  checkComponents(view, components, profile);
  const parameters = readParameters(input[1], profile);
  return { label, ...parameters, base: signatureBase(view, components, serializeInnerList(input)), signature, components };
}

/**
 * Every signature that has the profile's form, at least one; which of them verifies is for the caller to find out.
 * @throws {auth.required} {auth.malformed} {auth.signature_count} {auth.component_missing} {auth.component_unknown}
 * {auth.parameter_missing} {auth.algorithm} {auth.tag} {auth.digest_missing}
 */
export function parseSignatures(view: HttpRequestView, profile: SignatureProfile = althingProfile): ParsedSignature[] {
  const inputText = fieldValue(view, "signature-input");
  const signatureText = fieldValue(view, "signature");
  if (inputText === undefined || signatureText === undefined) throw new AppError("auth.required");
  const inputs = parseField("Signature-Input", inputText);
  const signatures = parseField("Signature", signatureText);
  const observed = Math.max(inputs.size, signatures.size);
  if (inputs.size === 0 || (profile.signatures === "exactly one" && observed !== 1))
    throw new AppError("auth.signature_count", { observed });
  if (profile.signatures === "exactly one") return [...inputs.keys()].map((label) => parseOne(view, label, inputs, signatures, profile));
  const parsed: ParsedSignature[] = [];
  let refusal: unknown;
  for (const label of inputs.keys()) {
    try {
      parsed.push(parseOne(view, label, inputs, signatures, profile));
    } catch (cause) {
      refusal ??= cause;
    }
  }
  if (parsed.length === 0) throw refusal;
  return parsed;
}

/** What {@link parseSignatures} would say, for a request of our own clients; undefined for any other. */
function parseOwn(view: HttpRequestView): ParsedSignature | undefined {
  const own = readOwnSignature(fieldValue(view, "signature-input") ?? "", fieldValue(view, "signature") ?? "");
  if (own === undefined) return undefined;
  const { signatureParams, ...rest } = own;
  checkComponents(view, own.components, althingProfile);
  return { ...rest, base: signatureBase(view, own.components, signatureParams) };
}

/** The one signature of a request; errors as {@link parseSignatures}. */
export function parseSignature(view: HttpRequestView, profile: SignatureProfile = althingProfile): ParsedSignature {
  const own = profile === althingProfile ? parseOwn(view) : undefined;
  if (own !== undefined) return own;
  const [only] = parseSignatures(view, profile);
  return only as ParsedSignature;
}

/**
 * @param nowSeconds this node's clock, Unix seconds
 * @throws {auth.stale} made in the future, expired, or living longer than the window
 */
export function checkFreshness(parsed: ParsedSignature, nowSeconds: number, profile: SignatureProfile = althingProfile): void {
  if (profile.windowSeconds === null) return;
  const { created, expires } = parsed;
  const lifetime = expires - created;
  // At `expires` itself the nonce may be forgotten already, so the request is too late.
  const fresh = lifetime > 0 && lifetime <= profile.windowSeconds && created <= nowSeconds + profile.skewSeconds && nowSeconds < expires;
  if (!fresh) throw new AppError("auth.stale", { created, expires, now: Math.floor(nowSeconds) });
}

function requireGood(good: boolean): void {
  if (!good) throw new AppError("auth.bad_signature");
}

/**
 * @param key raw Ed25519 public key or its hexadecimal form; in the althing profile `parsed.keyId`
 * @throws {auth.bad_signature}
 */
export function verifyRequestSignature(parsed: ParsedSignature, key: SignPub | Uint8Array): MaybePromise<void> {
  return chain(verifyExact(key, utf8(parsed.base), parsed.signature), requireGood);
}

/**
 * {@link verifyRequestSignature} on another thread: one answer comes later, many come sooner.
 * @throws {auth.bad_signature}
 */
export async function verifyRequestSignatureApart(parsed: ParsedSignature, key: SignPub | Uint8Array): Promise<void> {
  requireGood(await verifyExactApart(key, utf8(parsed.base), parsed.signature));
}

/** A request about to be sent. */
export interface RequestToSign {
  readonly method: string;
  /** Absolute; a fragment is dropped, the rest is signed as the URL parser writes it. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes, or their digest when they are streamed. */
  readonly body?: Uint8Array | { readonly sha256: Uint8Array };
  /** Unix seconds. */
  readonly now: number;
  readonly nonce?: string;
  readonly lifetimeSeconds?: number;
}

/**
 * Signs under the althing profile.
 * @returns all fields to send, names in lower case, with content-digest, signature-input and signature
 * @throws {auth.malformed} a field value that cannot be signed
 */
export async function signRequest(identity: Identity, request: RequestToSign): Promise<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name.toLowerCase()] = value.trim();
  if (request.body !== undefined) {
    headers["content-type"] ??= "application/octet-stream";
    headers["content-digest"] =
      request.body instanceof Uint8Array ? await contentDigest(request.body) : `sha-256=${byteSequence(request.body.sha256)}`;
  }
  const url = new URL(request.url);
  url.hash = "";
  const view: HttpRequestView = {
    method: request.method,
    targetUri: url.href,
    headers: Object.entries(headers),
    hasBody: request.body !== undefined,
  };
  const present = althingProfile.presentComponents.filter((name) => headers[name] !== undefined);
  const components = [...althingProfile.components, ...(view.hasBody ? althingProfile.bodyComponents : []), ...present];
  const created = Math.floor(request.now);
  const signatureParams = serializeInnerList([
    components.map((name) => [name, new Map()]),
    new Map<string, string | number>([
      ["created", created],
      ["expires", created + (request.lifetimeSeconds ?? limits.signatureWindowSeconds)],
      ["nonce", request.nonce ?? toBase64url(randomBytes(16))],
      ["keyid", identity.signPub],
      ["alg", althingProfile.algorithm],
      ["tag", "althing"],
    ]),
  ]);
  const base = signatureBase(view, components, signatureParams);
  return { ...headers, "signature-input": `sig1=${signatureParams}`, signature: `sig1=${byteSequence(await identity.signHttpBase(base))}` };
}
