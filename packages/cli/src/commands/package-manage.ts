/**
 * `althing package list|show|activate|deactivate|retry|rollback|versions|remove`.
 *
 * Invariant: the store is asked anew by every command; what destroys data says so and asks first.
 */
import { pages, type Install } from "@althing/contract";
import type { PackagesClient } from "@althing/client";
import { usageError, type Context } from "../context.ts";
import { trustWords } from "../ext/in-words.ts";
import { openPackages } from "../ext/open-packages.ts";
import { communityOption, parsePackage } from "../ext/parse-names.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { installDetails, installRow, installText } from "./package-text.ts";

interface Meant {
  readonly client: PackagesClient;
  readonly params: { readonly community: string; readonly install: string };
}

async function meant(context: Context, name: string | undefined): Promise<Meant> {
  const params = { community: communityOption(context), install: parsePackage(name) };
  return { client: await openPackages(context), params };
}

export async function list(context: Context): Promise<void> {
  const community = communityOption(context);
  const client = await openPackages(context);
  const installs: Install[] = [];
  const read = (from: { after?: Install["id"] }) => client.call("packages.list", { params: { community }, query: { limit: 200, ...from } });
  for await (const page of pages(read)) installs.push(...page.packages);
  context.output.result(installs, table(installs.map(installRow)));
  if (installs.length === 0) context.output.prose("nothing is installed: althing package install FILE");
}

export async function show(context: Context, [name]: readonly string[]): Promise<void> {
  const { client, params } = await meant(context, name);
  const install = await client.call("packages.get", { params });
  context.output.result(install, installDetails(install));
}

async function setActive(context: Context, name: string | undefined, active: boolean): Promise<void> {
  const { client, params } = await meant(context, name);
  const install = await client.call("packages.change", { params, body: { active } });
  context.output.result(install, installText(install));
}

export function activate(context: Context, [name]: readonly string[]): Promise<void> {
  return setActive(context, name, true);
}

export function deactivate(context: Context, [name]: readonly string[]): Promise<void> {
  return setActive(context, name, false);
}

export async function retry(context: Context, [name]: readonly string[]): Promise<void> {
  const { client, params } = await meant(context, name);
  const install = await client.call("packages.retry", { params, body: {} });
  context.output.result(install, installText(install));
}

export async function versions(context: Context, [name]: readonly string[]): Promise<void> {
  const { client, params } = await meant(context, name);
  const found = await client.call("packages.versions", { params });
  context.output.result(
    found.versions,
    table(found.versions.map((one) => [one.version, one.installedAt, trustWords(one.trust), one.contentHash])),
  );
}

export async function rollback(context: Context, [name, version]: readonly string[]): Promise<void> {
  const { client, params } = await meant(context, name);
  const [now, known] = await Promise.all([client.call("packages.get", { params }), client.call("packages.versions", { params })]);
  const others = known.versions.filter(({ contentHash }) => contentHash !== now.contentHash);
  const target = version === undefined ? others[0] : known.versions.find((one) => one.version === version);
  if (target === undefined)
    throw usageError(
      `${version ?? "no earlier version"} was installed here; it has had ${known.versions.map((one) => one.version).join(", ")}`,
    );
  await confirmOrStop(context, `Bring ${now.extension} back from ${now.version} to ${target.version}, with its settings of then?`);
  const install = await client.call("packages.rollback", { params, body: { contentHash: target.contentHash } });
  context.output.result(install, installText(install));
}

export async function remove(context: Context, [name]: readonly string[]): Promise<void> {
  const { keep, purge } = context.options;
  if ((keep === true) === (purge === true))
    throw usageError("say --keep (its data stays for a later install) or --purge (its data, secrets and logs go for good)");
  const data = purge === true ? "purge" : "keep";
  const { client, params } = await meant(context, name);
  const install = await client.call("packages.get", { params });
  await confirmOrStop(
    context,
    `Remove ${install.extension} ${install.version}${data === "purge" ? " with its data, secrets and logs, for good" : "; its data stays"}?`,
  );
  await client.call("packages.remove", { params, query: { data } });
  context.output.result({ install: install.id, extension: install.extension, data, removed: true }, `${install.extension} is removed`);
}
