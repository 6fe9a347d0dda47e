/**
 * JSON as this platform takes it: valid UTF-8 without byte order mark, no key twice, no `__proto__`, bounded depth.
 *
 * Invariant: what was signed and what is understood are the same. `JSON.parse` keeps the last of two equal keys while other parsers keep the first,
 * so two readers of one signed body could disagree; RFC 8259 §4 leaves that open and RFC 7493 (I-JSON) forbids it. The check is a
 * second, linear pass over text that `JSON.parse` already accepted, so it needs no grammar of its own.
 */
import { AppError } from "@althing/contract";

const depthMax = 32;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function malformed(detail: string): AppError {
  return new AppError("request.malformed", { detail });
}

/**
 * @throws {request.malformed} with what is wrong, never with the body's text
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw malformed("the body is not UTF-8");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed("the body is not JSON");
  }
  checkKeys(text);
  return value;
}

/** Walks the structure characters of valid JSON text and looks at every key. */
function checkKeys(text: string): void {
  /** One entry an open bracket: the keys seen in an object, `undefined` in an array. */
  const open: (Set<string> | undefined)[] = [];
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) {
      const end = endOfString(text, at);
      const keys = open[open.length - 1];
      if (expectKey && keys) takeKey(keys, text.slice(at, end + 1));
      expectKey = false;
      at = end;
    } else if (char === 0x7b || char === 0x5b) {
      if (open.length === depthMax) throw malformed(`the body is nested deeper than ${depthMax}`);
      open.push(char === 0x7b ? new Set() : undefined);
      expectKey = char === 0x7b;
    } else if (char === 0x7d || char === 0x5d) {
      open.pop();
      expectKey = false;
    } else if (char === 0x2c) {
      expectKey = open[open.length - 1] !== undefined;
    }
  }
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
  return backslashes % 2 === 1;
}

function takeKey(keys: Set<string>, quoted: string): void {
  const key = quoted.includes("\\") ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
  if (key === "__proto__") throw malformed("the key __proto__ is not taken");
  if (keys.has(key)) throw malformed("a key comes twice in one object");
  keys.add(key);
}
