/** Which of the listed communities are the reader's own: an admin of the instance sees others too, and has no roles in those. */
import type { Community, CommunityId } from "@althing/contract";

interface Listed {
  readonly communities: readonly Community[];
  readonly next?: CommunityId | undefined;
}

export function readCommunities({ communities, next }: Listed): {
  readonly rows: readonly Community[];
  readonly next: CommunityId | undefined;
} {
  return { rows: communities.filter(({ roles }) => roles !== undefined), next };
}

/** @param search words in any order; each must be in the name, the title or the description */
export function hasWords(search: string, texts: readonly string[]): boolean {
  const all = texts.join("\n").toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}
