/**
 * What encrypts a backup, and what opens one: a passphrase, age recipients and identities, or the instance's at-rest key.
 *
 * Invariant: secrets come from private files or a terminal, never from arguments or the environment. Whether a file is encrypted and to what kind of key is read from
 * its first bytes, so that a person is asked only for what can open it.
 */
import { AppError } from "@althing/contract";
import { open, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { atRestKeyFile, listOption, textOption, usageError, type Context } from "../context.ts";
import { checkPrivateFile } from "../file-privacy.ts";
import { passphraseFor } from "../identity-files.ts";

export type Encryption = { readonly passphrase: string } | { readonly recipients: readonly string[] };
export interface Unlock {
  readonly passphrase?: string;
  readonly identities?: readonly string[];
}

const headerBytes = 16 * 1024;
const minPassphrase = 12;

/** From `--encrypt` and `--encrypt-to`. @throws {cli.usage} */
export async function encryptionFor(context: Context): Promise<Encryption | undefined> {
  const recipients = listOption(context.options, "encryptTo");
  const asks = context.options["encrypt"] === true;
  if (asks && recipients.length > 0) throw usageError("--encrypt takes a passphrase, --encrypt-to a recipient; give one of them");
  if (recipients.length > 0) return { recipients };
  if (!asks) return undefined;
  const passphrase = await passphraseFor(context, "passphrase for the backup", true);
  if (passphrase.length < minPassphrase) throw usageError(`a backup's passphrase has at least ${minPassphrase} characters`);
  return { passphrase };
}

async function readHeader(path: string): Promise<string> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw new AppError("backup.not_found", { path }, { cause });
  });
  try {
    const start = Buffer.alloc(headerBytes);
    const { bytesRead } = await file.read(start, 0, headerBytes, 0);
    return start.subarray(0, bytesRead).toString("latin1");
  } finally {
    await file.close();
  }
}

/** @throws {backup.not_found} {cli.usage} {identity.mode} */
export async function unlockFor(context: Context, path: string): Promise<Unlock> {
  const header = await readHeader(path);
  const keyFile = textOption(context.options, "keyFile");
  if (!header.startsWith("age-encryption.org/")) return {};
  if (keyFile !== undefined) return { identities: await readKeys(resolve(context.host.cwd, keyFile)) };
  const atRest = header.includes("\n-> althing.at-rest ") ? atRestKeyFile(context) : undefined;
  if (atRest !== undefined) return { identities: await readKeys(atRest) };
  if (header.includes("\n-> scrypt ")) return { passphrase: await passphraseFor(context, `passphrase of ${path}`) };
  return {};
}

/** Lines of an age key file; comments left out. */
async function readKeys(path: string): Promise<string[]> {
  try {
    checkPrivateFile(path);
    const lines = (await readFile(path, "utf8")).split("\n").map((line) => line.trim());
    return lines.filter((line) => line !== "" && !line.startsWith("#"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") throw usageError(`there is no key file ${path}`);
    throw error;
  }
}
