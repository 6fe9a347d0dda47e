/**
 * Which paths a bundle may hold, alone and beside each other.
 *
 * Invariant: the paths of an accepted bundle name different files, and no file is also a folder, on every file system that we know of: two
 * paths are twins when they are equal after compatibility decomposition and full case folding (UAX #15, Unicode 3.13 D145), segment by
 * segment, folders included. Comparing bytes alone would let one entry overwrite another where names are folded.
 */
import { defaultBundleLimits, malformedBundle } from "./bundle-rules.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Controls (C0, DEL, C1), line and paragraph separators, marks that turn the direction of text, the byte order mark. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u{feff}]/u;

/**
 * A path from the bytes of a header.
 * @throws {bundle.malformed} for the first rule that it breaks
 */
export function decodePath(bytes: Uint8Array, maxBytes: number = defaultBundleLimits.maxPathBytes): string {
  if (bytes.length === 0) throw malformedBundle("empty_name");
  let path: string;
  try {
    path = decoder.decode(bytes);
  } catch {
    throw malformedBundle("invalid_utf8", Buffer.from(bytes).toString("latin1"));
  }
  if (bytes.length > Math.min(maxBytes, defaultBundleLimits.maxPathBytes)) throw malformedBundle("path_too_long", path);
  if (unprintable.test(path)) throw malformedBundle("control_character", path);
  if (path.includes("\\")) throw malformedBundle("backslash", path);
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path)) throw malformedBundle("absolute", path);
  const segments = path.split("/");
  if (segments.includes("..")) throw malformedBundle("traversal", path);
  if (segments.includes("") || segments.includes(".")) throw malformedBundle("noncanonical_path", path);
  return path;
}

/**
 * For writers: the same judgement on text.
 * @throws {bundle.malformed}
 */
export function encodePath(path: string, maxBytes?: number): Uint8Array {
  if (!path.isWellFormed()) throw malformedBundle("invalid_utf8", path.toWellFormed());
  const bytes = encoder.encode(path);
  decodePath(bytes, maxBytes);
  return bytes;
}

/**
 * Full case folding by the engine's own tables. Lower, upper, lower brings the members of each folding class together (ß, ẞ and ss too);
 * the dotless i is the one letter that upper case merges with a class that folding keeps apart.
 */
function foldCase(text: string): string {
  let folded = "";
  for (const character of text) folded += character === "ı" ? character : character.toLowerCase().toUpperCase().toLowerCase();
  return folded;
}

function twinKey(segment: string): string {
  const once = foldCase(segment.normalize("NFKD")).normalize("NFKD");
  return foldCase(once)
    .normalize("NFKD")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "");
}

interface PathNode {
  readonly id: number;
  readonly spelling: string;
  readonly isFile: boolean;
}

export interface PathBook {
  /**
   * Takes the next path.
   * @throws {bundle.malformed} when it is not after the last one, or cannot stand beside those before it
   */
  add(path: string, bytes: Uint8Array): void;
}

/** Folders are numbered, so that a key holds one segment and a hostile depth costs no quadratic memory. */
export function createPathBook(): PathBook {
  const nodes = new Map<string, PathNode>();
  let last: Uint8Array | undefined;
  let nextId = 1;

  function refuseTwin(path: string, node: PathNode, segment: string): never {
    const isSameText = node.spelling.normalize("NFC") === segment.normalize("NFC");
    throw malformedBundle(!isSameText && foldCase(node.spelling) === foldCase(segment) ? "casefold_twin" : "unicode_twin", path);
  }

  function step(parent: number, path: string, segment: string, isFile: boolean): number {
    const key = `${parent}/${twinKey(segment)}`;
    const node = nodes.get(key);
    if (node === undefined) {
      nodes.set(key, { id: nextId, spelling: segment, isFile });
      return nextId++;
    }
    if (node.isFile !== isFile) throw malformedBundle("path_conflict", path);
    if (node.spelling !== segment) refuseTwin(path, node, segment);
    if (isFile) throw malformedBundle("duplicate", path);
    return node.id;
  }

  return {
    add(path, bytes) {
      const segments = path.split("/");
      const name = segments.pop() ?? "";
      let parent = 0;
      for (const segment of segments) parent = step(parent, path, segment, false);
      step(parent, path, name, true);
      if (last !== undefined && Buffer.compare(last, bytes) >= 0) throw malformedBundle("noncanonical_order", path);
      // A copy: the reader lends a view of a buffer that the next head overwrites.
      last = Uint8Array.from(bytes);
    },
  };
}
