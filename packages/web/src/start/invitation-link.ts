/**
 * Reads the one-time token out of whatever people paste: a whole link, the end of one, or the token alone.
 *
 * Invariant: a link of another place is not taken for one of this: its token would be told to a server it was not made for.
 */
import { tokenSchema } from "@althing/contract";
import type { Token } from "../app/token.tsx";

export type PastedToken =
  | { readonly state: "token"; readonly kind: Token["kind"] | undefined; readonly token: string }
  /** A link to another instance. */
  | { readonly state: "elsewhere"; readonly host: string }
  | { readonly state: "none" };

const kinds: Readonly<Record<string, Token["kind"]>> = { claim: "claim", token: "claim", join: "join", invitation: "invitation" };

/**
 * @param origin of this page
 * @returns the token, with its kind if the text says so
 */
export function readPasted(pasted: string, origin: string): PastedToken {
  const text = pasted.trim();
  if (tokenSchema.safeParse(text).success) return { state: "token", kind: undefined, token: text };
  const hash = text.indexOf("#");
  const fragment = hash < 0 ? text : text.slice(hash + 1);
  for (const [name, value] of new URLSearchParams(fragment)) {
    const kind = kinds[name];
    if (kind === undefined || !tokenSchema.safeParse(value).success) continue;
    const address = hash > 0 && URL.canParse(text) ? new URL(text) : undefined;
    if (
      address !== undefined &&
      address.origin !== origin &&
      !(isLoopback(address) && isLoopback(new URL(origin)) && address.port === new URL(origin).port)
    )
      return { state: "elsewhere", host: address.host };
    return { state: "token", kind, token: value };
  }
  return { state: "none" };
}

/** This machine has several names, and links are printed with one of them. */
function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname);
}

/** The link that carries an invitation to a community. */
export function invitationLink(origin: string, token: string): string {
  return `${origin}/communities/invitation#invitation=${token}`;
}

/** The link that carries an invitation to the instance. */
export function joinLink(origin: string, token: string): string {
  return `${origin}/#join=${token}`;
}
