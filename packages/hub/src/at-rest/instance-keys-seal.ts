/**
 * `instance.json` under the at-rest key: its text, sealed, in a JSON document that says so.
 *
 * Invariant: what was changed, or sealed with another key, is an error and never other keys.
 */
import { z } from "zod";
import { openBytes, sealBytes } from "./sealed-bytes.ts";

const sealedSchema = z.strictObject({ version: z.literal(1), sealed: z.string().max(64 * 1024) });

export async function sealText(key: Uint8Array, text: string): Promise<string> {
  const sealed = await sealBytes(key, new TextEncoder().encode(text));
  return `${JSON.stringify({ version: 1, sealed: Buffer.from(sealed).toString("base64url") })}\n`;
}

/** @returns the text as it was sealed; `undefined` when it is not sealed. Throws when it does not open. */
export async function openText(key: Uint8Array | undefined, text: string): Promise<string | undefined> {
  const parsed = sealedSchema.safeParse(tryJson(text));
  if (!parsed.success) return undefined;
  if (key === undefined) throw new TypeError("it is sealed, and there is no key");
  return new TextDecoder().decode(await openBytes(key, new Uint8Array(Buffer.from(parsed.data.sealed, "base64url"))));
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
