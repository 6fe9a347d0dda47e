/**
 * What a person types, checked before anything is asked of a server.
 *
 * Invariant: a name that cannot exist is wrong usage (exit 2) with the rule in the message, and costs no request.
 */
import { handleSchema, roomIdSchema, roomNameSchema, signPubSchema, tokenSchema, type Handle, type SignPub } from "@althing/contract";
import { usageError } from "./context.ts";

interface Parser<T> {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly issues: readonly { readonly message: string }[] } };
}

function parseAs<T>(schema: Parser<T>, what: string, text: string | undefined): T {
  const parsed = schema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw usageError(`"${text ?? ""}" is no ${what}: ${parsed.error.issues[0]?.message ?? "invalid"}`);
}

export const parseHandle = (text: string | undefined): Handle => parseAs(handleSchema, "handle", text);
export const parseSignPub = (text: string | undefined): SignPub => parseAs(signPubSchema, "signing key", text);
export const parseToken = (text: string | undefined): string => parseAs(tokenSchema, "invitation", text?.trim());

/** A room's name or id. */
export function parseRoom(text: string | undefined): string {
  if (roomIdSchema.safeParse(text).success) return String(text);
  return parseAs(roomNameSchema, "room name or id", text);
}
