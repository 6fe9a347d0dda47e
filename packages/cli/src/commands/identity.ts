/**
 * `althing identity …`: key files and their recovery phrase.
 *
 * Invariant: the phrase is shown once at creation, on stderr, so that a redirected stdout never catches it; after that only `backup` shows it, asked
 * for on purpose. No command overwrites an identity.
 */
import type { Command } from "commander";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { text as readStream } from "node:stream/consumers";
import { addCommand } from "../command.ts";
import { textOption, usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { askSecret, confirmOrStop } from "../prompts.ts";

const files = () => import("../identity-files.ts");
const keys = () => import("@althing/crypto");

export function addIdentity(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "identity",
    summary: "key files",
    examples: ["althing identity new alice.id", "althing identity show alice.id"],
  });
  addCommand(host, group, {
    use: "new <file>",
    summary: "make an identity; shows its recovery phrase once",
    examples: [
      "althing identity new alice.id",
      "althing identity new alice.id --protect",
      "althing identity new bot.id --passphrase-file bot.pass",
    ],
    action: create,
  }).option("--protect", "ask for a passphrase");
  addCommand(host, group, {
    use: "show <file>",
    summary: "public parts of an identity",
    examples: ["althing identity show alice.id"],
    action: show,
  });
  addCommand(host, group, {
    use: "protect <file>",
    summary: "set, change or remove the passphrase",
    examples: [
      "althing identity protect alice.id",
      "althing identity protect bot.id --new-passphrase-file bot.pass",
      "althing identity protect alice.id --remove",
    ],
    action: protect,
  })
    .option("--new-passphrase-file <file>", "the new passphrase: first line of a file with mode 0600")
    .option("--remove", "store the key without a passphrase");
  addCommand(host, group, {
    use: "backup <file>",
    summary: "show the recovery phrase, or copy the key file",
    examples: ["althing identity backup alice.id", "althing identity backup alice.id --to /media/stick/alice.id"],
    action: backup,
  }).option("--to <file>", "write a copy of the key file instead");
  addCommand(host, group, {
    use: "restore <file>",
    summary: "make the key file anew from the recovery phrase",
    examples: ["althing identity restore alice.id", "althing identity restore alice.id --phrase-file phrase.txt"],
    action: restore,
  }).option("--phrase-file <file>", "the phrase: first line of a file with mode 0600, or - for stdin");
}

function pathOf(context: Context, file: string | undefined): string {
  if (file === undefined || file === "") throw usageError("a file name is missing");
  return resolve(context.host.cwd, file);
}

function publicView(identity: { endpoint: string; signPub: string; kexPub: string }, path: string, isProtected: boolean) {
  return { path, endpoint: identity.endpoint, signPub: identity.signPub, kexPub: identity.kexPub, protected: isProtected };
}

function publicText(view: ReturnType<typeof publicView>): string {
  return table([
    ["endpoint", view.endpoint],
    ["sign-pub", view.signPub],
    ["kex-pub", view.kexPub],
    ["protected", view.protected ? "with a passphrase" : "by file mode only"],
  ]);
}

async function newPassphrase(context: Context, path: string): Promise<string | undefined> {
  const wanted = textOption(context.options, "passphraseFile") !== undefined || context.options["protect"] === true;
  if (!wanted) return undefined;
  return (await files()).passphraseFor(context, `new passphrase for ${path}`, true);
}

async function create(context: Context, [file]: readonly string[]): Promise<void> {
  const path = pathOf(context, file);
  const { newRecoveryPhrase, identityFromPhrase } = await keys();
  const passphrase = await newPassphrase(context, path);
  const phrase = newRecoveryPhrase();
  const identity = await identityFromPhrase(phrase);
  await (await files()).createIdentityFile(path, phrase, passphrase);
  context.output.prose(`${path} is made.\n\nRecovery phrase, shown once. Write it down; whoever has it is you:\n\n  ${phrase}\n`);
  const view = publicView(identity, path, passphrase !== undefined);
  context.output.result(view, publicText(view));
}

async function show(context: Context, [file]: readonly string[]): Promise<void> {
  const loaded = await (await files()).loadIdentityAt(context, pathOf(context, file));
  const view = publicView(loaded.identity, loaded.path, loaded.protected);
  context.output.result(view, publicText(view));
}

async function protect(context: Context, [file]: readonly string[]): Promise<void> {
  const { loadIdentityAt, readSecretFile, replaceIdentityFile } = await files();
  const loaded = await loadIdentityAt(context, pathOf(context, file));
  const remove = context.options["remove"] === true;
  const fresh = textOption(context.options, "newPassphraseFile");
  if (remove && fresh !== undefined) throw usageError("--remove and --new-passphrase-file exclude each other");
  if (remove) await confirmOrStop(context, `Store the key in ${loaded.path} without a passphrase?`);
  const { askPassphrase } = await import("../prompts.ts");
  const passphrase = remove
    ? undefined
    : fresh === undefined
      ? await askPassphrase(context, "new passphrase", true)
      : await readSecretFile(context, fresh, "passphrase");
  await replaceIdentityFile(loaded.path, loaded.phrase, passphrase);
  const view = publicView(loaded.identity, loaded.path, passphrase !== undefined);
  context.output.result(view, publicText(view));
}

async function backup(context: Context, [file]: readonly string[]): Promise<void> {
  const { createPrivateFile, loadIdentityAt } = await files();
  const path = pathOf(context, file);
  const loaded = await loadIdentityAt(context, path);
  const to = textOption(context.options, "to");
  if (to !== undefined) {
    const copy = resolve(context.host.cwd, to);
    await createPrivateFile(copy, await readFile(path, "utf8"));
    context.output.result({ path, copy, endpoint: loaded.identity.endpoint }, `copied to ${copy}`);
    return;
  }
  await confirmOrStop(context, "Show the recovery phrase? Whoever sees it can be you.");
  context.output.result({ path, endpoint: loaded.identity.endpoint, phrase: loaded.phrase }, loaded.phrase);
}

async function readPhrase(context: Context): Promise<string> {
  const source = textOption(context.options, "phraseFile");
  if (source === "-") return (await readStream(context.host.stdin)).trim();
  if (source !== undefined) return (await files()).readSecretFile(context, source, "recovery phrase");
  return askSecret(context, "recovery phrase (12 words)", "--phrase-file FILE");
}

async function restore(context: Context, [file]: readonly string[]): Promise<void> {
  const path = pathOf(context, file);
  const { checkRecoveryPhrase, identityFromPhrase } = await keys();
  const phrase = (await readPhrase(context)).trim().toLowerCase().split(/\s+/).join(" ");
  checkRecoveryPhrase(phrase);
  const passphrase =
    textOption(context.options, "passphraseFile") === undefined ? undefined : await (await files()).passphraseFor(context, "passphrase");
  const identity = await identityFromPhrase(phrase);
  await (await files()).createIdentityFile(path, phrase, passphrase);
  const view = publicView(identity, path, passphrase !== undefined);
  context.output.result(view, publicText(view));
}
