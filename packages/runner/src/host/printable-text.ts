/**
 * Text of a guest on its way to people: logs, error details, notes.
 *
 * Invariant: what comes out is one line without characters that move a cursor, hide, or change direction, and it has a bounded length, so that
 * a guest can neither forge a line of the log nor draw on a terminal. Cutting comes first, so a long text costs no more than a short one.
 */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}\u{feff}\u{200b}-\u{200d}\u{2060}]/gu;

function escapeCharacter(character: string): string {
  if (character === "\n") return String.raw`\n`;
  if (character === "\t") return String.raw`\t`;
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** @param maxChars of the text given, before escaping */
export function printableText(text: string, maxChars: number): string {
  const kept = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
  return kept.replace(unprintable, escapeCharacter);
}
