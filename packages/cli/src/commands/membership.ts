/**
 * `althing bootstrap`, `invite`, `join`: how an identity becomes a user.
 *
 * Invariant: the first admin is made through the data folder (its 0600 socket, or the hub's one-shot mode when none runs), never through the
 * network; everybody after that comes with a single-use invitation, whose token travels in a signed body.
 */
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { atRestKeyFile, dataFolder, targetUrls, textOption, usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { parseHandle, parseToken } from "../input.ts";
import { invitationFlags, inviteTo } from "./community-joining.ts";
import { addSettingOptions } from "./up.ts";

export function addMembership(host: CliHost, program: Command): void {
  const first = addCommand(host, program, {
    use: "bootstrap",
    summary: "make this identity admin number 0 of the local instance, running or not",
    examples: ["althing bootstrap --as alice.id --handle alice"],
    action: bootstrap,
  }).requiredOption("--handle <name>", "name on this instance; unique for ever");
  addSettingOptions(first, ["at_rest_key_file"]);
  addCommand(host, program, {
    use: "invite",
    summary: "make a single-use invitation to the instance, or with --community one to a community",
    examples: [
      "althing invite --as alice.id",
      'althing join "$(althing invite --as alice.id)" --as bob.id --handle bob',
      "althing invite --community garden --uses 20 --as alice.id",
    ],
    action: invite,
  })
    .option("--community <community>", "for users of the instance, as `althing community invite` makes it")
    .option(...invitationFlags.role)
    .option(...invitationFlags.uses)
    .option(...invitationFlags.hours);
  addCommand(host, program, {
    use: "join <token>",
    summary: "join an instance with an invitation",
    examples: ["althing join TOKEN --as bob.id --handle bob", "althing join TOKEN --as bob.id --handle bob --url https://althing.example"],
    action: join,
  }).requiredOption("--handle <name>", "name on this instance; unique for ever");
}

async function bootstrap(context: Context): Promise<void> {
  const handle = parseHandle(textOption(context.options, "handle"));
  const { loadIdentity } = await import("../identity-files.ts");
  const { bootstrapInstance } = await import("../bootstrap.ts");
  const { identity } = await loadIdentity(context);
  const data = dataFolder(context);
  const body = { handle, keys: identity.card, signPub: identity.signPub };
  const user = await bootstrapInstance({ data, env: context.host.env, atRestKeyFile: atRestKeyFile(context), body });
  context.output.result(user, `${user.handle} is admin of the instance in ${data}`);
}

async function invite(context: Context): Promise<void> {
  const community = textOption(context.options, "community");
  if (community !== undefined) return inviteTo(context, community);
  const stray = ["role", "uses", "hours"].find((name) => context.options[name] !== undefined);
  if (stray !== undefined) throw usageError(`--${stray} is for an invitation to a community: give --community`);
  const { openClient } = await import("../open-client.ts");
  const { client } = await openClient(context);
  const invitation = await client.call("invitations.create", { body: {} });
  context.output.prose(`good for one person until ${invitation.expiresAt}`);
  context.output.result(invitation, invitation.token);
}

async function join(context: Context, [token]: readonly string[]): Promise<void> {
  const handle = parseHandle(textOption(context.options, "handle"));
  const parsed = parseToken(token);
  const { joinInstance } = await import("@althing/client");
  const { authorityPem } = await import("../open-client.ts");
  const { loadIdentity } = await import("../identity-files.ts");
  const [{ identity }, [url, ...otherUrls], ca] = [await loadIdentity(context), await targetUrls(context), await authorityPem(context)];
  if (url === undefined) throw usageError("no address to join at");
  const user = await joinInstance({ url, otherUrls, token: parsed, handle, identity, ...(ca === undefined ? {} : { ca }) });
  context.output.result(user, `${user.handle} is a ${user.role} of ${url}`);
}
