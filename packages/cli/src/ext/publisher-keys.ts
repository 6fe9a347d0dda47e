/**
 * Publisher keys of an author: made, read, used to sign.
 *
 * Invariant: a private key lies in a file of mode 0600 and goes nowhere else; the public half beside it is what an operator is given. A key is never
 * overwritten: who loses it loses the name of every package it signed.
 */
import { createPrivateKey, createPublicKey } from "node:crypto";
import { access, mkdir, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { textOption, usageError, type Context } from "../context.ts";
import { checkFolderOf, checkPrivateFile } from "../file-privacy.ts";
import { createPrivateFile } from "../identity-files.ts";
import type { BundleSigner } from "@althing/extension/trust";
import { readInputText } from "./read-input.ts";
import type { Packed } from "./project.ts";

const pemMaxBytes = 64 * 1024;

export interface Publisher {
  readonly publisherId: string;
  /** SubjectPublicKeyInfo PEM, for `althing trust add`. */
  readonly publicKeyPem: string;
  readonly signer: BundleSigner;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** A new key in `path`, and its public half in `path.pub`. @throws {cli.usage} one of the two exists {data.mode} */
export async function createPublisherKey(path: string): Promise<Publisher> {
  const publicPath = `${path}.pub`;
  for (const taken of [path, publicPath]) if (await isThere(taken)) throw usageError(`${taken} exists; a key is never overwritten`);
  const { newPublisherKey } = await import("@althing/extension/trust");
  const { privateKeyPem, publicKeyPem, publisherId } = newPublisherKey();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  checkFolderOf(path);
  await createPrivateFile(path, privateKeyPem);
  await writeFile(publicPath, publicKeyPem, { mode: 0o644, flag: "wx" });
  return { publisherId, publicKeyPem, signer: { privateKeyPem } };
}

/** @throws {cli.usage} {identity.mode} others may read it {trust.malformed} it is no key to sign with */
export async function readPublisher(context: Context, keyFile: string, chainFile?: string): Promise<Publisher> {
  const privateKeyPem = await readInputText(context, keyFile, pemMaxBytes);
  checkPrivateFile(resolve(context.host.cwd, keyFile));
  const chainPem = chainFile === undefined ? undefined : await readInputText(context, chainFile, pemMaxBytes);
  const signer: BundleSigner = { privateKeyPem, ...(chainPem === undefined ? {} : { chainPem }) };
  const { publisherIdOf } = await import("@althing/extension/trust");
  const publisherId = publisherIdOf(signer);
  const publicKeyPem = createPublicKey(createPrivateKey(privateKeyPem)).export({ format: "pem", type: "spki" }).toString();
  return { publisherId, publicKeyPem, signer };
}

/** From `--key` and `--chain`; `undefined` without the first. */
export async function publisherOption(context: Context): Promise<Publisher | undefined> {
  const [key, chain] = [textOption(context.options, "key"), textOption(context.options, "chain")];
  if (key !== undefined) return readPublisher(context, key, chain);
  if (chain !== undefined) throw usageError("--chain is of the key that --key names");
  return undefined;
}

/** The text of the signature file. @throws {trust.malformed} the manifest names another publisher */
export async function signPacked(
  { contentHash }: Packed,
  { name, version, publisher }: { readonly name: string; readonly version: string; readonly publisher: { readonly id: string } },
  by: Publisher,
): Promise<string> {
  const { signBundle } = await import("@althing/extension/trust");
  return signBundle({ contentHash, name, version, publisher: publisher.id }, by.signer);
}
