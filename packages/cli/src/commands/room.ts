/**
 * `althing room …`: the life of a room from the command line.
 *
 * Invariant: names or ids wherever a room is meant, handles or endpoint ids wherever a person is; what destroys asks first.
 */
import { extensionHandleSchema, hasCode } from "@althing/contract";
import { Option, type Command } from "commander";
import { addCommand } from "../command.ts";
import { textOption, usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { parseHandle, parseRoom } from "../input.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { memberRows, policyText } from "../room-text.ts";
import { addRoomTalk } from "./room-talk.ts";

const opened = async (context: Context) => (await import("../open-client.ts")).openClient(context);
const openedAndKnown = async (context: Context) => {
  const { openClient, publishKeysOnce } = await import("../open-client.ts");
  const found = await openClient(context);
  await publishKeysOnce(found.client);
  return found;
};
const openedRoom = async (context: Context, name: string | undefined) => (await import("../open-room.ts")).openRoom(context, name);

export function addRoom(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "room",
    summary: "rooms",
    examples: ["althing room create garden --as alice.id", 'althing room send garden "hello" --as alice.id'],
  });
  addCommand(host, group, {
    use: "create <name>",
    summary: "found a room; encrypted, persisted and signed unless told otherwise",
    examples: [
      "althing room create garden --as alice.id",
      "althing room create lobby --history shared --as alice.id",
      "althing room create ticks --no-persist --as alice.id",
      "althing room create beds --community gardeners --as alice.id",
    ],
    action: create,
  })
    .option("--no-encrypt", "the server can read it")
    .option("--no-persist", "nothing is kept")
    .option("--no-sign", "messages are not signed by their sender")
    .option("--community <community>", "the community it belongs to: only its members come in")
    .addOption(new Option("--history <who>", "what new members may read").choices(["shared", "from-join"]).default("from-join"));
  addCommand(host, group, {
    use: "list",
    summary: "my rooms, or those of a community",
    examples: ["althing room list --as alice.id", "althing room list --community gardeners --as alice.id"],
    action: list,
  }).option("--community <community>", "its rooms: all of them for whoever runs them, else those you are in");
  addCommand(host, group, {
    use: "show <room>",
    summary: "one room with its members",
    examples: ["althing room show garden --as alice.id"],
    action: show,
  });
  addRoomMembers(host, group);
  addRoomTalk(host, group);
  addCommand(host, group, {
    use: "delete <room>",
    summary: "delete a room with its history and blobs",
    examples: ["althing room delete garden --as alice.id"],
    action: remove,
  });
}

function addRoomMembers(host: CliHost, group: Command): void {
  const role = () => new Option("--role <role>", "role in the room").choices(["owner", "moderator", "member"]).default("member");
  addCommand(host, group, {
    use: "invite <room> <user>",
    summary: "add a member",
    examples: ["althing room invite garden bob --as alice.id"],
    action: invite,
  }).addOption(role());
  addCommand(host, group, {
    use: "extensions <room>",
    summary: "extensions of the room's community that may post here",
    examples: ["althing room extensions garden --as alice.id"],
    action: extensions,
  });
  addCommand(host, group, {
    use: "invite-extension <room> <extension>",
    summary: "let an extension post; from then on the server can read the room",
    examples: ["althing room invite-extension garden org.example.bell --as alice.id"],
    action: inviteExtension,
  });
  addCommand(host, group, {
    use: "join <room>",
    summary: "accept an invitation, or ask to be let in",
    examples: ["althing room join garden --as bob.id"],
    action: join,
  });
  addCommand(host, group, {
    use: "requests <room>",
    summary: "who asks to be let in",
    examples: ["althing room requests garden --as alice.id"],
    action: requests,
  });
  addCommand(host, group, {
    use: "admit <room> <user>",
    summary: "let somebody in who asked",
    examples: ["althing room admit garden carol --as alice.id"],
    action: (context, args) => answer(context, args, "admit"),
  });
  addCommand(host, group, {
    use: "decline <room> <user>",
    summary: "turn a request down",
    examples: ["althing room decline garden carol --as alice.id"],
    action: (context, args) => answer(context, args, "decline"),
  });
  addCommand(host, group, {
    use: "role <room> <user> <role>",
    summary: "make somebody owner, moderator or member",
    examples: ["althing room role garden bob moderator --as alice.id"],
    action: setRole,
  });
  addCommand(host, group, {
    use: "kick <room> <user>",
    summary: "remove a member; a new epoch shuts it out of what follows",
    examples: ["althing room kick garden bob --as alice.id"],
    action: kick,
  });
  addCommand(host, group, {
    use: "leave <room>",
    summary: "leave a room",
    examples: ["althing room leave garden --as bob.id"],
    action: leave,
  });
  addCommand(host, group, {
    use: "rekey <room>",
    summary: "renew the room's key now",
    examples: ["althing room rekey garden --as alice.id"],
    action: rekey,
  });
  addCommand(host, group, {
    use: "safety <room> <user>",
    summary: "the number two people compare to know each other's keys",
    examples: ["althing room safety garden bob --as alice.id"],
    action: safety,
  });
}

async function create(context: Context, [name]: readonly string[]): Promise<void> {
  const parsed = parseRoom(name);
  const { options } = context;
  const policy = {
    encrypt: options["encrypt"] !== false,
    persist: options["persist"] !== false,
    sign: options["sign"] !== false,
    history: options["history"] === "shared" ? ("shared" as const) : ("from-join" as const),
  };
  const community = textOption(options, "community");
  const { client } = await opened(context);
  const room = await client.rooms.create({ name: parsed, policy, ...(community === undefined ? {} : { community }) });
  const info = await room.info();
  context.output.result(info, `${info.name} is founded (${policyText(info.policy)})`);
}

async function list(context: Context): Promise<void> {
  const community = textOption(context.options, "community");
  if (community !== undefined) return listOf(context, community);
  const { client } = await openedAndKnown(context);
  const rooms = await client.rooms.list();
  const rows = rooms.map((room) => [
    room.name,
    room.joined ? room.role : "invited",
    `${room.members} members`,
    `epoch ${room.epoch}`,
    policyText(room.policy),
  ]);
  context.output.result(rooms, table(rows));
  if (rooms.length === 0) context.output.prose("no rooms yet: althing room create NAME makes one");
}

async function listOf(context: Context, community: string): Promise<void> {
  const { client } = await opened(context);
  const rooms = await client.rooms.listOf(community);
  const standing = ({ role, joined }: (typeof rooms)[number]) => (role === undefined ? "not in it" : joined === true ? role : "invited");
  const rows = rooms.map((room) => [room.name, standing(room), `${room.members} members`, `${room.bytes} bytes`, policyText(room.policy)]);
  context.output.result(rooms, table(rows));
  if (rooms.length === 0) context.output.prose(`no rooms that you see: althing room create NAME --community ${community} makes one`);
}

async function show(context: Context, [name]: readonly string[]): Promise<void> {
  const { client } = await opened(context);
  const room = await client.rooms.open(parseRoom(name));
  const [info, members] = [await room.info(), await room.members()];
  const head = table([
    ["room", info.name],
    ["id", info.id],
    ["policy", policyText(info.policy)],
    ["epoch", `${info.epoch}${info.rekeyNeeded ? " (a new one is due before the next message)" : ""}`],
    ...(info.community === undefined ? [] : [["community", info.community]]),
    ...(info.mutedUntil === undefined ? [] : [["muted", `until ${info.mutedUntil}: you read, and cannot write`]]),
    ["kept", `${info.bytes} bytes, last message ${info.lastSeq}`],
  ]);
  const rows = memberRows(members, info).map(([who = "", ...rest]) => [`  ${who}`, ...rest]);
  const placed = members.map((member) => ({ ...member, gone: info.gone.includes(member.endpoint) }));
  context.output.result({ room: info, members: placed }, `${head}\nmembers\n${table(rows)}`);
}

async function invite(context: Context, [name, user]: readonly string[]): Promise<void> {
  const handle = parsePerson(user);
  const role = context.options["role"];
  const { room } = await openedRoom(context, name);
  await room.invite(handle, role === "owner" || role === "moderator" ? role : "member");
  context.output.result(await room.info(), `${handle} is invited to ${room.name}`);
}

async function extensions(context: Context, [name]: readonly string[]): Promise<void> {
  const { room } = await openedRoom(context, name);
  const found = await room.extensions();
  context.output.result(
    found,
    table(found.map(({ extension, member, endpoint }) => [extension, member ? "in the room" : "not in it", endpoint])),
  );
  if (found.length === 0)
    context.output.prose("no extension may post here: it takes a room of a community, and one that was granted rooms.post there");
}

async function inviteExtension(context: Context, [name, extension = ""]: readonly string[]): Promise<void> {
  const { room } = await openedRoom(context, name);
  await confirmOrStop(
    context,
    `The server holds the keys of ${extension}: with it in ${room.name}, the server can read the room. Let it in?`,
  );
  await room.inviteExtension(extension, { serverCanRead: true });
  context.output.result(await room.info(), `${extension} may post into ${room.name}; the server can read it`);
}

/** A handle, an extension's name in a room, or an endpoint id as it is. */
function parsePerson(text: string | undefined): string {
  return text !== undefined && (/^[A-Za-z0-9_-]{43}$/.test(text) || extensionHandleSchema.safeParse(text).success)
    ? text
    : parseHandle(text);
}

async function join(context: Context, [name]: readonly string[]): Promise<void> {
  const parsed = parseRoom(name);
  const { client } = await openedAndKnown(context);
  const joined = await client.rooms.join(parsed);
  const info = await joined.room?.info();
  context.output.result(
    { status: joined.status, ...(info === undefined ? {} : { room: info }) },
    joined.status === "joined" ? `you are in ${parsed}` : `asked to be let into ${parsed}; an owner answers`,
  );
}

async function requests(context: Context, [name]: readonly string[]): Promise<void> {
  const { room } = await openedRoom(context, name);
  const asked = await room.requests();
  context.output.result(asked, table(asked.map((request) => [request.handle, request.endpoint, request.at])));
  if (asked.length === 0) context.output.prose("nobody asks to be let in");
}

async function answer(context: Context, [name, user]: readonly string[], verb: "admit" | "decline"): Promise<void> {
  const person = parsePerson(user);
  const { client, room } = await openedRoom(context, name);
  const { endpoint, handle } = await client.identityOf(person);
  await (verb === "admit" ? room.admit(endpoint) : room.decline(endpoint));
  context.output.result(
    { room: room.id, endpoint, handle, answer: verb },
    verb === "admit" ? `${handle} is let into ${room.name}` : `${handle} is not let into ${room.name}`,
  );
}

async function setRole(context: Context, [name, user, role]: readonly string[]): Promise<void> {
  if (role !== "owner" && role !== "moderator" && role !== "member")
    throw usageError(`"${role ?? ""}" is no role: owner, moderator or member`);
  const person = parsePerson(user);
  const { room } = await openedRoom(context, name);
  await room.setRole(person, role);
  context.output.result(await room.info(), `${person} is ${role} of ${room.name}`);
}

async function kick(context: Context, [name, user]: readonly string[]): Promise<void> {
  const person = parsePerson(user);
  const { room } = await openedRoom(context, name);
  await room.kick(person);
  const info = await room.info();
  context.output.result(info, `${person} is out of ${room.name}${info.policy.encrypt ? `; epoch ${info.epoch}` : ""}`);
}

async function leave(context: Context, [name]: readonly string[]): Promise<void> {
  const { room } = await openedRoom(context, name);
  await room.leave();
  context.output.result({ room: room.id, left: true }, `you left ${room.name}`);
}

async function rekey(context: Context, [name]: readonly string[]): Promise<void> {
  const { room } = await openedRoom(context, name);
  await room.rekey();
  const info = await room.info();
  context.output.result(info, `${room.name} is at epoch ${info.epoch}`);
}

async function safety(context: Context, [name, user]: readonly string[]): Promise<void> {
  const person = parsePerson(user);
  const { room } = await openedRoom(context, name);
  const number = await room.safetyNumber(person);
  context.output.prose(`read it to ${person} on another channel; both must see the same`);
  context.output.result({ room: room.id, user: person, safetyNumber: number }, number);
}

/** Whoever runs a community's rooms deletes them without being in them. */
async function remove(context: Context, [name]: readonly string[]): Promise<void> {
  const parsed = parseRoom(name);
  const { client } = await opened(context);
  const room = await client.rooms.open(parsed).catch((error: unknown) => {
    if (hasCode(error, "room.not_found")) return undefined;
    throw error;
  });
  await confirmOrStop(context, `Delete ${parsed} with its history and blobs, for everybody?`);
  await (room === undefined ? client.call("rooms.delete", { params: { room: parsed } }) : room.delete());
  context.output.result({ room: room?.id ?? parsed, deleted: true }, `${parsed} is deleted`);
}
