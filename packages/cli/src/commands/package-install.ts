/**
 * `althing package install|upgrade|consent`: how a package comes in, and who lets it.
 *
 * Invariant: nothing runs before somebody saw what it asks for and who signed it, and said yes (or gave --yes); consent names the bundle that was
 * shown, so that another one put there meanwhile is refused. Whoever says no leaves the package uploaded and powerless.
 */
import { hasCode, type Grants, type Install } from "@althing/contract";
import type { PackagesClient } from "@althing/client";
import { listOption, textOption, usageError, type Context } from "../context.ts";
import { askedWords } from "../ext/in-words.ts";
import { readBundleFile } from "../ext/bundle-file.ts";
import { openPackages } from "../ext/open-packages.ts";
import { communityOption, parsePackage } from "../ext/parse-names.ts";
import { confirmOrStop } from "../prompts.ts";
import { installText } from "./package-text.ts";

const isAddress = (source: string): boolean => /^(?:https?:\/\/|registry:)/.test(source);

function canAsk({ host, options }: Context): boolean {
  return options["yes"] === true || (host.stdin.isTTY === true && host.stderr.isTTY === true);
}

async function agreed(context: Context, question: string): Promise<boolean> {
  try {
    await confirmOrStop(context, question);
    return true;
  } catch (error) {
    if (hasCode(error, "cli.declined")) return false;
    throw error;
  }
}

/** Sends it; it does nothing yet. */
async function bringIn(context: Context, client: PackagesClient, source: string, mustBeThere: boolean): Promise<Install> {
  const community = communityOption(context);
  const requireThere = async (install: string) => {
    if (mustBeThere) await client.call("packages.get", { params: { community, install } });
  };
  if (isAddress(source)) {
    const [name, version] = [textOption(context.options, "name"), textOption(context.options, "at")];
    const known = name ?? (source.startsWith("registry:") ? source.slice("registry:".length) : undefined);
    if (known !== undefined) await requireThere(parsePackage(known));
    const body = { url: source, ...(name === undefined ? {} : { name }), ...(version === undefined ? {} : { version }) };
    return client.call("packages.installRegistry", { params: { community }, body });
  }
  const { bundle, signature, manifest } = await readBundleFile(context, source);
  await requireThere(manifest.name);
  context.output.prose(`sending ${manifest.name} ${manifest.version}; the instance checks and prepares it`);
  return client.upload(community, { bundle, ...(signature === undefined ? {} : { signature }) });
}

/** Consents to the bundle that was shown, and activates. */
async function grant(
  client: PackagesClient,
  shown: Install,
  options: { readonly activate: boolean; readonly only?: Partial<Grants> },
): Promise<Install> {
  const contentHash = shown.pending?.contentHash ?? shown.contentHash;
  const body = {
    consent: { contentHash, ...(options.only === undefined ? {} : { grant: options.only }) },
    ...(options.activate ? { active: true } : {}),
  };
  return client.call("packages.change", { params: { community: shown.community, install: shown.id }, body });
}

async function decide(context: Context, client: PackagesClient, shown: Install): Promise<void> {
  context.output.prose(askedWords(shown).join("\n"));
  const activate = context.options["activate"] !== false;
  const version = shown.pending?.version ?? shown.version;
  const isAgreed = activate && (await agreed(context, `Let ${shown.extension} ${version} do this in the community?`));
  const install = isAgreed ? await grant(client, shown, { activate: true }) : shown;
  if (!isAgreed) context.output.prose("it is uploaded and does nothing; althing package consent lets it, package remove takes it away");
  context.output.result(install, installText(install));
}

async function fromSource(context: Context, source: string, mustBeThere: boolean): Promise<void> {
  communityOption(context);
  if (context.options["activate"] !== false && !canAsk(context))
    throw usageError("there is no terminal to ask on: give --yes to grant what it asks for, or --no-activate to upload it only");
  const client = await openPackages(context);
  await decide(context, client, await bringIn(context, client, source, mustBeThere));
}

export function install(context: Context, [source = ""]: readonly string[]): Promise<void> {
  return fromSource(context, source, false);
}

export function upgrade(context: Context, [source = ""]: readonly string[]): Promise<void> {
  return fromSource(context, source, true);
}

/** What of `declared` the words name. @throws {cli.usage} a word that it does not ask for */
function onlyThese(declared: Grants, words: readonly string[]): Grants {
  const all = Object.values(declared).flat();
  const unknown = words.find((word) => !all.includes(word));
  if (unknown !== undefined) throw usageError(`it does not ask for "${unknown}"; it asks for ${all.join(", ") || "nothing"}`);
  const pick = (items: readonly string[]): string[] => items.filter((item) => words.includes(item));
  const { capabilities, egress, events, filters, jobs, publicEndpoints, uiHosts } = declared;
  return {
    capabilities: pick(capabilities),
    egress: pick(egress),
    events: pick(events),
    filters: pick(filters),
    jobs: pick(jobs),
    publicEndpoints: pick(publicEndpoints),
    uiHosts: pick(uiHosts),
  };
}

export async function consent(context: Context, [name]: readonly string[]): Promise<void> {
  const [community, wanted] = [communityOption(context), parsePackage(name)];
  const client = await openPackages(context);
  const shown = await client.call("packages.get", { params: { community, install: wanted } });
  const words = listOption(context.options, "only");
  if (words.length > 0 && shown.pending !== undefined)
    throw usageError("--only is for a package's first consent; an upgrade is taken as it is, or not");
  const only = words.length === 0 ? undefined : onlyThese(shown.declared, words);
  context.output.prose(askedWords(shown).join("\n"));
  await confirmOrStop(context, only === undefined ? "Grant all of this?" : `Grant only ${words.join(", ")}?`);
  const activate = context.options["activate"] !== false;
  const granted = await grant(client, shown, { activate, ...(only === undefined ? {} : { only }) });
  context.output.result(granted, installText(granted));
}
