/**
 * Finds the addresses in what people wrote, and says where they really lead.
 *
 * Invariant: only `http` and `https`, only what stands there whole, and nothing that carries a name and a password (`https://your-bank@evil.example`). The text stays as it
 * was written. Where the machine to be asked is called otherwise than it reads (another script, a number for an address, a name in disguise), its true name is
 * given beside it. Linear in the length of the text: everybody may write it.
 */
export interface TextPart {
  /** As it was written. */
  readonly text: string;
  /** Absent: it is no link. */
  readonly href?: string;
  /** The machine's name as the network knows it, where the text reads otherwise. */
  readonly host?: string;
}

const linkMaxChars = 2_048;
const linksMax = 200;

/** Ends an address: white space, quotes, brackets that no address has, controls, invisible marks and those that turn the writing direction. */
const address = /https?:\/\/[^\s<>"`\\^{|}\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029\u3164\uffa0\ufffd]+/giu;
/** Before an address these would make it part of something else. */
const joined = /[\p{L}\p{N}_+\-@/]$/u;
const trailing = new Set([...".,;:!?'*_~…’”»。，、；：！？"]);
const closing: Readonly<Record<string, string>> = { ")": "(", "]": "[", "）": "（", "」": "「", "』": "『", "】": "【", "》": "《" };

/** The text in order and whole, cut where addresses begin and end. */
export function splitLinks(text: string): readonly TextPart[] {
  if (!text.includes("://")) return [{ text }];
  const parts: TextPart[] = [];
  let from = 0;
  let found = 0;
  for (const { 0: raw, index } of text.matchAll(address)) {
    if (found === linksMax) break;
    if (joined.test(text.slice(Math.max(0, index - 2), index))) continue;
    const link = linkOf(withoutTail(raw));
    if (link === undefined) continue;
    found += 1;
    if (index > from) parts.push({ text: text.slice(from, index) });
    parts.push(link);
    from = index + link.text.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

/** Without what belongs to the sentence: its stops, and brackets that were opened before the address. */
function withoutTail(raw: string): string {
  const open = new Map<string, number>();
  for (const char of raw) {
    const opener = closing[char];
    if (opener !== undefined) open.set(opener, (open.get(opener) ?? 0) - 1);
    else open.set(char, (open.get(char) ?? 0) + 1);
  }
  let end = raw.length;
  while (end > 0) {
    const char = raw[end - 1] ?? "";
    const opener = closing[char];
    if (opener !== undefined && (open.get(opener) ?? 0) < 0) open.set(opener, (open.get(opener) ?? 0) + 1);
    else if (!trailing.has(char)) break;
    end -= 1;
  }
  return raw.slice(0, end);
}

function linkOf(text: string): TextPart | undefined {
  if (text.length > linkMaxChars) return undefined;
  const authority = /^https?:\/\/([^/?#]+)/i.exec(text)?.[1];
  // Also `%40` and fullwidth `＠`, which some readers take for the same.
  if (authority === undefined || /[@＠]|%40/i.test(authority)) return undefined;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if ((url.protocol !== "http:" && url.protocol !== "https:") || url.username !== "" || url.password !== "" || url.hostname === "")
    return undefined;
  const written = authority.replace(/:\d*$/, "").toLowerCase();
  return { text, href: url.href, ...(readsAs(written, url.hostname) ? {} : { host: url.hostname }) };
}

/** Does the written name leave no doubt that it is this one? */
function readsAs(written: string, hostname: string): boolean {
  if (written === hostname) return true;
  // The only names that are written otherwise and pass: letters of western languages, which nobody takes for others.
  if (!/^[a-z0-9.\-\u00df-\u00f6\u00f8-\u0130\u0132-\u013e\u0141-\u0148\u014a-\u017e]+$/.test(written)) return false;
  return /[^\p{ASCII}]/u.test(written);
}
