/**
 * From the bytes of `manifest.json` to a manifest, or to every fault it has.
 *
 * Invariant: publish, install, command line and pages call this and nothing else. A key that comes twice is refused, because the file is signed as bytes
 * and two readers could keep different ones (RFC 8259 §4).
 */
import { AppError, type Fault } from "@althing/contract";
import type { z } from "zod";
import { judgeManifest } from "./judge-manifest.ts";
import { type Manifest, manifestSchema } from "./manifest-schema.ts";
import type { CronCheck } from "./schedule.ts";

/** Bytes of `manifest.json`. */
export const maxManifestBytes = 256 * 1024;
/** More are not listed: a hostile file must not become a larger answer. */
const maxFaults = 100;
const maxDepth = 24;

export interface ParseManifestOptions {
  readonly checkCron?: CronCheck;
}

export type ManifestResult =
  | { readonly manifest: Manifest; readonly faults: readonly [] }
  | { readonly manifest: undefined; readonly faults: readonly Fault[] };

const fail = (...faults: readonly Fault[]): ManifestResult => ({ manifest: undefined, faults: faults.slice(0, maxFaults) });

/** Keys as written against keys as kept: in valid JSON only a key is a string with a colon after it. */
function hasKeyTwice(text: string, value: unknown): boolean {
  let written = 0;
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (match[1] !== undefined) written++;
  return written !== keptKeys(value);
}

function keptKeys(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, item) => sum + keptKeys(item), own);
}

/** What no schema should have to meet: endless nesting, and the one key that names an object's prototype. */
function shapeFault(value: unknown, left: number = maxDepth): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (left === 0) return `is nested deeper than ${maxDepth}`;
  if (Object.hasOwn(value, "__proto__")) return "has the key __proto__";
  for (const item of Object.values(value)) {
    const fault = shapeFault(item, left - 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Faults one by one; unknown fields each under their own path. */
function faultsIn(error: z.ZodError): Fault[] {
  return error.issues.flatMap((issue) => {
    const at = issue.path.map(String);
    const pathOf = (parts: readonly string[]) => parts.join(".") || "(root)";
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({ path: pathOf([...at, key.slice(0, 100)]), message: "there is no such field" }));
    return [{ path: pathOf(at), message: issue.message }];
  });
}

/** For values that are parsed already, e.g. in an editor. */
export function checkManifest(value: unknown, { checkCron }: ParseManifestOptions = {}): ManifestResult {
  const message = shapeFault(value);
  if (message !== undefined) return fail({ path: "(root)", message });
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) return fail(...faultsIn(parsed.error));
  const faults = judgeManifest(parsed.data, checkCron);
  return faults.length === 0 ? { manifest: parsed.data, faults: [] } : fail(...faults);
}

/** All faults of a file, or its manifest. */
export function readManifest(file: Uint8Array, options: ParseManifestOptions = {}): ManifestResult {
  if (file.length > maxManifestBytes) return fail({ path: "(root)", message: `has more than ${maxManifestBytes} bytes` });
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file);
    value = JSON.parse(text);
  } catch {
    return fail({ path: "(root)", message: "is not JSON in UTF-8" });
  }
  if (shapeFault(value) === undefined && hasKeyTwice(text, value))
    return fail({ path: "(root)", message: "has a key twice in one object" });
  return checkManifest(value, options);
}

/** @throws {manifest.invalid} with all faults */
export function parseManifest(file: Uint8Array, options: ParseManifestOptions = {}): Manifest {
  const { manifest, faults } = readManifest(file, options);
  if (manifest === undefined) throw new AppError("manifest.invalid", { count: faults.length }, { faults });
  return manifest;
}
