/**
 * Structured fields (RFC 9651), read strictly.
 *
 * Invariant: what is accepted serialises back to itself, white space aside. The library parses by the RFC, which lets the last of two equal
 * keys win, reads `1.0` and `01` as the number 1 and base64 with stray bits: harmless in general, but here two readers must never see
 * different values. Comparing the serialisation refuses all of it at once, without a parser of our own.
 */
import { parseDictionary, serializeDictionary, type BareItem, type InnerList, type Item } from "structured-headers";

export type { BareItem, InnerList, Item, Parameters } from "structured-headers";
export type Dictionary = ReadonlyMap<string, Item | InnerList>;

export function isInnerListMember(member: Item | InnerList): member is InnerList {
  return Array.isArray(member[0]);
}

/** Drops white space outside quoted strings. */
function withoutSpacing(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|[ \t]+/g, (part) => (part.startsWith('"') ? part : ""));
}

/** @throws Error with a text fit for a public `detail` */
export function parseStrictDictionary(text: string): Dictionary {
  if (!/^[\t\x20-\x7e]*$/.test(text)) throw new Error("characters outside printable ASCII");
  const dictionary = parseDictionary(text);
  const again = serializeDictionary(dictionary);
  if (again !== text && withoutSpacing(again) !== withoutSpacing(text)) throw new Error("a key twice, or a value not in its one form");
  return dictionary;
}

export function bytesOf(value: BareItem): Uint8Array<ArrayBuffer> | undefined {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}
