/**
 * `althing trust …`: whom the instance trusts to sign packages.
 *
 * Invariant: what is taken away holds for the next call, everywhere; so it asks first. Anchors of the operator's file are shown and left alone.
 */
import type { RouteResponse } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { readInputText } from "../ext/read-input.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);
const pemMaxBytes = 48 * 1024;

export function addTrust(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "trust",
    summary: "whom the instance trusts to sign packages (admins)",
    examples: ["althing trust add publisher.key.pub --as alice.id", "althing trust list --as alice.id"],
  });
  addCommand(host, group, {
    use: "list",
    summary: "trusted publishers, authorities and revocation lists",
    examples: ["althing trust list --as alice.id"],
    action: list,
  });
  addCommand(host, group, {
    use: "add <file>",
    summary: "trust a publisher's public key or an authority's certificate (PEM)",
    examples: ["althing trust add publisher.key.pub --as alice.id", "althing trust add authority.pem --as alice.id"],
    action: add,
  });
  addCommand(host, group, {
    use: "remove <id>",
    summary: "trust it no longer, from the next call on",
    examples: ["althing trust remove ed25519:8f3c… --as alice.id"],
    action: remove,
  });
  addCommand(host, group, {
    use: "revoke <file>",
    summary: "add an authority's revocation list (X509 CRL, PEM)",
    examples: ["althing trust revoke authority.crl --as alice.id"],
    action: revoke,
  });
}

type Anchor = RouteResponse<"trust.list">["anchors"][number];

function anchorRow({ id, kind, subject, notAfter, source }: Anchor): string[] {
  return [
    kind,
    safeLine(subject),
    notAfter === undefined ? "no end" : `until ${notAfter}`,
    source === "file" ? "from the configured file" : "added here",
    id,
  ];
}

async function list(context: Context): Promise<void> {
  const client = await opened(context);
  const found = await client.call("trust.list");
  const lists = found.revocationLists.map(({ id, issuer, nextUpdate }) => [
    "revocation list",
    safeLine(issuer),
    `next ${nextUpdate ?? "never"}`,
    "",
    id,
  ]);
  context.output.result(found, table([...found.anchors.map(anchorRow), ...lists]));
  if (found.anchors.length === 0) context.output.prose("nobody is trusted: althing trust add FILE trusts a publisher");
}

async function add(context: Context, [file]: readonly string[]): Promise<void> {
  const pem = await readInputText(context, file, pemMaxBytes);
  const client = await opened(context);
  const before = await client.call("trust.list");
  const { anchors } = await client.call("trust.add", { body: { pem } });
  const known = new Set(before.anchors.map(({ id }) => id));
  const added = anchors.filter(({ id }) => !known.has(id));
  context.output.result({ added, anchors }, table(added.map(anchorRow)));
  if (added.length === 0) context.output.prose("nothing new: all of it was trusted already, or it holds revocation lists only");
}

async function remove(context: Context, [id = ""]: readonly string[]): Promise<void> {
  const client = await opened(context);
  await confirmOrStop(context, `Trust ${id} no longer? Packages that it signed stop at their next call, in every community.`);
  await client.call("trust.remove", { params: { id } });
  context.output.result({ id, removed: true }, `${safeLine(id)} is no longer trusted`);
}

async function revoke(context: Context, [file]: readonly string[]): Promise<void> {
  const pem = await readInputText(context, file, pemMaxBytes);
  if (!pem.includes("-----BEGIN X509 CRL-----"))
    throw usageError(`${file ?? ""} holds no revocation list (X509 CRL); a key is taken away with trust remove`);
  const client = await opened(context);
  await confirmOrStop(context, "Keep revocation lists? From then on every certificate must be covered by a current one.");
  await client.call("trust.add", { body: { pem } });
  const { revocationLists } = await client.call("trust.list");
  context.output.result(
    { revocationLists },
    table(revocationLists.map(({ id, issuer, nextUpdate }) => [safeLine(issuer), `next ${nextUpdate ?? "never"}`, id])),
  );
}
