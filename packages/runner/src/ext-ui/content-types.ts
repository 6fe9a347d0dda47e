/**
 * Media types of files in bundles, by the end of their name.
 *
 * Invariant: the list is closed, and with `nosniff` a browser takes a file for nothing else; an unknown end is bytes to download. Types that a browser
 * runs outside of the page's policy (XML with style sheets, PDF, Flash) are not in it.
 */
const types: Readonly<Record<string, string>> = {
  avif: "image/avif",
  css: "text/css; charset=utf-8",
  gif: "image/gif",
  htm: "text/html; charset=utf-8",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  map: "application/json",
  md: "text/plain; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  webp: "image/webp",
  woff: "font/woff",
  woff2: "font/woff2",
};

/** @example contentTypeOf("ui/index.html") // "text/html; charset=utf-8" */
export function contentTypeOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  const end = dot < 1 ? "" : name.slice(dot + 1).toLowerCase();
  return (Object.hasOwn(types, end) ? types[end] : undefined) ?? "application/octet-stream";
}
