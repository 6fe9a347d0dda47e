/**
 * The words of a proposal while they are typed, and as they are sent.
 *
 * Invariant: a line of an option has a key of its own for as long as it is edited, beside the id that the server gave the option.
 */
import type { OptionInput, ProposalText } from "@althing/contract";

export interface OptionDraft {
  /** Of this line while it is edited. */
  readonly key: string;
  /** The option's own; new ones have none. */
  readonly id?: string | undefined;
  readonly text: string;
}

export interface TextDraft {
  readonly title: string;
  readonly body: string;
  readonly options: readonly OptionDraft[];
  readonly topic: string;
}

export function optionDraft(text = "", id?: string): OptionDraft {
  return { key: crypto.randomUUID(), text, ...(id === undefined ? {} : { id }) };
}

interface Text {
  readonly title: string;
  readonly body: string;
  readonly options: readonly { readonly id?: string | undefined; readonly text: string }[];
  readonly topic?: string | undefined;
}

export function textDraft({ title, body, options, topic }: Text): TextDraft {
  return { title, body, options: options.map(({ id, text }) => optionDraft(text, id)), topic: topic ?? "" };
}

/** As it is sent; lines left empty are no options. @param withOptions false: the method takes none */
export function textOf({ title, body, options, topic }: TextDraft, withOptions: boolean): ProposalText {
  const listed: OptionInput[] = options
    .filter(({ text }) => text.trim() !== "")
    .map(({ id, text }) => (id === undefined ? { text } : { id, text }));
  return { title, body, options: withOptions ? listed : [], ...(topic.trim() === "" ? {} : { topic: topic.trim() }) };
}

export function isSameText(draft: TextDraft, text: Text): boolean {
  const shape = ({ title, body, options, topic }: Text) =>
    JSON.stringify([title.trim(), body, options.map(({ id, text: words }) => [id ?? null, words.trim()]), topic ?? ""]);
  return shape(textOf(draft, true)) === shape(text);
}
