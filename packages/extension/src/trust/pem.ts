/**
 * Reads PEM text (RFC 7468) strictly: text between the blocks is explanation, the blocks themselves must be whole.
 *
 * Invariant: a block that starts is read to its end or the text is refused; none is skipped, because a skipped anchor or list changes who is
 * trusted without a word. Base64 must be the one encoding of its bytes.
 */
export interface PemBlock {
  readonly label: string;
  readonly der: Buffer;
}

const maxTextBytes = 4 * 1024 * 1024;

/** Strict standard base64: padding and zero trailing bits, no white space; `undefined` for anything else. */
export function decodeBase64(text: string): Buffer | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

/**
 * @param allowed labels that may occur, e.g. `CERTIFICATE`
 * @param fail makes the error for what is wrong
 */
export function parsePem(text: string, allowed: readonly string[], fail: (detail: string) => Error): PemBlock[] {
  if (text.length > maxTextBytes) throw fail(`more than ${maxTextBytes} bytes of PEM`);
  const blocks: PemBlock[] = [];
  let open: { label: string; lines: string[] } | undefined;
  for (const line of text.split(/\r\n|\n|\r/).map((raw) => raw.trim())) {
    const marker = /^-----(BEGIN|END) ([A-Z0-9 ]+)-----$/.exec(line);
    if (marker === null) {
      if (line.includes("-----BEGIN") || line.includes("-----END")) throw fail("a PEM marker is damaged");
      open?.lines.push(line);
    } else if (marker[1] === "BEGIN") {
      const label = marker[2] ?? "";
      if (open !== undefined) throw fail(`a PEM block ${open.label} has no end`);
      if (!allowed.includes(label)) throw fail(`a PEM block ${label} has no place here`);
      open = { label, lines: [] };
    } else {
      if (open === undefined || open.label !== marker[2]) throw fail("a PEM block ends that did not begin");
      const der = decodeBase64(open.lines.join(""));
      if (der === undefined || der.length === 0) throw fail(`a PEM block ${open.label} is not base64`);
      blocks.push({ label: open.label, der });
      open = undefined;
    }
  }
  if (open !== undefined) throw fail(`a PEM block ${open.label} has no end`);
  return blocks;
}

/** Is this exactly one DER value of definite, minimal length? */
export function isOneDerValue(bytes: Uint8Array): boolean {
  const first = bytes[1];
  if (first === undefined || first === 0x80) return false;
  if (first < 0x80) return bytes.length === 2 + first;
  const count = first & 0x7f;
  if (count > 4 || bytes.length < 2 + count) return false;
  const length = Buffer.from(bytes.subarray(2, 2 + count)).readUIntBE(0, count);
  const isMinimal = length >= 0x80 && length >= 2 ** (8 * (count - 1));
  return isMinimal && bytes.length === 2 + count + length;
}
