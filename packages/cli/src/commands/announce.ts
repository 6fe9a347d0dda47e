/**
 * `althing announce …`: what is pinned in a community.
 *
 * Invariant: texts are shown as text; what could steer a terminal is made visible.
 */
import type { Announcement } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import type { Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeText } from "../terminal-text.ts";
import { communityOption } from "../ext/parse-names.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);
const where = ["--community <name>", "the community, by name or id"] as const;

export function addAnnounce(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "announce",
    summary: "announcements pinned to a community",
    examples: ['althing announce post "Meeting on Friday" --community garden --as alice.id'],
  });
  addCommand(host, group, {
    use: "list",
    summary: "what is pinned, newest first",
    examples: ["althing announce list --community garden --as bob.id"],
    action: list,
  }).requiredOption(...where);
  addCommand(host, group, {
    use: "post <text>",
    summary: "pin an announcement",
    examples: ['althing announce post "Meeting on Friday" --community garden --as alice.id'],
    action: post,
  }).requiredOption(...where);
  addCommand(host, group, {
    use: "edit <announcement> <text>",
    summary: "change an announcement's text",
    examples: ['althing announce edit 01J… "Meeting on Saturday" --community garden --as alice.id'],
    action: edit,
  }).requiredOption(...where);
  addCommand(host, group, {
    use: "remove <announcement>",
    summary: "take an announcement down",
    examples: ["althing announce remove 01J… --community garden --as alice.id"],
    action: remove,
  }).requiredOption(...where);
}

const textOf = ({ id, kind, at, text }: Announcement): string => `${id}  ${at}${kind === "digest" ? "  digest" : ""}\n${safeText(text)}`;

async function list(context: Context): Promise<void> {
  const community = communityOption(context);
  const { announcements } = await (await opened(context)).call("announcements.list", { params: { community }, query: { limit: 200 } });
  context.output.result(announcements, announcements.map(textOf).join("\n\n"));
  if (announcements.length === 0) context.output.prose("nothing is pinned: althing announce post TEXT pins something");
}

async function post(context: Context, [text = ""]: readonly string[]): Promise<void> {
  const community = communityOption(context);
  const made = await (await opened(context)).call("announcements.post", { params: { community }, body: { text } });
  context.output.result(made, textOf(made));
}

async function edit(context: Context, [announcement = "", text = ""]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), announcement };
  const changed = await (await opened(context)).call("announcements.change", { params, body: { text } });
  context.output.result(changed, textOf(changed));
}

async function remove(context: Context, [announcement = ""]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), announcement };
  await confirmOrStop(context, "Take the announcement down?");
  await (await opened(context)).call("announcements.remove", { params });
  context.output.result({ removed: announcement }, "it is taken down");
}
