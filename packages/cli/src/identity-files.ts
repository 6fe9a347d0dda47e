/**
 * Key files on disk: made, read, replaced. The format itself is `@althing/crypto`'s.
 *
 * Invariant: an identity is never overwritten and never left half written (temp + fsync + link or rename); a file that cannot be read is left as it is
 * and named; passphrases come from a terminal or a private file, never from arguments or the environment, which other processes can see.
 */
import { AppError } from "@althing/contract";
import { decodeIdentityFile, encodeIdentityFile, identityFromPhrase, isProtected, type Identity } from "@althing/crypto";
import { randomUUID } from "node:crypto";
import { linkSync } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { identityPath, textOption, usageError, type Context } from "./context.ts";
import { checkFolderOf, checkPrivateFile } from "./file-privacy.ts";
import { askPassphrase } from "./prompts.ts";

const maxFileBytes = 64 * 1024;

export interface LoadedIdentity {
  readonly path: string;
  readonly phrase: string;
  readonly protected: boolean;
  readonly identity: Identity;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

async function readText(path: string): Promise<string> {
  try {
    checkPrivateFile(path);
    checkFolderOf(path);
    const handle = await open(path, "r");
    try {
      const { size } = await handle.stat();
      if (size > maxFileBytes) throw new AppError("identity.corrupt", { path, detail: `it has more than ${maxFileBytes} bytes` });
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") throw new AppError("identity.not_found", { path });
    if (codeOf(error) === "EISDIR") throw new AppError("identity.corrupt", { path, detail: "it is a folder" });
    if (codeOf(error) === "EACCES") throw new AppError("identity.corrupt", { path, detail: "it cannot be read by this user" });
    throw error;
  }
}

/** A secret from a private file: its first line. @throws {identity.mode} {cli.usage} */
export async function readSecretFile(context: Context, file: string, what: string): Promise<string> {
  const path = resolve(context.host.cwd, file);
  try {
    checkPrivateFile(path);
    const secret = (await readFile(path, "utf8")).split("\n")[0]?.replace(/\r$/, "") ?? "";
    if (secret === "") throw usageError(`${path} holds no ${what} in its first line`);
    return secret;
  } catch (error) {
    if (codeOf(error) === "ENOENT") throw usageError(`there is no ${what} file ${path}`);
    throw error;
  }
}

/** From --passphrase-file, else asked for on the terminal. */
export async function passphraseFor(context: Context, question: string, confirm = false): Promise<string> {
  const file = textOption(context.options, "passphraseFile");
  if (file !== undefined) return readSecretFile(context, file, "passphrase");
  return askPassphrase(context, question, confirm);
}

/** @throws {identity.not_found} {identity.mode} {identity.corrupt} {identity.passphrase} */
export async function loadIdentityAt(context: Context, path: string): Promise<LoadedIdentity> {
  const text = await readText(path);
  const sealed = isProtected(text);
  const options = sealed ? { passphrase: await passphraseFor(context, `passphrase of ${path}`) } : {};
  const { phrase } = await decodeIdentityFile(text, path, options);
  return { path, phrase, protected: sealed, identity: await identityFromPhrase(phrase) };
}

export function loadIdentity(context: Context): Promise<LoadedIdentity> {
  return loadIdentityAt(context, identityPath(context));
}

async function writeDraft(path: string, text: string): Promise<string> {
  // A fresh name, and nothing may be there: in a shared folder somebody else could have laid a link or an open file in wait for the phrase.
  const draft = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  const handle = await open(draft, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return draft;
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(dirname(path), "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A new file; a missing folder is made private. @throws {identity.exists} {data.mode} */
export async function createIdentityFile(path: string, phrase: string, passphrase: string | undefined): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  checkFolderOf(path);
  await createPrivateFile(path, await encodeIdentityFile(phrase, passphrase === undefined ? {} : { passphrase }));
}

/** Written in full or not at all; what is there stays. @throws {identity.exists} */
export async function createPrivateFile(path: string, text: string): Promise<void> {
  const draft = await writeDraft(path, text);
  try {
    // A link, unlike a rename, fails when the name is taken.
    linkSync(draft, path);
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw new AppError("identity.exists", { path });
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(path);
}

/** The same identity under another passphrase, or none. The old content stays until the new one is safe. */
export async function replaceIdentityFile(path: string, phrase: string, passphrase: string | undefined): Promise<void> {
  const draft = await writeDraft(path, await encodeIdentityFile(phrase, passphrase === undefined ? {} : { passphrase }));
  await rename(draft, path);
  await syncFolder(path);
}
