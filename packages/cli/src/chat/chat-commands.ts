/**
 * What may be typed after a slash in the chat.
 *
 * Invariant: one table; help, completion and the dispatcher read it, so that they cannot disagree.
 */
import type { AlthingClient } from "@althing/client";
import { usageError } from "../context.ts";
import { parseHandle, parseRoom } from "../input.ts";
import { eventText, policyText } from "../room-text.ts";
import { memberNames } from "../open-room.ts";
import { safeLine } from "../terminal-text.ts";
import type { ChatRoom, ChatRooms } from "./chat-rooms.ts";

export interface ChatDesk {
  readonly client: AlthingClient;
  readonly rooms: ChatRooms;
  readonly print: (text: string) => void;
  readonly quit: () => void;
}

interface ChatCommand {
  readonly use: string;
  readonly help: string;
  readonly run: (desk: ChatDesk, args: readonly string[]) => Promise<void>;
}

function frontRoom(desk: ChatDesk): ChatRoom {
  if (desk.rooms.front === undefined) throw usageError("no room is open: /room NAME opens one, /rooms lists yours");
  return desk.rooms.front;
}

export async function switchTo(desk: ChatDesk, name: string): Promise<void> {
  const room = await desk.rooms.open(name);
  desk.rooms.bringToFront(room);
  const { policy } = await room.handle.info();
  desk.print(`== ${room.handle.name}: ${policyText(policy)} ==`);
  for (const line of room.lines.slice(-20)) desk.print(line);
}

async function who(desk: ChatDesk): Promise<void> {
  const room = frontRoom(desk);
  const members = await room.handle.members();
  desk.print(
    `here: ${members.map((member) => `${safeLine(member.handle)}${member.role === "member" ? "" : ` (${member.role})`}`).join(", ")}`,
  );
}

async function list(desk: ChatDesk): Promise<void> {
  for (const info of await desk.client.rooms.list()) {
    const unread = desk.rooms.all.get(info.name)?.unread ?? 0;
    desk.print(`  ${info.name}${info.joined ? "" : " (invited)"}  ${info.members} members${unread === 0 ? "" : `, ${unread} unread`}`);
  }
}

async function history(desk: ChatDesk, [count = "50"]: readonly string[]): Promise<void> {
  const last = Number(count);
  if (!Number.isInteger(last) || last < 1 || last > 1_000) throw usageError("/history takes a number from 1 to 1000");
  const { handle } = frontRoom(desk);
  const { names, refresh } = memberNames(handle);
  await refresh();
  for (const event of await handle.history({ last })) desk.print(eventText(event, names));
}

async function leave(desk: ChatDesk): Promise<void> {
  const room = frontRoom(desk);
  await room.handle.leave();
  await desk.rooms.forget(room);
  desk.print(`you left ${room.handle.name}`);
}

const withHandle =
  (act: (room: ChatRoom, handle: string) => Promise<unknown>, done: (handle: string, room: string) => string) =>
  async (desk: ChatDesk, [name]: readonly string[]) => {
    const handle = parseHandle(name);
    const room = frontRoom(desk);
    await act(room, handle);
    desk.print(done(handle, room.handle.name));
  };

export const chatCommands: Readonly<Record<string, ChatCommand>> = {
  help: { use: "/help", help: "this list", run: async (desk) => desk.print(helpText()) },
  rooms: { use: "/rooms", help: "my rooms", run: list },
  room: { use: "/room NAME", help: "go to a room", run: (desk, [name]) => switchTo(desk, parseRoom(name)) },
  who: { use: "/who", help: "who is in this room", run: who },
  history: { use: "/history [N]", help: "the last N messages (50)", run: history },
  invite: {
    use: "/invite HANDLE",
    help: "add a member",
    run: withHandle(
      (room, handle) => room.handle.invite(handle),
      (handle, room) => `${handle} is invited to ${room}`,
    ),
  },
  kick: {
    use: "/kick HANDLE",
    help: "remove a member",
    run: withHandle(
      (room, handle) => room.handle.kick(handle),
      (handle, room) => `${handle} is out of ${room}`,
    ),
  },
  safety: {
    use: "/safety HANDLE",
    help: "the number to compare with somebody",
    run: async (desk, [name]) => desk.print(`${parseHandle(name)}: ${await frontRoom(desk).handle.safetyNumber(parseHandle(name))}`),
  },
  leave: { use: "/leave", help: "leave this room for good", run: leave },
  quit: { use: "/quit", help: "end the chat", run: async (desk) => desk.quit() },
};

function helpText(): string {
  const width = Math.max(...Object.values(chatCommands).map((command) => command.use.length));
  return Object.values(chatCommands)
    .map((command) => `  ${command.use.padEnd(width)}  ${command.help}`)
    .join("\n")
    .concat("\n  //text sends a text that begins with /");
}

/** Tab: command names after a slash, room names after `/room `. */
export function completeLine(line: string, rooms: Iterable<string>): string[] {
  const target = /^\/room (\S*)$/.exec(line);
  if (target !== null) return [...rooms].filter((name) => name.startsWith(target[1] ?? "")).map((name) => `/room ${name}`);
  if (!line.startsWith("/") || line.includes(" ")) return [];
  return Object.keys(chatCommands)
    .map((name) => `/${name}`)
    .filter((name) => name.startsWith(line));
}

/** One entered line: a command, or a message to the room in front. */
export async function enterLine(desk: ChatDesk, line: string): Promise<void> {
  const text = line.trim();
  if (text === "") return;
  if (text.startsWith("/") && !text.startsWith("//")) {
    const [name = "", ...args] = text.slice(1).split(/\s+/);
    const command = Object.hasOwn(chatCommands, name) ? chatCommands[name] : undefined;
    if (command === undefined) throw usageError(`there is no /${name}; /help lists what there is`);
    return command.run(desk, args);
  }
  const room = frontRoom(desk);
  const content = text.startsWith("//") ? text.slice(1) : text;
  const sent = await room.handle.send(content);
  const { endpoint } = desk.client.identity;
  desk.rooms.show(room, {
    kind: "message",
    id: sent.id,
    sender: endpoint,
    handle: undefined,
    authenticated: true,
    epoch: 0,
    contentType: "text/plain",
    text: content,
    bytes: new TextEncoder().encode(content),
    at: new Date().toISOString(),
  });
}
