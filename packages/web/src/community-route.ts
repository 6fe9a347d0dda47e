/**
 * Addresses of a community's pages: `/c/<community>` and `/c/<community>/x/<extension>[/path]`.
 *
 * Invariant: what is read here is what is written here; an address that would not be written names no page.
 */
import { communityRefSchema, extensionIdSchema } from "@althing/contract";
import { readEncodedPath, readPath, writePath } from "./extension-frame/index.ts";

export interface CommunityRoute {
  /** Id or name. */
  readonly community: string;
  /** Absent: the list of packages. */
  readonly extension?: { readonly id: string; /** Plain text. */ readonly path: string };
}

/** `undefined`: no page of a community. */
export function readCommunityRoute(pathname: string): CommunityRoute | undefined {
  const found = /^\/c\/([^/]+)\/?(?:x\/([^/]+)(\/.*)?)?$/.exec(pathname);
  const community = communityRefSchema.safeParse(found?.[1]);
  if (found === null || !community.success) return undefined;
  if (found[2] === undefined) return { community: community.data };
  const id = extensionIdSchema.safeParse(found[2]);
  const path = readEncodedPath(found[3] ?? "/");
  return id.success && path !== undefined ? { community: community.data, extension: { id: id.data, path } } : undefined;
}

export function communityAddress(community: string): string {
  return `/c/${encodeURIComponent(community)}`;
}

/** @param path plain text, checked */
export function extensionAddress(community: string, extension: string, path: string): string {
  const written = path === "/" ? "" : writePath(readPath(path) ?? []);
  return `${communityAddress(community)}/x/${encodeURIComponent(extension)}${written}`;
}
