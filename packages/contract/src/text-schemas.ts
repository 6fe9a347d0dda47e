/**
 * Words of people as they enter: one line, or a block of Markdown.
 *
 * Invariant: what could disguise a line is refused where it enters (control characters, separators of lines, directional overrides, halves of characters), and
 * a line shows something. Scripts are not judged: marks and joiners that languages need may stand in a text, but two texts that differ in nothing that is seen
 * count as the same (`lookOf`).
 */
import { z } from "zod";

const disguises = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
const disguisesInBlock = /[[\p{Cc}--[\n\t]]\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/v;
const plain = "no control characters, directional overrides or halves of characters";
const unseen = /\p{Default_Ignorable_Code_Point}/gu;

/** A text as it looks, for comparing: without what is not seen, with one form for each character and one space for any. */
export const lookOf = (text: string): string => text.normalize("NFKC").replace(unseen, "").replace(/\s+/g, " ").trim();

export const lineSchema = (maxChars: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(maxChars)
    .refine((text) => text.isWellFormed() && !disguises.test(text), plain)
    .refine((text) => lookOf(text) !== "", "shows nothing");

/** Line ends become line feeds. */
export const blockSchema = (maxChars: number) =>
  z
    .string()
    .max(maxChars)
    .overwrite((text) => text.replace(/\r\n?/g, "\n"))
    .refine((text) => text.isWellFormed() && !disguisesInBlock.test(text), plain);
