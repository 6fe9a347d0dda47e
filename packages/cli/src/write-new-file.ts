/**
 * Writes a file that must not be there, piece by piece.
 *
 * Invariant: the file appears whole or not at all and never over another; its mode is the owner's alone, because it may hold what only its owner may read.
 */
import { randomUUID } from "node:crypto";
import { link, open, rm } from "node:fs/promises";
import { usageError } from "./context.ts";

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

/** @throws {cli.usage} there is such a file, or it cannot be written there */
export async function writeNewFile(
  path: string,
  pieces: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      for await (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST") throw usageError(`${path} exists; it is not overwritten`);
    if (code?.startsWith("E") === true) throw usageError(`${path} cannot be written (${code})`);
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
