/**
 * `althing blob put|get`: files, encrypted before they leave this machine.
 *
 * Invariant: the server gets ciphertext and its hash; the key is in the reference that `put` prints (`hash.key`) and in the room's message, nowhere
 * else. `get` writes the file whole or not at all and never over another.
 */
import { blobHashSchema, limits, AppError } from "@althing/contract";
import type { Command } from "commander";
import { readFile, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { text as readStream } from "node:stream/consumers";
import { addCommand } from "../command.ts";
import { textOption, usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { blobReference } from "../room-text.ts";
import { writeNewFile } from "../write-new-file.ts";

export function addBlob(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "blob",
    summary: "files",
    examples: ["althing blob put map.png --room garden --as alice.id", "althing blob get HASH.KEY -o map.png --as bob.id"],
  });
  addCommand(host, group, {
    use: "put <file>",
    summary: "encrypt and store a file; with --room its members are told",
    examples: ["althing blob put map.png --as alice.id", "althing blob put map.png --room garden --as alice.id"],
    action: put,
  }).option("--room <room>", "share it with this room's members");
  addCommand(host, group, {
    use: "get <reference>",
    summary: "fetch and decrypt a file; - reads the reference from stdin",
    examples: ["althing blob get HASH.KEY -o map.png --as bob.id", "althing blob get - -o map.png --as bob.id < reference.txt"],
    action: get,
  }).requiredOption("-o, --output <file>", "where to write it; must not exist");
}

async function readInput(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { size } = await stat(path);
    if (size > limits.blobMaxBytes) throw new AppError("blob.too_large", { limit: limits.blobMaxBytes });
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("E"))
      throw usageError(`${path} cannot be read (${error.code})`);
    throw error;
  }
}

async function put(context: Context, [file]: readonly string[]): Promise<void> {
  const path = resolve(context.host.cwd, file ?? "");
  const bytes = await readInput(path);
  const roomName = textOption(context.options, "room");
  const { openClient } = await import("../open-client.ts");
  const { openRoomOf } = await import("../open-room.ts");
  const { client } = await openClient(context);
  const room = roomName === undefined ? undefined : await openRoomOf(client, roomName);
  const onProgress = (sent: number): void => context.output.prose(`${Math.floor((sent * 100) / Math.max(1, bytes.length))} %`);
  const stored = await client.putBlob(bytes, { onProgress, ...(room === undefined ? {} : { room: room.id }) });
  if (room !== undefined) await room.send(basename(path), { blob: stored });
  const reference = blobReference(stored);
  context.output.result({ hash: stored.hash, bytes: stored.bytes, reference, ...(room === undefined ? {} : { room: room.id }) }, reference);
}

interface Reference {
  readonly hash: ReturnType<typeof blobHashSchema.parse>;
  readonly key: Uint8Array<ArrayBuffer>;
}

function parseReference(text: string): Reference {
  const match = /^([0-9a-f]{64})\.([A-Za-z0-9_-]{43})$/.exec(text.trim());
  if (match === null) throw usageError("a blob reference is HASH.KEY, as `blob put` and `room tail` print it");
  return { hash: blobHashSchema.parse(match[1]), key: new Uint8Array(Buffer.from(match[2] ?? "", "base64url")) };
}

async function get(context: Context, [given]: readonly string[]): Promise<void> {
  const { hash, key } = parseReference(given === "-" ? await readStream(context.host.stdin) : (given ?? ""));
  const path = resolve(context.host.cwd, textOption(context.options, "output") ?? "");
  const { openClient } = await import("../open-client.ts");
  const { client } = await openClient(context);
  const bytes = await client.getBlob(hash, key);
  await writeNewFile(path, [bytes]);
  context.output.result({ hash, bytes: bytes.length, file: path }, path);
}
