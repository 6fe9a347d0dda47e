/**
 * Makes text from servers and peers safe to print on a terminal.
 *
 * Invariant: what comes out holds no control, escape, bidirectional or invisible formatting character, so that a message can neither move the
 * cursor, set the title, fill the clipboard nor dress up as another person's line. Applied at the one place that writes
 * (`output.ts`) and not at each call, because a forgotten call would be the hole. Source: Unicode TR 36, CVE-2021-42574.
 */

const [escape, bell, csi, osc, st] = [0x1b, 0x07, 0x9b, 0x9d, 0x9c].map((code) => String.fromCharCode(code));
const c1Strings = [0x90, 0x98, 0x9e, 0x9f].map((code) => String.fromCharCode(code)).join("");

// Whole escape sequences first (CSI; OSC, DCS, SOS, PM, APC; two-character), so that their parameters do not stay behind as litter.
const sequences = new RegExp(
  [
    `(?:${escape}\\[|${csi})[0-?]*[ -/]*[@-~]`,
    `(?:${escape}[\\]PX^_]|[${osc}${c1Strings}])[^${bell}${escape}${st}]*(?:${bell}|${escape}\\\\|${st})?`,
    `${escape}[ -/]*[0-~]`,
  ].join("|"),
  "g",
);

// Control characters but tab and line feed, bidi marks and embeddings, invisible operators, separators, annotation, tags.
const forbidden =
  /[[\p{Cc}--[\t\n]]\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gv;

/** Keeps line feeds and tabs; for text whose line structure is ours. */
export function safeText(text: string): string {
  return text.toWellFormed().replace(sequences, "").replace(forbidden, "");
}

/** One line: line feeds and tabs become spaces. For names, titles, everything inside a line. */
export function safeLine(text: string): string {
  return safeText(text.replace(/\r\n|\r/g, "\n")).replace(/[\n\t]+/g, " ");
}

/** A peer's text of several lines: each line after the first begins with `indent`, so that it cannot pass for a line of its own. */
export function safeBlock(text: string, indent = "  | "): string {
  return safeText(text.replace(/\r\n|\r/g, "\n"))
    .split("\n")
    .join(`\n${indent}`);
}

/** JSON whose dangerous characters are written as escapes: the value is unchanged, the terminal is safe. */
export function safeJson(value: unknown, indent?: number): string {
  const json = JSON.stringify(value, undefined, indent) ?? "null";
  return json.replace(forbidden, (found) =>
    [...found]
      .flatMap((c) => codeUnits(c))
      .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

function codeUnits(character: string): number[] {
  return Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
}
