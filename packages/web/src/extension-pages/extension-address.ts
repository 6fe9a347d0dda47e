/**
 * Addresses of extensions' pages: `/c/<community>/x/<extension>[/path]`.
 *
 * Invariant: what is read here is what is written here; an address that would not be written names no page. Read from the address as it stands in the
 * browser, because a router that decodes cannot tell `a/b` from `a%2fb`.
 */
import { communityRefSchema, extensionIdSchema } from "@althing/contract";
import { readEncodedPath, readPath, writePath } from "../extension-frame/index.ts";

export interface ExtensionPlace {
  /** Id or name. */
  readonly community: string;
  readonly extension: string;
  /** Plain text. */
  readonly path: string;
}

/** `undefined`: no page of an extension. @param pathname encoded, as in `location.pathname` */
export function readExtensionAddress(pathname: string): ExtensionPlace | undefined {
  const found = /^\/c\/([^/]+)\/x\/([^/]+)(\/.*)?$/.exec(pathname);
  const community = communityRefSchema.safeParse(found?.[1]);
  const extension = extensionIdSchema.safeParse(found?.[2]);
  const path = readEncodedPath(found?.[3] ?? "/");
  if (!community.success || !extension.success || path === undefined) return undefined;
  return { community: community.data, extension: extension.data, path };
}

/** @param path plain text, checked */
export function extensionAddress({ community, extension, path }: ExtensionPlace): string {
  const written = path === "/" ? "" : writePath(readPath(path) ?? []);
  return `/c/${encodeURIComponent(community)}/x/${encodeURIComponent(extension)}${written}`;
}
