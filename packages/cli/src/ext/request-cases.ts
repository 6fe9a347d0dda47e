/**
 * `test/*.requests.json`: what a project is asked, and what it must answer.
 *
 * Invariant: a file is read in full or refused with the place of its fault; an expectation that this version does not know is a fault, never skipped. The
 * requests of one file share one community's data, in order; each file begins with none.
 */
import type { Fault, InvocationCall } from "@althing/contract";
import { AppError } from "@althing/contract";
import { isDeepStrictEqual } from "node:util";
import type { Manifest } from "@althing/extension/manifest";

export interface Expectation {
  /** HTTP status. */
  readonly status?: number;
  /** The body, compared as a JSON value. */
  readonly json?: unknown;
  /** The body, compared as text. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The code that it must end with, e.g. `ext.timeout`. */
  readonly fails?: string;
  /** Topics that it must have emitted, all of them, in order. */
  readonly emits?: readonly string[];
  readonly maxFuel?: number;
}

export interface RequestCase {
  readonly name: string;
  readonly call: InvocationCall;
  readonly body: Uint8Array;
  readonly actor: { readonly id: string; readonly handle: string; readonly permissions: string[] } | undefined;
  readonly expect: Expectation;
}

export interface CaseFile {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly cases: readonly RequestCase[];
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isTexts = (value: unknown): value is Readonly<Record<string, string>> => isFields(value) && Object.values(value).every(isText);
const isTextList = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isText);
const isAnything = (_value: unknown): _value is unknown => true;

/** Reads one object; remembers every fault with its path. */
class Reader {
  readonly #fields: Fields;
  readonly #path: string;
  readonly #faults: Fault[];

  constructor(value: unknown, path: string, faults: Fault[], known: readonly string[]) {
    this.#fields = isFields(value) ? value : {};
    this.#path = path;
    this.#faults = faults;
    if (!isFields(value)) faults.push({ path, message: "must be an object" });
    for (const key of Object.keys(this.#fields))
      if (!known.includes(key)) faults.push({ path: `${path}.${key}`, message: "there is no such field" });
  }

  has(key: string): boolean {
    return this.#fields[key] !== undefined;
  }

  get<T>(key: string, is: (value: unknown) => value is T, what: string): T | undefined {
    const value = this.#fields[key];
    if (value === undefined) return undefined;
    if (is(value)) return value;
    this.#faults.push({ path: `${this.#path}.${key}`, message: `must be ${what}` });
    return undefined;
  }

  at(key: string): string {
    return `${this.#path}.${key}`;
  }
}

const expectationKeys = ["status", "json", "text", "headers", "fails", "emits", "maxFuel"];

function readExpectation(value: unknown, path: string, faults: Fault[]): Expectation {
  const reader = new Reader(value, path, faults, expectationKeys);
  const [status, text, headers] = [
    reader.get("status", isNumber, "a number"),
    reader.get("text", isText, "text"),
    reader.get("headers", isTexts, "texts by name"),
  ];
  const [fails, emits, maxFuel] = [
    reader.get("fails", isText, "a code"),
    reader.get("emits", isTextList, "a list of topics"),
    reader.get("maxFuel", isNumber, "a number"),
  ];
  return {
    ...(status === undefined ? {} : { status }),
    ...(reader.has("json") ? { json: reader.get("json", isAnything, "JSON") } : {}),
    ...(text === undefined ? {} : { text }),
    ...(headers === undefined ? {} : { headers }),
    ...(fails === undefined ? {} : { fails }),
    ...(emits === undefined ? {} : { emits }),
    ...(maxFuel === undefined ? {} : { maxFuel }),
  };
}

/** The endpoint of the manifest that a path matches, with its parameters. */
function findEndpoint({ endpoints }: Manifest, method: string, path: string): [string, string][] | undefined {
  const segments = path.split("/").slice(1).map(decodeURIComponent);
  for (const endpoint of endpoints) {
    const wanted = endpoint.path.split("/").slice(1);
    const isMatch =
      endpoint.method === method &&
      wanted.length === segments.length &&
      wanted.every((part, i) => part.startsWith(":") || part === segments[i]);
    if (isMatch) return wanted.flatMap((part, i): [string, string][] => (part.startsWith(":") ? [[part.slice(1), segments[i] ?? ""]] : []));
  }
  return undefined;
}

interface ReadCall {
  readonly call: InvocationCall;
  readonly body: Uint8Array;
}

const noBody = new Uint8Array();

function readHttp(value: unknown, path: string, manifest: Manifest, faults: Fault[]): ReadCall | undefined {
  const reader = new Reader(value, path, faults, ["method", "path", "headers", "json", "body"]);
  const method = (reader.get("method", isText, "a method") ?? "GET").toUpperCase();
  const target = reader.get("path", isText, "text") ?? "";
  const headers = reader.get("headers", isTexts, "texts by name") ?? {};
  const text = reader.has("json") ? JSON.stringify(reader.get("json", isAnything, "JSON")) : (reader.get("body", isText, "text") ?? "");
  const [rawPath = "", query = ""] = target.split("?", 2);
  const params =
    rawPath.startsWith("/") && URL.canParse(`http://extension.invalid${rawPath}`) ? findEndpoint(manifest, method, rawPath) : undefined;
  if (params === undefined) {
    faults.push({ path: reader.at("path"), message: `the manifest has no endpoint ${method} ${rawPath}` });
    return undefined;
  }
  const type: [string, string][] = reader.has("json") ? [["content-type", "application/json"]] : [];
  const decoded = `/${rawPath.split("/").slice(1).map(decodeURIComponent).join("/")}`;
  return {
    call: { kind: "http", method, path: decoded, query, params, headers: [...type, ...Object.entries(headers)] },
    body: new TextEncoder().encode(text),
  };
}

function readEvent(value: unknown, path: string, index: number, time: string, faults: Fault[]): ReadCall {
  const reader = new Reader(value, path, faults, ["topic", "subject", "actor", "data"]);
  const topic = reader.get("topic", isText, "text") ?? "";
  if (topic === "") faults.push({ path: reader.at("topic"), message: "is needed" });
  const [subject = "", actor = ""] = [reader.get("subject", isText, "text"), reader.get("actor", isText, "text")];
  const data = JSON.stringify(reader.get("data", isAnything, "JSON") ?? {});
  return { call: { kind: "event", topic, index, id: `event-${index}`, time, actor, subject, data, depth: 1 }, body: noBody };
}

function readJob(value: unknown, path: string, time: string, manifest: Manifest, faults: Fault[]): ReadCall {
  const reader = new Reader(value, path, faults, ["name", "slot"]);
  const name = reader.get("name", isText, "text") ?? "";
  if (!manifest.jobs.some((job) => job.name === name)) faults.push({ path: reader.at("name"), message: `the manifest has no job ${name}` });
  return { call: { kind: "job", name, slot: reader.get("slot", isText, "a time") ?? time }, body: noBody };
}

function readCase(value: unknown, path: string, index: number, manifest: Manifest, time: string, faults: Fault[]): RequestCase | undefined {
  const reader = new Reader(value, path, faults, ["name", "as", "request", "event", "job", "expect"]);
  const kinds = ["request", "event", "job"].filter((kind) => reader.has(kind));
  if (kinds.length !== 1) {
    faults.push({ path, message: "must have one of request, event, job" });
    return undefined;
  }
  const held = reader.get(kinds[0] ?? "", isAnything, "an object");
  const at = reader.at(kinds[0] ?? "");
  const read =
    kinds[0] === "request"
      ? readHttp(held, at, manifest, faults)
      : kinds[0] === "event"
        ? readEvent(held, at, index + 1, time, faults)
        : readJob(held, at, time, manifest, faults);
  const handle = reader.get("as", isText, "a handle");
  const expect = readExpectation(reader.get("expect", isFields, "an object") ?? {}, reader.at("expect"), faults);
  const name = reader.get("name", isText, "text") ?? `${index + 1}`;
  const actor = handle === undefined ? undefined : { id: handle, handle, permissions: [] };
  return read === undefined ? undefined : { ...read, name, actor, expect };
}

/**
 * @param file name shown in faults
 * @throws {manifest.invalid} with every fault and its place
 */
export function readCaseFile(file: string, value: unknown, manifest: Manifest, time: string): CaseFile {
  const faults: Fault[] = [];
  const reader = new Reader(value, file, faults, ["settings", "secrets", "requests"]);
  const list = reader.get("requests", Array.isArray, "a list") ?? [];
  if (list.length === 0) faults.push({ path: `${file}.requests`, message: "has no request" });
  const cases = list.flatMap((item: unknown, index) => readCase(item, `${file}.requests.${index}`, index, manifest, time, faults) ?? []);
  const [settings = {}, secrets = {}] = [reader.get("settings", isFields, "an object"), reader.get("secrets", isTexts, "texts by name")];
  if (faults.length > 0) throw new AppError("manifest.invalid", { count: faults.length }, { faults });
  return { settings, secrets, cases };
}

export interface Observed {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Code of the failure. */
  readonly failed: string | undefined;
  readonly detail: string;
  readonly emits: readonly string[];
  readonly fuel: number;
}

const show = (value: unknown): string => JSON.stringify(value) ?? "nothing";

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

/** What differs; empty when everything is as expected. A failure that was not expected always differs. */
export function differences(expect: Expectation, seen: Observed): string[] {
  const found: string[] = [];
  const same = (what: string, expected: unknown, observed: unknown): void => {
    if (!isDeepStrictEqual(expected, observed)) found.push(`${what}: expected ${show(expected)}, got ${show(observed)}`);
  };
  if (expect.fails !== undefined) same("failure", expect.fails, seen.failed);
  else if (seen.failed !== undefined) found.push(`it failed: ${seen.detail} [${seen.failed}]`);
  if (expect.status !== undefined) same("status", expect.status, seen.status);
  if ("json" in expect) same("json", expect.json, parsed(seen.body));
  if (expect.text !== undefined) same("text", expect.text, new TextDecoder().decode(seen.body));
  for (const [name, value] of Object.entries(expect.headers ?? {})) same(`header ${name}`, value, seen.headers[name.toLowerCase()]);
  if (expect.emits !== undefined) same("emits", [...expect.emits], [...seen.emits]);
  if (expect.maxFuel !== undefined && seen.fuel > expect.maxFuel) found.push(`fuel: at most ${expect.maxFuel}, used ${seen.fuel}`);
  return found;
}
