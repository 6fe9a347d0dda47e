/**
 * `althing chat [room]`: talk in rooms from a terminal.
 *
 * Invariant: what fails is a line on the screen and not the end of the chat; the chat ends when the person ends it, or when the instance has
 * shut this identity out.
 */
import { hasCode } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import type { Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { parseRoom } from "../input.ts";
import { viewError } from "../output.ts";

/** More rooms than this are opened when they are gone to. */
const openAtStart = 30;

export function addChat(host: CliHost, program: Command): void {
  addCommand(host, program, {
    use: "chat [room]",
    summary: "talk in rooms; /help inside",
    examples: ["althing chat --as alice.id", "althing chat garden --as alice.id"],
    action: chat,
  });
}

async function chat(context: Context, [name]: readonly string[]): Promise<void> {
  const wanted = name === undefined ? undefined : parseRoom(name);
  const { openClient, publishKeysOnce } = await import("../open-client.ts");
  const { createChatRooms } = await import("../chat/chat-rooms.ts");
  const { openChatView } = await import("../chat/chat-view.ts");
  const { completeLine, enterLine, switchTo } = await import("../chat/chat-commands.ts");
  const { client } = await openClient(context);
  const me = await publishKeysOnce(client);
  const mine = (await client.rooms.list()).filter((room) => room.joined).slice(0, openAtStart);
  const view = openChatView({ host: context.host, complete: (line) => completeLine(line, rooms.all.keys()) });
  const showPrompt = (): void => {
    const waiting = [...rooms.all.values()]
      .filter((room) => room.unread > 0 && room !== rooms.front)
      .map((room) => `${room.handle.name} ${room.unread}`);
    const { front } = rooms;
    view.setPrompt(
      `${front === undefined ? "" : `${front.handle.name} (${front.members})`}${waiting.length === 0 ? "" : ` [${waiting.join(", ")}]`} ${me.handle}> `,
    );
  };
  const rooms = createChatRooms({ client, onLine: (_room, line, front) => front && view.print(line), onChange: showPrompt });
  const ended = Promise.withResolvers<void>();
  const desk = { client, rooms, print: (text: string) => view.print(text), quit: () => ended.resolve() };
  const deaf = client.on("connection", ({ plane, state }) => view.print(`-- ${plane}: ${state} --`));
  context.defer(async () => {
    deaf();
    view.close();
    await rooms.close();
  });
  const fail = (error: unknown): void => {
    const { message, code } = viewError(error);
    view.print(`${message} [${code}]`);
    if (hasCode(error, "auth.revoked", "auth.unknown_user")) ended.reject(error);
  };
  const begin = async (): Promise<void> => {
    const first = wanted ?? mine[0]?.name;
    if (first !== undefined) await switchTo(desk, first);
    else view.print("no rooms yet; /help lists what there is");
  };
  // One after the other, from the first moment on: lines typed fast, or while rooms open, are done in the order they were typed.
  const begun = begin();
  let tail: Promise<void> = begun.catch(() => undefined);
  view.onLine((line) => {
    tail = tail.then(() => enterLine(desk, line)).catch(fail);
  });
  view.onClose(() => void tail.then(() => ended.resolve()));
  await begun;
  for (const room of mine) await rooms.open(room.name).catch(fail);
  await ended.promise;
}
