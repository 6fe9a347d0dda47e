/**
 * Which advice stands under a refusal: this application's own words, else those of the platform's catalogue, else a general sentence.
 *
 * Invariant: a reader of a page is never sent to a command line, a header or a page of the reference. The catalogue speaks to all kinds of clients; advice of it
 * that is for another kind is not shown, whether or not somebody wrote better words for its code.
 */
import type { ErrorRow } from "@althing/contract";
import { adviceWords } from "./advice-words.ts";

export type Advice =
  /** A key below `adviceWords`. */
  { readonly from: "own"; readonly key: string } | { readonly from: "catalogue"; readonly text: string };

/** Commands, options, settings of the operator, addresses for machines, files of the reference, and the making of packages. */
const elsewhere = /`|--|\bdocs\/|openapi|\/healthz|\bCLI\b|client library|Content-Digest|Retry-After|If-Match|Idempotency-Key/i;
const ofPackages = /^(?:bundle|component|manifest|trust|upload|capability|project|runner|fetch)\./;

function hasOwn(code: string): boolean {
  const [group = "", name = ""] = code.split(".");
  const words: Readonly<Record<string, object>> = adviceWords;
  return group !== "generic" && Object.hasOwn(words, group) && Object.hasOwn(words[group] ?? {}, name);
}

/** @param fix what the catalogue advises at the code, its parameters not filled in */
export function adviceAt(code: string, kind: ErrorRow["kind"], fix: string | undefined): Advice {
  if (hasOwn(code)) return { from: "own", key: code };
  if (fix !== undefined && fix !== "" && !elsewhere.test(fix)) return { from: "catalogue", text: fix };
  return { from: "own", key: ofPackages.test(code) ? "generic.author" : `generic.${kind}` };
}

/** Parameters in single braces, as the catalogue writes them. */
export function fillIn(text: string, params: Readonly<Record<string, string | number | boolean>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(params, name) ? String(params[name]) : whole));
}
