/**
 * What a frame says, checked: the frame is hostile until the last field was looked at.
 *
 * Invariant: only own properties are read, nothing of a message is ever used as a key of an object, and every text has a longest length. What does not
 * fit is `undefined` and dropped; a call whose envelope fits is answered, with a refusal, since somebody waits for it.
 * docs/architecture/iframe-ui.md has the protocol.
 */
import { AppError, limits } from "@althing/contract";

export const toastKinds = ["info", "success", "warning", "error"] as const;
export type ToastKind = (typeof toastKinds)[number];

export type FrameMessage =
  | { readonly type: "ready"; readonly id: string }
  | { readonly type: "resize"; readonly heightPx: number }
  | { readonly type: "navigate"; readonly path: string }
  | { readonly type: "toast"; readonly text: string; readonly kind: ToastKind }
  /** `payload` is unchecked: {@link readCall}. */
  | { readonly type: "call"; readonly id: string; readonly payload: unknown };

export interface FrameCall {
  readonly method: string;
  /** Plain text. */
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

/** Heights that a frame may ask for; more than the longest page that somebody would scroll. */
export const heightMinPx = 120;
export const heightMaxPx = 6_000;
const idMaxLength = 64;
const pathMaxLength = 2_048;
const toastMaxLength = 300;
const fieldsMax = 50;
const fieldMaxLength = 4_096;
const fieldsMaxLength = 8 * 1_024;
/** Control, line-separating and direction-changing characters: they could make a text seem to be somebody else's. */
const unshowable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u{feff}]+/gu;
const passedHeader = /^(?:accept|accept-language|content-type|x-ext-[a-z0-9-]{1,64})$/;
const headerValue = /^[\t\x20-\x7e]*$/;

function own(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === "string" && value.length <= maxLength;
}

/** One line that can be shown, or `undefined`. */
export function shownText(value: unknown, maxLength: number): string | undefined {
  // The cut comes first, so that a giant is not walked through.
  const text = typeof value === "string" ? value.slice(0, maxLength).toWellFormed().replace(unshowable, " ").trim() : "";
  return text === "" ? undefined : text;
}

/** `undefined`: not a message of ours. */
export function readFrameMessage(value: unknown): FrameMessage | undefined {
  const id = own(value, "id");
  if (own(value, "althing") !== true || own(value, "v") !== 1 || !isText(id, idMaxLength)) return undefined;
  const payload = own(value, "payload");
  switch (own(value, "type")) {
    case "ready":
      return { type: "ready", id };
    case "resize":
      return readResize(own(payload, "height"));
    case "navigate":
      return readNavigate(own(payload, "path"));
    case "toast":
      return readToast(payload);
    case "call":
      return { type: "call", id, payload };
    default:
      return undefined;
  }
}

function readResize(height: unknown): FrameMessage | undefined {
  if (typeof height !== "number" || Number.isNaN(height)) return undefined;
  return { type: "resize", heightPx: Math.ceil(Math.min(heightMaxPx, Math.max(heightMinPx, height))) };
}

function readNavigate(path: unknown): FrameMessage | undefined {
  return isText(path, pathMaxLength) ? { type: "navigate", path } : undefined;
}

function readToast(payload: unknown): FrameMessage | undefined {
  const text = shownText(own(payload, "text"), toastMaxLength);
  const given = own(payload, "kind");
  return text === undefined ? undefined : { type: "toast", text, kind: toastKinds.find((kind) => kind === given) ?? "info" };
}

const bad = (detail: string) => new AppError("ext.bad_request", { detail });

/** @throws {ext.bad_request} {ext.payload_too_large} */
export function readCall(payload: unknown): FrameCall {
  const method = own(payload, "method");
  const path = own(payload, "path");
  if (!isText(method, 16) || !isText(path, pathMaxLength)) throw bad("a call has a method and a path");
  const headers = readFields(own(payload, "headers"), "header")
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => passedHeader.test(name));
  if (headers.some(([, value]) => !headerValue.test(value))) throw bad("a header has characters other than printable ASCII");
  return { method, path, query: readFields(own(payload, "query"), "query field"), headers, body: readBody(own(payload, "body")) };
}

function readFields(value: unknown, what: string): readonly (readonly [string, string])[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null) throw bad(`every ${what} is a text by its name`);
  const fields = Object.entries(value);
  if (fields.length > fieldsMax) throw bad(`there is more than ${fieldsMax} times a ${what}`);
  const read: (readonly [string, string])[] = [];
  let length = 0;
  for (const [name, text] of fields) {
    if (!isText(text, fieldMaxLength) || !name.isWellFormed() || !text.isWellFormed()) throw bad(`every ${what} is a text by its name`);
    length += name.length + text.length;
    read.push([name, text]);
  }
  if (length > fieldsMaxLength) throw bad(`the ${what}s have more than ${fieldsMaxLength} characters`);
  return read;
}

function readBody(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (value === undefined) return undefined;
  const tooLarge = () => new AppError("ext.payload_too_large", { limit: limits.extensionBodyMaxBytes });
  if (typeof value !== "string" && !(value instanceof Uint8Array)) throw bad("a body is a text or bytes");
  // A text has at least one byte a UTF-16 unit, so a giant is refused before it is encoded.
  if (value.length > limits.extensionBodyMaxBytes) throw tooLarge();
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : new Uint8Array(value);
  if (bytes.length > limits.extensionBodyMaxBytes) throw tooLarge();
  return bytes;
}
