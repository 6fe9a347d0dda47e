/**
 * Paths as an extension's page writes them: plain text, a slash before each segment.
 *
 * Invariant: nothing is decoded here and every segment is encoded on its way out, so a path cannot leave the extension's own ground: no dot or empty
 * segment, no slash or backslash in a segment, no control character, no half of a surrogate pair. The gateway checks the same again.
 */
const pathMaxLength = 2_048;
const segmentsMax = 32;
const forbidden = /[\p{Cc}/\\]/u;

const isSegment = (segment: string): boolean =>
  segment !== "" && segment !== "." && segment !== ".." && segment.isWellFormed() && !forbidden.test(segment);

/** Segments of a path; none for `/`; `undefined` for what is no path. */
export function readPath(path: string): readonly string[] | undefined {
  if (path === "/") return [];
  if (path.length > pathMaxLength || !path.startsWith("/")) return undefined;
  const segments = path.slice(1).split("/");
  return segments.length <= segmentsMax && segments.every(isSegment) ? segments : undefined;
}

/** @example writePath(["a b", "ü"]) // "/a%20b/%C3%BC" */
export function writePath(segments: readonly string[]): string {
  return `/${segments.map(encodeURIComponent).join("/")}`;
}

/** The reverse of {@link writePath}, for paths in the address bar; `undefined` for what it would not write. */
export function readEncodedPath(path: string): string | undefined {
  let decoded: string[];
  try {
    decoded = path.replace(/^\//, "").split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
  if (decoded.length === 1 && decoded[0] === "") return "/";
  return decoded.every(isSegment) && decoded.length <= segmentsMax ? `/${decoded.join("/")}` : undefined;
}

const partsOf = (pattern: string): readonly string[] => (pattern === "/" ? [] : pattern.slice(1).split("/"));
const fits = (part: string, segment: string | undefined): boolean => segment !== undefined && (part.startsWith(":") || part === segment);

/** Is it exactly this path of a manifest, where `:name` is one segment? */
export function matches(pattern: string, segments: readonly string[]): boolean {
  const parts = partsOf(pattern);
  return parts.length === segments.length && parts.every((part, at) => fits(part, segments[at]));
}

/** Is it this path of a manifest, or one below it? */
export function isAtOrBelow(pattern: string, segments: readonly string[]): boolean {
  return partsOf(pattern).every((part, at) => fits(part, segments[at]));
}
