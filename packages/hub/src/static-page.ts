/**
 * The page at `/`: files of the built web package, from a list made at start.
 *
 * Invariant: a request only looks a path up in that list; no path is ever joined from a request, so there is nothing to traverse. Assets carry
 * their hash in the name and may be cached for ever; the document may not. Without a build one line says how to make one. The page frames
 * extension pages from one address and nothing else. Text goes compressed to whoever takes that, made at the first request for it and kept: the
 * files are public and the same for everybody, so their length tells nothing.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import { gzipSync } from "node:zlib";
import { AppError } from "@althing/contract";
import type { Answer } from "./problem-answer.ts";
import { isMissing } from "./private-file.ts";
import { pageHeaders } from "./security-headers.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
  ".txt": "text/plain; charset=utf-8",
};
/** Client-side routes: each is the same document, and so is everything below the folders. */
const documentPaths = ["/", "/claim", "/join", "/identity"];
const documentFolders = /^\/(?:c|communities|rooms|instance)(?:\/|$)/;
const fileMaxBytes = 16 * 1024 * 1024;

export interface StaticPage {
  /** The answer for GET of exactly this path; `undefined` when it is not part of the page. */
  find(path: string, asked?: PageRequest): Answer | undefined;
  readonly built: boolean;
}

export interface PageRequest {
  readonly ifNoneMatch?: string | undefined;
  readonly acceptEncoding?: string | undefined;
}

interface Variant {
  readonly fresh: Answer;
  readonly unchanged: Answer;
  readonly etag: string;
}

interface Entry {
  readonly plain: Variant;
  /** Absent for what is compressed already. */
  readonly zipped?: () => Variant;
}

/**
 * @param folder the web package's `dist`
 * @param webSocketSources for the page's policy
 * @param extensionBase where browsers load extension pages from; absent: the page frames nothing
 * @throws {config.invalid} it is no address
 */
export async function openStaticPage(folder: string, webSocketSources: readonly string[], extensionBase?: string): Promise<StaticPage> {
  const headers = withFrames(pageHeaders(webSocketSources), extensionBase);
  const entries = new Map<string, Entry>();
  for (const file of await filesOf(folder)) {
    const type = types[extname(file)];
    if (type === undefined) continue;
    const bytes = await readFile(join(folder, file));
    if (bytes.length > fileMaxBytes) continue;
    const path = `/${file.split(sep).join("/")}`;
    const immutable = path.startsWith("/assets/");
    const entry = entryOf(bytes, {
      ...headers,
      "content-type": type,
      "cache-control": immutable ? "public, max-age=31536000, immutable" : "no-cache",
    });
    if (path === "/index.html") for (const known of documentPaths) entries.set(known, entry);
    else entries.set(path, entry);
  }
  const built = entries.has("/");
  if (!built) {
    const line = Buffer.from("The page is not built. Run: npm run build -w packages/web\n");
    const entry = entryOf(line, { ...headers, "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
    for (const known of documentPaths) entries.set(known, entry);
  }
  return {
    built,
    find(path, { ifNoneMatch, acceptEncoding } = {}) {
      const entry = entries.get(path) ?? (documentFolders.test(path) ? entries.get("/") : undefined);
      if (entry === undefined) return undefined;
      const { etag, unchanged, fresh } = takesGzip(acceptEncoding) && entry.zipped !== undefined ? entry.zipped() : entry.plain;
      return ifNoneMatch === etag ? unchanged : fresh;
    },
  };
}

/** Only pages of bundles: `frame-src` holds for where a frame goes later, too. */
function withFrames(headers: Readonly<Record<string, string>>, extensionBase: string | undefined): Readonly<Record<string, string>> {
  if (extensionBase === undefined) return headers;
  if (!/^https?:/.test(extensionBase) || !URL.canParse(extensionBase)) {
    const detail = "it must be an http or https address";
    throw new AppError("config.invalid", { key: "runner_public_base", source: "the configuration", observed: extensionBase, detail });
  }
  const { origin, pathname } = new URL(extensionBase);
  // Both would end the source, and a path may hold them.
  const path = pathname.replace(/\/$/, "").replaceAll(";", "%3B").replaceAll(",", "%2C");
  return { ...headers, "content-security-policy": `${headers["content-security-policy"]}; frame-src ${origin}${path}/ext-ui/` };
}

const compressible = /^(?:text\/|application\/(?:json|manifest\+json)|image\/svg)/;

/** Named, and not with a weight of nothing (RFC 9110 §12.5.3). */
function takesGzip(acceptEncoding: string | undefined): boolean {
  return acceptEncoding?.split(",").some((one) => /^\s*(?:x-)?gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(one)) ?? false;
}

function entryOf(bytes: Uint8Array, headers: Record<string, string>): Entry {
  const hash = createHash("sha256").update(bytes).digest("base64url").slice(0, 22);
  const variant = (etag: string, body: Uint8Array, more: Record<string, string>): Variant => {
    const all = { ...headers, ...more, etag };
    return { etag, fresh: { status: 200, headers: all, body }, unchanged: { status: 304, headers: all, body: "" } };
  };
  if (!compressible.test(headers["content-type"] ?? "")) return { plain: variant(`"${hash}"`, bytes, {}) };
  const vary = { vary: "accept-encoding" };
  let zipped: Variant | undefined;
  return {
    plain: variant(`"${hash}"`, bytes, vary),
    zipped: () => (zipped ??= variant(`"${hash}-gzip"`, gzipSync(bytes, { level: 9 }), { ...vary, "content-encoding": "gzip" })),
  };
}

async function filesOf(folder: string): Promise<string[]> {
  try {
    const found = await readdir(folder, { recursive: true, withFileTypes: true });
    return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
