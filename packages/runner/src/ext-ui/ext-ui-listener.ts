/**
 * The public listener: files of extension pages at `/ext-ui/{extension}/{contentHash}/{path in the bundle}`, and nothing else.
 *
 * Invariant: a file is found by looking its whole path up in the list of the bundle's files, so there is no folder to climb out of; the path is decoded
 * once. Whether a version may be served is the hub's word and at most a second old, so that a package that was removed or blocked is
 * gone at once for new readers. Without the hub nothing is served.
 */
import { AppError, contentHashSchema, extensionIdSchema } from "@althing/contract";
import { uiFolder } from "@althing/extension/bundle";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { createHttpServer, notFound, requestIdOf } from "../service/http-server.ts";
import type { BundleCache } from "../service/bundle-cache.ts";
import type { UiPolicy } from "../service/hub-client.ts";
import type { RunnerLog } from "../sandbox/index.ts";
import { contentTypeOf } from "./content-types.ts";
import { connectionAllowlist, pagePolicy, type PagePlace } from "./page-policy.ts";

export interface ExtUiListenerOptions {
  readonly bundles: Pick<BundleCache, "uiFiles">;
  /** `undefined`: it may not be served now. */
  readonly uiPolicy: (extension: string, contentHash: string) => Promise<UiPolicy | undefined>;
  /** Where browsers reach this listener (with a path when a proxy puts one in front), and who may frame its pages. */
  readonly place: PagePlace;
  /** Milliseconds of a clock that only goes forward. */
  readonly nowMs: () => number;
  readonly log: RunnerLog;
}

const answerKeptMs = 1_000;
const answersMax = 1_000;
/** Questions to the hub that may be open; a stranger can ask for as many hashes as they like. */
const questionsMax = 64;
const connectionsMax = 2_000;
const bodyMaxBytes = 1_024;
const prefix = "/ext-ui/";
/** The path names the bytes, so they never change. */
const forever = "public, max-age=31536000, immutable";
/** A document is asked for again each time: it carries the policy, whose hosts may be taken back, and a removed package must not open from a cache. */
const revalidated = "no-cache";
const documents = /^(?:text\/html|image\/svg\+xml)/;

/** Also on problems: an opaque origin must be able to read what went wrong, and no answer may act. */
const commonHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "access-control-allow-origin": "*",
  "cross-origin-resource-policy": "cross-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
};
const problemPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

interface Wanted {
  readonly extension: string;
  readonly contentHash: string;
  /** In the bundle. */
  readonly path: string;
}

/** `undefined`: no file can have this address. */
function readTarget(target: string): Wanted | undefined {
  const rawPath = target.split("?", 1)[0] ?? "";
  if (!rawPath.startsWith(prefix)) return undefined;
  const segments = rawPath.slice(prefix.length).split("/").map(decodeSegment);
  const [extension, contentHash, ...rest] = segments;
  if (extension === undefined || contentHash === undefined || rest.length === 0 || rest.includes(undefined)) return undefined;
  if (!extensionIdSchema.safeParse(extension).success || !contentHashSchema.safeParse(contentHash).success) return undefined;
  const path = rest.join("/");
  return path.startsWith(uiFolder) ? { extension, contentHash, path } : undefined;
}

/** `undefined` for what is not UTF-8, and for a slash that was hidden in the segment. */
function decodeSegment(segment: string): string | undefined {
  try {
    const decoded = decodeURIComponent(segment);
    return decoded.includes("/") ? undefined : decoded;
  } catch {
    return undefined;
  }
}

interface Kept {
  readonly untilMs: number;
  readonly answer: Promise<UiPolicy | undefined>;
}

/** Asks the hub at most once a second for each version. */
function createPolicyQuestions({ uiPolicy, nowMs }: ExtUiListenerOptions): (wanted: Wanted) => Promise<UiPolicy | undefined> {
  const kept = new Map<string, Kept>();
  let asking = 0;
  return ({ extension, contentHash }) => {
    const key = `${extension}/${contentHash}`;
    const known = kept.get(key);
    if (known !== undefined && nowMs() < known.untilMs) return known.answer;
    if (asking >= questionsMax) throw new AppError("ext.unavailable", { detail: "too many pages are asked for" });
    asking++;
    const answer = uiPolicy(extension, contentHash).finally(() => asking--);
    kept.delete(key);
    kept.set(key, { untilMs: nowMs() + answerKeptMs, answer });
    // A failure is no answer to keep.
    answer.catch(() => kept.delete(key));
    const oldest = kept.keys().next();
    if (kept.size > answersMax && oldest.done !== true) kept.delete(oldest.value);
    return answer;
  };
}

/** RFC 9110 §13.1.2: a list of tags, weak ones match too. */
function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === "*" || header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}

export function createExtUiListener(options: ExtUiListenerOptions): FastifyInstance {
  const { publicBase, frameAncestors } = options.place;
  const app = createHttpServer({
    log: options.log,
    bodyMaxBytes,
    connectionsMax,
    headers: { ...commonHeaders, "content-security-policy": problemPolicy },
  });
  const policyOf = createPolicyQuestions(options);

  async function serve(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const wanted = readTarget(request.raw.url ?? "");
    if (wanted === undefined) throw notFound(request);
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new AppError("request.method_not_allowed", { method: request.method, path: wanted.path, allowed: "GET, HEAD" });
    }
    const base = `${publicBase}${prefix}${wanted.extension}/${wanted.contentHash}/`;
    const policy = await policyOf(wanted);
    const file = policy === undefined ? undefined : (await options.bundles.uiFiles(wanted.contentHash)).get(wanted.path);
    if (policy === undefined || file === undefined) throw notFound(request);
    const etag = `"${file.sha256}"`;
    const type = contentTypeOf(wanted.path);
    void reply.headers({
      ...commonHeaders,
      "content-security-policy": pagePolicy({ ...policy, base, frameAncestors }),
      // What CSP does not govern (WebRTC: a page's datagrams left the frame in Chromium) this list does, where the browser knows it.
      "connection-allowlist": connectionAllowlist(policy),
      "cache-control": documents.test(type) ? revalidated : forever,
      etag,
      "x-request-id": requestIdOf(request.raw),
    });
    if (matchesEtag(request.headers["if-none-match"], etag)) return reply.code(304).send();
    void reply.headers({ "content-type": type, "content-length": String(file.bytes.length) });
    return request.method === "HEAD" ? reply.send() : reply.send(file.bytes);
  }

  // Answered before a body is read: no route here takes one.
  app.all("/*", { onRequest: serve }, (request) => {
    throw notFound(request);
  });
  return app;
}
