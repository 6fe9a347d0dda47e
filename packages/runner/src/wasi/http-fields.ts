/**
 * `fields` of `wasi:http/types`: header names and values.
 *
 * Invariant: what is in fields can be written to a header line (names are tokens, values have no line break and no NUL), and there is little
 * of it: at most 256 entries and 64 KiB. Framing and hop-by-hop names are not the guest's to set.
 */
import { boundClass, type GuestFace, HostResource, WitError } from "./guest-face.ts";

export type FieldEntry = readonly [name: string, value: Uint8Array];

const entriesMax = 256;
const bytesMax = 65_536;
const entryUnits = 200;

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/;
const forbidden = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "transfer-encoding"],
  ...["upgrade", "host", "http2-settings"],
]);

export const isToken = (text: string): boolean => token.test(text);
/** Names that are of one connection, not of a message. */
export const isForbidden = (name: string): boolean => forbidden.has(name.toLowerCase());

/** Header values are bytes; as text, each byte is a character. */
export const textOfBytes = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");

/** The bytes of a header value given as text: one per character where that fits, else UTF-8. */
export function bytesOfText(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, /^[\0-\xff]*$/.test(text) ? "latin1" : "utf8"));
}

function checkName(name: string): void {
  if (!isToken(name)) throw new WitError({ tag: "invalid-syntax" });
  if (isForbidden(name)) throw new WitError({ tag: "forbidden" });
}

function checkValue(value: Uint8Array): void {
  if (value.includes(0) || value.includes(10) || value.includes(13)) throw new WitError({ tag: "invalid-syntax" });
}

const sizeOf = (entries: readonly FieldEntry[]): number => entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0);

export class Fields extends HostResource {
  #entries: readonly FieldEntry[];
  readonly #isMutable: boolean;

  /** @param entries well-formed */
  constructor(face: GuestFace, entries: readonly FieldEntry[] = [], isMutable = true) {
    super(face);
    face.charge(sizeOf(entries));
    this.#entries = entries;
    this.#isMutable = isMutable;
  }

  /** Not of WASI. */
  all(): readonly FieldEntry[] {
    return this.#entries;
  }

  get(name: string): Uint8Array[] {
    return this.#named(name).map(([, value]) => value);
  }
  has(name: string): boolean {
    return this.#named(name).length > 0;
  }
  set(name: string, values: readonly Uint8Array[]): void {
    this.#change(name, values, this.#without(name));
  }
  delete(name: string): void {
    this.#change(name, [], this.#without(name));
  }
  append(name: string, value: Uint8Array): void {
    this.#change(name, [value], this.#entries);
  }
  entries(): FieldEntry[] {
    this.face.work(entryUnits * this.#entries.length);
    return [...this.#entries];
  }
  clone(): Fields {
    return new Fields(this.face, this.#entries);
  }

  #named(name: string): readonly FieldEntry[] {
    const wanted = name.toLowerCase();
    return this.#entries.filter(([given]) => given.toLowerCase() === wanted);
  }

  #without(name: string): readonly FieldEntry[] {
    const unwanted = name.toLowerCase();
    return this.#entries.filter(([given]) => given.toLowerCase() !== unwanted);
  }

  #change(name: string, values: readonly Uint8Array[], others: readonly FieldEntry[]): void {
    if (!this.#isMutable) throw new WitError({ tag: "immutable" });
    const added = values.map((value): FieldEntry => [name, value]);
    checkName(name);
    checkEntries(this.face, added);
    const entries = [...others, ...added];
    checkSize(entries);
    this.#entries = entries;
  }
}

/** There is no error case for too much; a name that is not taken comes nearest. */
function checkSize(entries: readonly FieldEntry[]): void {
  if (entries.length > entriesMax || sizeOf(entries) > bytesMax) throw new WitError({ tag: "forbidden" });
}

function checkEntries(face: GuestFace, entries: readonly FieldEntry[]): void {
  checkSize(entries);
  face.work(entryUnits * entries.length);
  for (const [name, value] of entries) {
    checkName(name);
    checkValue(value);
  }
}

/** `Fields` for the glue. */
export function fieldsClass(face: GuestFace): unknown {
  return boundClass(Fields, () => new Fields(face), {
    fromList(entries: readonly FieldEntry[]) {
      checkEntries(face, entries);
      return new Fields(face, entries);
    },
  });
}
