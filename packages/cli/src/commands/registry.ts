/**
 * `althing registry …`: packages that this instance offers.
 *
 * Invariant: a published version never changes; what can change is what is said of it (deprecated, yanked), with a reason that everybody sees.
 */
import { pages, type PackageVersion } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { textOption, usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { parseExtension } from "../ext/parse-names.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);

export function addRegistry(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "registry",
    summary: "packages that this instance offers",
    examples: ["althing registry list --as alice.id", "althing registry show org.example.hello --as alice.id"],
  });
  addCommand(host, group, {
    use: "list",
    summary: "packages by name",
    examples: ["althing registry list --as alice.id", "althing registry list --search hello --as alice.id"],
    action: list,
  }).option("--search <text>", "in names and descriptions");
  addCommand(host, group, {
    use: "show <name>",
    summary: "all versions of a package, newest first",
    examples: ["althing registry show org.example.hello --as alice.id"],
    action: show,
  });
  addCommand(host, group, {
    use: "rebind <name>",
    summary: "consent that a package's name goes to another signer (admins of the instance)",
    examples: ["althing registry rebind org.example.hello --signer ed25519:… --as alice.id"],
    action: rebind,
  })
    .option("--signer <id>", "the new signer, as the refusal names it")
    .option("--publisher <id>", "the publisher's id (default: the signer's)");
  for (const verb of ["deprecate", "yank"] as const) {
    addCommand(host, group, {
      use: `${verb} <name> <version> <reason...>`,
      summary:
        verb === "yank" ? "a version may not be installed any more; what is installed runs on" : "a version should not be used any more",
      examples: [
        `althing registry ${verb} org.example.hello 1.0.0 "loses data" --as alice.id`,
        `althing registry ${verb} org.example.hello 1.0.0 "it was a mistake" --undo --as alice.id`,
      ],
      action: (context, args) => mark(context, args, verb),
    }).option("--undo", "take it back");
  }
}

async function rebind(context: Context, [name]: readonly string[]): Promise<void> {
  const [signer, publisherId] = [textOption(context.options, "signer"), textOption(context.options, "publisher")];
  if (signer === undefined) throw usageError("--signer is needed: the id that the refusal names");
  const extension = parseExtension(name);
  await confirmOrStop(
    context,
    `Give the name ${extension} to ${safeLine(signer)}? Its packages will count as updates of those installed now.`,
  );
  const client = await opened(context);
  await client.call("registry.rebind", { params: { name: extension }, body: { signer, publisherId: publisherId ?? signer } });
  context.output.result({ name: extension, signer }, `${extension} belongs to ${safeLine(signer)} now`);
}

function stateOf({ yanked, deprecated }: PackageVersion): string {
  if (yanked !== undefined) return `yanked: ${safeLine(yanked)}`;
  return deprecated === undefined ? "" : `deprecated: ${safeLine(deprecated)}`;
}

function signedBy({ trust }: PackageVersion): string {
  return trust.verified ? `signed by ${safeLine(trust.signer?.publisherId ?? "?")}` : "NOT VERIFIED";
}

async function list(context: Context): Promise<void> {
  const search = textOption(context.options, "search");
  const client = await opened(context);
  const found = [];
  const read = (from: { after?: string }) =>
    client.call("registry.list", { query: { limit: 200, ...(search === undefined ? {} : { search }), ...from } });
  for await (const page of pages(read)) found.push(...page.packages);
  const rows = found.map(({ name, latest, versions }) => [
    name,
    latest.version,
    `${versions} versions`,
    signedBy(latest),
    stateOf(latest),
    safeLine(latest.displayName),
  ]);
  context.output.result(found, table(rows));
  if (found.length === 0) context.output.prose("nothing is published here yet: althing ext publish");
}

async function show(context: Context, [name]: readonly string[]): Promise<void> {
  const parsed = parseExtension(name);
  const client = await opened(context);
  const { versions } = await client.call("registry.get", { params: { name: parsed } });
  context.output.result(
    versions,
    table(versions.map((one) => [one.version, one.publishedAt, `${one.bytes} bytes`, signedBy(one), stateOf(one), one.contentHash])),
  );
}

async function mark(context: Context, [name, version = "", ...words]: readonly string[], verb: "deprecate" | "yank"): Promise<void> {
  const parsed = parseExtension(name);
  const reason = words.join(" ").trim();
  if (reason === "" || reason.length > 300) throw usageError("the reason has 1–300 characters");
  const undo = context.options["undo"] === true;
  const client = await opened(context);
  if (verb === "yank" && !undo) await confirmOrStop(context, `Yank ${parsed} ${version}? Nobody can install it any more.`);
  const marked = await client.call(`registry.${verb}`, { params: { name: parsed, version }, body: { reason, undo } });
  context.output.result(marked, `${marked.name} ${marked.version} ${stateOf(marked) || "is as before"}`);
}
