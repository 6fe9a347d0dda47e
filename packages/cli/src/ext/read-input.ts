/**
 * Files that a command is given.
 *
 * Invariant: a file that cannot be read, or is larger than what it is for may be, is wrong usage and names the path; nothing is sent.
 */
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { usageError, type Context } from "../context.ts";

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** @throws {cli.usage} */
export async function readInput(context: Context, file: string | undefined, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const path = resolve(context.host.cwd, file ?? "");
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw usageError(`${path} has more than ${maxBytes} bytes`);
    return new Uint8Array(await readFile(path));
  } catch (error) {
    const code = codeOf(error);
    if (code?.startsWith("E") === true) throw usageError(`${path} cannot be read (${code})`);
    throw error;
  }
}

/** `undefined` when there is no such file. @throws {cli.usage} it is there and cannot be read */
export async function readIfThere(context: Context, file: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const isThere = await stat(resolve(context.host.cwd, file)).then(
    () => true,
    (error: unknown) => codeOf(error) !== "ENOENT",
  );
  return isThere ? readInput(context, file, maxBytes) : undefined;
}

export async function readInputText(context: Context, file: string | undefined, maxBytes: number): Promise<string> {
  return new TextDecoder().decode(await readInput(context, file, maxBytes));
}

/** @throws {cli.usage} it is no JSON */
export async function readInputJson(context: Context, file: string | undefined, maxBytes: number): Promise<unknown> {
  const text = await readInputText(context, file, maxBytes);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usageError(`${file ?? ""} is not JSON: ${error instanceof Error ? error.message : "unreadable"}`);
  }
}
