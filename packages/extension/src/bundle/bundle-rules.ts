/**
 * What a bundle is refused for, by name, and how much of one is read.
 *
 * Invariant: every refusal of the reader names one rule and the path it met, escaped so that a terminal or a page can show it; sizes and
 * counts are `bundle.too_large`, all else is `bundle.malformed`. Rules: docs/architecture/bundles.md.
 */
import { AppError } from "@althing/contract";

/** Name and meaning; the page of the format has one line for each. */
export const bundleRules = {
  absolute: "a path starts with a slash or a drive letter",
  backslash: "a path holds a backslash",
  casefold_twin: "two paths differ in upper and lower case only",
  checksum: "a header's checksum is wrong or written in another form",
  control_character: "a path holds a control, line-breaking or direction-changing character",
  device: "an entry is a device or a pipe",
  directory: "an entry is a directory",
  duplicate: "a path comes twice",
  empty: "there is no entry",
  empty_name: "a path is empty",
  foreign_file: "the file is none of manifest.json, extension.wasm, sbom.json, ui/**",
  gnu_longname: "an entry uses GNU's extension for long names",
  gzip_form: "the outer file is not one sound gzip member",
  invalid_utf8: "a path is not UTF-8",
  lying_size: "a size is not eleven octal digits and NUL, or not what follows",
  link: "an entry is a link",
  missing_file: "an extension needs this file",
  noncanonical_header: "a header or its padding differs from the canonical bytes",
  noncanonical_order: "paths are not in ascending order of their bytes",
  noncanonical_path: "a path has an empty or dot segment",
  nul_name: "bytes follow the NUL of a name",
  path_conflict: "a path is a file and a folder at once",
  path_too_long: "a path has more bytes than the limit",
  pax_trick: "a pax header says anything but the one path that needs it",
  sparse: "an entry is sparse",
  trailing_data: "bytes follow the end",
  traversal: "a path has a parent segment",
  truncated: "the bytes end too early",
  unicode_twin: "two paths are equal under Unicode normalisation",
  unknown_type: "an entry is of no known kind",
} as const;
export type BundleRule = keyof typeof bundleRules;

export interface BundleLimits {
  readonly maxEntries: number;
  /** Sum of the sizes of all entries. */
  readonly maxUnpackedBytes: number;
  /** The gzip file itself. */
  readonly maxPackedBytes: number;
  readonly maxPathBytes: number;
}

/** 255 bytes is also what the canonical form can write; a larger `maxPathBytes` has no effect. */
export const defaultBundleLimits: BundleLimits = {
  maxEntries: 2_000,
  maxUnpackedBytes: 64 * 1024 * 1024,
  maxPackedBytes: 68 * 1024 * 1024,
  maxPathBytes: 255,
};

const shownMax = 300;

/** A path for people: what is not printable ASCII is escaped, so that nothing in it can act on a terminal or hide. */
export function showPath(path: string): string {
  const shown = path.replace(/[^ -[\]-~]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
  return shown.length > shownMax ? `${shown.slice(0, shownMax)}…` : shown;
}

export function malformedBundle(rule: BundleRule, path = "(archive)", detail: string = bundleRules[rule]): AppError<"bundle.malformed"> {
  return new AppError("bundle.malformed", { rule, path: showPath(path), detail });
}

export function bundleTooLarge(limit: number, unit: "entries" | "bytes unpacked" | "bytes packed"): AppError<"bundle.too_large"> {
  return new AppError("bundle.too_large", { limit, unit });
}
