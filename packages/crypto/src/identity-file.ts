/**
 * The text of an identity file: versioned JSON that holds the recovery phrase, in clear or under a passphrase (age, scrypt).
 *
 * Invariant: a file that was damaged, cut or edited is `identity.corrupt`, never another identity: a checksum covers all fields and the
 * phrase must give the public key written beside it. The checksum comes first, so that what fails after it is the passphrase.
 * Reading and writing files, their modes and their replacement belong to the caller.
 */
import { AppError, type SignPub } from "@althing/contract";
import { sha256, toHex, utf8 } from "./bytes.ts";
import { identityFromPhrase } from "./identity.ts";
import { checkRecoveryPhrase, normalizeRecoveryPhrase } from "./recovery-phrase.ts";

const format = "althing-identity";
const version = 1;
const maxChars = 16 * 1024;
/** log2 of scrypt's N: 64 MiB and about 0.6 s; a guesser pays the same for each word tried. */
const scryptWorkFactor = 16;

interface Protection {
  readonly passphrase?: string;
}

interface IdentityFile {
  readonly signPub: string;
  readonly secret: { readonly kind: "phrase" | "age"; readonly text: string };
}

async function checksum(file: IdentityFile): Promise<string> {
  return toHex(await sha256(utf8(JSON.stringify([format, version, file.signPub, file.secret.kind, file.secret.text]))));
}

/**
 * @param options.passphrase protect the phrase with it
 * @throws {identity.phrase}
 */
export async function encodeIdentityFile(phrase: string, options: Protection = {}): Promise<string> {
  checkRecoveryPhrase(phrase);
  const text = normalizeRecoveryPhrase(phrase);
  const { signPub } = await identityFromPhrase(text);
  const secret =
    options.passphrase === undefined
      ? ({ kind: "phrase", text } as const)
      : ({ kind: "age", text: await protect(text, options.passphrase) } as const);
  const check = await checksum({ signPub, secret });
  return `${JSON.stringify({ format, version, signPub, [secret.kind]: secret.text, check }, null, 2)}\n`;
}

/** Only when a passphrase is used: servers, which never see one, would hold its ten megabytes for nothing. */
const loadAge = () => import("age-encryption");

async function protect(text: string, passphrase: string): Promise<string> {
  const { armor, Encrypter } = await loadAge();
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase.normalize("NFC"));
  encrypter.setScryptWorkFactor(scryptWorkFactor);
  return armor.encode(await encrypter.encrypt(text));
}

function parse(text: string, path: string): IdentityFile & { readonly check: string } {
  const corrupt = (detail: string) => new AppError("identity.corrupt", { path, detail });
  if (text.length > maxChars) throw corrupt("it is too long");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw corrupt("it is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw corrupt("it is not a JSON object");
  const fields = value as Record<string, unknown>;
  if (fields["format"] !== format) throw corrupt("it has another format");
  if (fields["version"] !== version)
    throw corrupt(`it has version ${JSON.stringify(fields["version"]) ?? "none"}, this program knows ${version}`);
  const kind = Object.hasOwn(fields, "age") ? "age" : "phrase";
  const known = ["format", "version", "signPub", kind, "check"];
  if (Object.keys(fields).some((name) => !known.includes(name))) throw corrupt("it has an unknown field");
  const { signPub, [kind]: secret, check } = fields;
  if (typeof signPub !== "string" || typeof secret !== "string" || typeof check !== "string") throw corrupt("a field is missing");
  return { signPub, secret: { kind, text: secret }, check };
}

/** Does the file need a passphrase? @throws {identity.corrupt} */
export function isProtected(text: string, path = "identity file"): boolean {
  return parse(text, path).secret.kind === "age";
}

async function unprotect(armored: string, path: string, passphrase: string | undefined): Promise<string> {
  if (passphrase === undefined) throw new AppError("identity.passphrase", { path });
  const { armor, Decrypter } = await loadAge();
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase.normalize("NFC"));
  try {
    return await decrypter.decrypt(armor.decode(armored), "text");
  } catch {
    throw new AppError("identity.passphrase", { path });
  }
}

/**
 * @param path only named in errors
 * @throws {identity.corrupt} {identity.passphrase} wrong, or needed and missing
 */
export async function decodeIdentityFile(
  text: string,
  path: string,
  options: Protection = {},
): Promise<{ phrase: string; signPub: SignPub }> {
  const file = parse(text, path);
  if ((await checksum(file)) !== file.check) throw new AppError("identity.corrupt", { path, detail: "its checksum does not fit" });
  const phrase = file.secret.kind === "phrase" ? file.secret.text : await unprotect(file.secret.text, path, options.passphrase);
  try {
    const { signPub } = await identityFromPhrase(phrase);
    if (signPub === file.signPub) return { phrase: normalizeRecoveryPhrase(phrase), signPub };
  } catch (cause) {
    throw new AppError("identity.corrupt", { path, detail: "it holds no recovery phrase" }, { cause });
  }
  throw new AppError("identity.corrupt", { path, detail: "its phrase belongs to another identity" });
}
