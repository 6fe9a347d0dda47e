/**
 * `althing worker`: a sample agent: reads one room, answers in another.
 *
 * Invariant: it answers each message once across restarts (it goes on where it stopped reading), never itself, and never a message whose sender is
 * not vouched for by a signature. Convention: rooms `agent.<name>.in` and `agent.<name>.out`.
 */
import { hasCode } from "@althing/contract";
import type { AlthingClient, RoomEvent, RoomHandle } from "@althing/client";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { textOption, usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { parseRoom } from "../input.ts";
import { safeLine } from "../terminal-text.ts";

export function addWorker(host: CliHost, program: Command): void {
  addCommand(host, program, {
    use: "worker",
    summary: "a sample agent: reads commands in one room, answers in another",
    examples: ["althing worker --name echo --init --as agent.id", "althing worker --in garden --out garden --prefix ! --as agent.id"],
    action: work,
  })
    .option("--name <name>", "rooms agent.<name>.in and agent.<name>.out")
    .option("--in <room>", "room to read")
    .option("--out <room>", "room to answer in")
    .option("--prefix <text>", "heed only messages that begin with this", "")
    .option("--init", "found the rooms that are missing");
}

function roomNames(context: Context): { readonly input: string; readonly output: string } {
  const name = textOption(context.options, "name");
  const input = textOption(context.options, "in") ?? (name === undefined ? undefined : `agent.${name}.in`);
  const output = textOption(context.options, "out") ?? (name === undefined ? undefined : `agent.${name}.out`);
  if (input === undefined || output === undefined) throw usageError("give --in ROOM and --out ROOM, or --name NAME");
  return { input: parseRoom(input), output: parseRoom(output) };
}

async function openOrFound(context: Context, client: AlthingClient, name: string): Promise<RoomHandle> {
  const { openRoomOf } = await import("../open-room.ts");
  try {
    return await openRoomOf(client, name);
  } catch (error) {
    if (context.options["init"] !== true || !hasCode(error, "room.not_found")) throw error;
    context.output.prose(`founding ${name}`);
    return client.rooms.create({ name, policy: { encrypt: true, persist: true, sign: true, history: "from-join" } });
  }
}

/** What the sample can do. */
export function answerTo(command: string, now: number): string {
  const [verb = "", ...rest] = command.trim().split(/\s+/);
  const argument = rest.join(" ");
  switch (verb.toLowerCase()) {
    case "ping":
      return "pong";
    case "echo":
      return argument === "" ? "nothing to echo" : argument;
    case "time":
      return new Date(now).toISOString();
    case "count":
      return `${[...argument].length} characters, ${argument === "" ? 0 : rest.length} words`;
    default:
      return "I know: ping, echo TEXT, time, count TEXT";
  }
}

async function work(context: Context): Promise<void> {
  const { input, output } = roomNames(context);
  const prefix = textOption(context.options, "prefix") ?? "";
  if (input === output && prefix === "")
    throw usageError("with one room for both, give --prefix, or the agent would talk to its own answers");
  const { openClient, publishKeysOnce } = await import("../open-client.ts");
  const { client } = await openClient(context);
  await publishKeysOnce(client);
  const inRoom = await openOrFound(context, client, input);
  const outRoom = input === output ? inRoom : await openOrFound(context, client, output);
  const stream = context.output.stream();
  const own = client.identity.endpoint;
  const take = async (event: RoomEvent): Promise<void> => {
    if (event.kind !== "message" || event.sender === own || !event.authenticated || event.text?.startsWith(prefix) !== true) return;
    const text = answerTo(event.text.slice(prefix.length), context.host.now());
    const sent = await outRoom.send(text);
    stream.item(
      { request: event.id, from: event.handle ?? event.sender, answer: sent.id, text },
      `${safeLine(event.handle ?? event.sender)}: ${safeLine(event.text)} -> ${safeLine(text)}`,
    );
  };
  const subscription = await inRoom.subscribe(take, { since: "cursor" });
  context.defer(async () => {
    stream.end();
    await subscription.close();
  });
  context.output.prose(`reading ${input}, answering in ${output}${prefix === "" ? "" : `, prefix ${safeLine(prefix)}`}; Ctrl-C ends`);
  await subscription.done;
}
