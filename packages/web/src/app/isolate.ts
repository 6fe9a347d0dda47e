/**
 * Puts what people wrote into a sentence, so that its writing direction stays its own.
 *
 * Invariant: does for plain text (sentences with values, labels for screen readers) what `<bdi>` does for elements: a title from right to left turns
 * nothing around it.
 */
const [firstStrongIsolate, popIsolate] = ["\u2068", "\u2069"] as const;

export function isolated(text: string): string {
  return `${firstStrongIsolate}${text}${popIsolate}`;
}

/** Names in a row, as the reader's language joins them: "a, b and c". */
export function joined(names: readonly string[], locale: string): string {
  return new Intl.ListFormat(locale, { type: "conjunction" }).format(names.map(isolated));
}
