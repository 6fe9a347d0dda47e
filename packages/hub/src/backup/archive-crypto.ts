/**
 * A backup under a passphrase or to recipients: the age format, so that the file opens with the `age` program too. One of an encrypted instance that
 * was given neither is under the at-rest key; `age` does not know that kind.
 *
 * Invariant: what age refuses is either the wrong key, said before the first byte, or damage, said where it is; a stream that was cut is refused
 * at its end, so that no reader takes a part for the whole.
 */
import { AppError, isAppError } from "@althing/contract";
import { Decrypter, Encrypter } from "age-encryption";
import { deriveAtRestKeys, parseAtRestKey } from "../at-rest/at-rest-keys.ts";
import { atRestIdentity, atRestRecipient, webStream } from "../at-rest/sealed-bytes.ts";

/** log2 of scrypt's N: 128 MiB and about half a second; the key of a whole instance is worth twice what an identity's is. */
const scryptWorkFactor = 17;
export const agePrefix = "age-encryption.org/v1\n";

export type Encryption = { readonly passphrase: string } | { readonly recipients: readonly string[] } | { readonly backupKey: Uint8Array };
export interface Unlock {
  readonly passphrase?: string | undefined;
  /** `AGE-SECRET-KEY-1…`, or an at-rest key as its file has it. */
  readonly identities?: readonly string[] | undefined;
}

/** @throws {cli.usage} a recipient is none */
export function createEncrypter(encryption: Encryption): Encrypter {
  const encrypter = new Encrypter();
  if ("passphrase" in encryption) {
    encrypter.setPassphrase(encryption.passphrase.normalize("NFC"));
    encrypter.setScryptWorkFactor(scryptWorkFactor);
    return encrypter;
  }
  if ("backupKey" in encryption) {
    encrypter.addRecipient(atRestRecipient(encryption.backupKey));
    return encrypter;
  }
  for (const recipient of encryption.recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      throw new AppError("cli.usage", { detail: `"${recipient.slice(0, 80)}" is no age recipient (age1…)` }, { cause });
    }
  }
  return encrypter;
}

export async function* encrypted(encrypter: Encrypter | undefined, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (encrypter === undefined) yield* bytes;
  else yield* await encrypter.encrypt(webStream(bytes));
}

/** @throws {backup.key} {backup.damaged} */
export async function* decrypted(path: string, unlock: Unlock, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decrypter = decrypterOf(path, unlock);
  let clear: ReadableStream<Uint8Array>;
  try {
    clear = await decrypter.decrypt(webStream(bytes));
  } catch (cause) {
    throw isAppError(cause) ? cause : new AppError("backup.key", { path, detail: "what was given does not open it" }, { cause });
  }
  try {
    yield* clear;
  } catch (cause) {
    throw isAppError(cause)
      ? cause
      : new AppError("backup.damaged", { path, part: "its encryption", detail: "it was changed or cut" }, { cause });
  }
}

function decrypterOf(path: string, { passphrase, identities = [] }: Unlock): Decrypter {
  if (passphrase === undefined && identities.length === 0)
    throw new AppError("backup.key", { path, detail: "neither passphrase nor key was given" });
  const decrypter = new Decrypter();
  if (passphrase !== undefined) decrypter.addPassphrase(passphrase.normalize("NFC"));
  for (const identity of identities) {
    try {
      const atRestKey = parseAtRestKey(identity);
      decrypter.addIdentity(atRestKey === undefined ? identity : atRestIdentity(deriveAtRestKeys(atRestKey).backup));
    } catch (cause) {
      throw new AppError("backup.key", { path, detail: "a line of the key file is no age identity" }, { cause });
    }
  }
  return decrypter;
}
