/**
 * `althing room send|tail|history|redact`: messages.
 *
 * Invariant: `tail` starts where this identity stopped reading, so that nothing is missed between two runs; each result is printed when it comes, also
 * in `--json`, where all of them form one array.
 */
import { ulidSchema } from "@althing/contract";
import type { RoomEvent } from "@althing/client";
import type { Command } from "commander";
import { text as readStream } from "node:stream/consumers";
import { addCommand } from "../command.ts";
import { textOption, usageError, wholeNumber, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { eventJson, eventText } from "../room-text.ts";

const openedRoom = async (context: Context, name: string | undefined) => (await import("../open-room.ts")).openRoom(context, name);

export function addRoomTalk(host: CliHost, group: Command): void {
  addCommand(host, group, {
    use: "send <room> <text...>",
    summary: "send a message; - reads it from stdin",
    examples: [
      'althing room send garden "the gate is open" --as alice.id',
      "date | althing room send garden - --as alice.id",
      'althing room send garden --as alice.id -- "-5 degrees"',
    ],
    action: send,
  });
  addCommand(host, group, {
    use: "tail <room>",
    summary: "read on from where you stopped, then live",
    examples: [
      "althing room tail garden --as bob.id",
      "althing room tail garden --count 1 --as bob.id",
      "althing room tail garden --since start --json --as bob.id",
    ],
    action: tail,
  })
    .option("--since <id>", "start, now, or a message id: what came after it (default: where you stopped)")
    .option("--count <n>", "end after this many messages", wholeNumber("--count", 1, 1_000_000));
  addCommand(host, group, {
    use: "history <room>",
    summary: "the last messages that are kept",
    examples: ["althing room history garden --as bob.id", "althing room history garden --last 500 --json --as bob.id"],
    action: history,
  }).option("--last <n>", "how many", wholeNumber("--last", 1, 1_000), 50);
  addCommand(host, group, {
    use: "redact <room> <message> <reason...>",
    summary: "withdraw a message; a signed mark with the reason stays",
    examples: ['althing room redact garden 01J… "wrong room" --as alice.id'],
    action: redact,
  });
}

async function send(context: Context, [name, ...words]: readonly string[]): Promise<void> {
  const typed = words.join(" ");
  const content = typed === "-" ? (await readStream(context.host.stdin)).replace(/\n$/, "") : typed;
  if (content === "") throw usageError("the message is empty");
  const { room } = await openedRoom(context, name);
  const sent = await room.send(content);
  context.output.result(sent, sent.id);
}

type Since = "start" | "now" | "cursor";

function parseSince(text: string | undefined): { readonly since: Since; readonly afterId: string | undefined } {
  if (text === undefined) return { since: "cursor", afterId: undefined };
  if (text === "start" || text === "now") return { since: text, afterId: undefined };
  if (!ulidSchema.safeParse(text).success) throw usageError(`--since takes start, now or a message id, not "${text}"`);
  return { since: "start", afterId: text };
}

/**
 * Tells which messages `--since <id>` leaves out: older ids, until the message itself came. Ids are their senders' choice, so that what came after it
 * is shown whatever its id; else one message with an id from the far future would hide all others for ever.
 */
export function createSinceId(afterId: string | undefined): (id: string) => boolean {
  let found = afterId === undefined;
  return (id) => {
    if (found || afterId === undefined || id > afterId) return false;
    found = id === afterId;
    return true;
  };
}

async function tail(context: Context, [name]: readonly string[]): Promise<void> {
  const { since, afterId } = parseSince(textOption(context.options, "since"));
  const count = typeof context.options["count"] === "number" ? context.options["count"] : Number.POSITIVE_INFINITY;
  const { memberNames } = await import("../open-room.ts");
  const { client, room } = await openedRoom(context, name);
  const { names, refresh } = memberNames(room);
  await refresh();
  const isBefore = createSinceId(afterId);
  const stream = context.output.stream();
  const done = Promise.withResolvers<void>();
  let left = count;
  const take = async (event: RoomEvent): Promise<void> => {
    // Refusing ends the subscription before this message counts as read: the next run begins with it.
    if (left <= 0) throw new EnoughRead();
    if (event.kind === "message" && isBefore(event.id)) return;
    if (event.kind === "epoch") await refresh().catch(() => undefined);
    stream.item(eventJson(event), eventText(event, names));
    if (event.kind === "message") left -= 1;
    if (left <= 0) done.resolve();
  };
  const deaf = client.on("connection", ({ plane, state }) => {
    if (state !== "connected") context.output.prose(`${plane}: ${state}`);
  });
  const subscription = await room.subscribe(take, { since });
  context.defer(async () => {
    deaf();
    stream.end();
    await subscription.close();
  });
  subscription.done.catch((error: unknown) => (error instanceof EnoughRead ? done.resolve() : done.reject(error)));
  await done.promise;
}

class EnoughRead extends Error {}

async function history(context: Context, [name]: readonly string[]): Promise<void> {
  const last = typeof context.options["last"] === "number" ? context.options["last"] : 50;
  const { memberNames } = await import("../open-room.ts");
  const { room } = await openedRoom(context, name);
  const { names, refresh } = memberNames(room);
  await refresh();
  const events = await room.history({ last });
  context.output.result(events.map(eventJson), events.map((event) => eventText(event, names)).join("\n"));
  if (events.length === 0) context.output.prose("nothing is kept yet");
}

async function redact(context: Context, [name, message, ...words]: readonly string[]): Promise<void> {
  if (!ulidSchema.safeParse(message).success) throw usageError(`"${message ?? ""}" is no message id`);
  const { room } = await openedRoom(context, name);
  const reason = words.join(" ");
  await room.redact(String(message), reason);
  context.output.result({ room: room.id, message, reason }, `${message ?? ""} is redacted`);
}
