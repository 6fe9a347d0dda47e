/** Which members a list shows: by what was typed and by role. */
import type { CommunityMember } from "@althing/contract";

export interface Wanted {
  /** Anywhere in the handle, whatever its case. */
  readonly text: string;
  /** Empty: every role. */
  readonly role: string;
}

/** By handle, in the order people look for names. */
export function pickMembers<M extends Pick<CommunityMember, "handle" | "roles">>(members: readonly M[], { text, role }: Wanted): M[] {
  const typed = text.trim().toLowerCase().replace(/^@/, "");
  return members
    .filter((member) => member.handle.includes(typed) && (role === "" || member.roles.includes(role)))
    .toSorted((a, b) => (a.handle < b.handle ? -1 : a.handle > b.handle ? 1 : 0));
}
