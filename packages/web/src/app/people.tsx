/**
 * Who somebody is whom a record names by endpoint id only, and everybody of a community where a screen needs them all.
 *
 * Invariant: a name is the server's answer and is never guessed: who cannot be found is shown by the start of their id, who was erased by the words given.
 */
import type { CommunityMember, CommunityPermission, EndpointId } from "@althing/contract";
import { useEffect } from "react";
import { Person } from "../ui/index.ts";
import { usePages, useRead, type PagesResult } from "./calls.ts";
import { useCommunity } from "./community.tsx";
import { useAppTexts } from "./texts.ts";
import { useSession } from "./session.tsx";

const idShownChars = 8;
/** Screens that need everybody stop here; lists that page go on. */
const everybodyMax = 5_000;

/** For people whose handle nobody knows. */
export function shortId(endpoint: string): string {
  return `${endpoint.slice(0, idShownChars)}…`;
}

/** Somebody by their endpoint id. @param gone shown when they were erased */
export function PersonOf({ endpoint, gone }: { readonly endpoint: EndpointId | null; readonly gone: string }) {
  return endpoint === null ? <span className="text-soft">{gone}</span> : <KnownPerson endpoint={endpoint} />;
}

function KnownPerson({ endpoint }: { readonly endpoint: EndpointId }) {
  const { identity } = useSession();
  const read = useRead("identities.get", { params: { identity: endpoint } });
  return <Person handle={read.data?.handle ?? shortId(endpoint)} you={identity.endpoint === endpoint} />;
}

/** Takes pages until there are enough rows, one after the other, as long as somebody wants them. */
export function useMorePages(list: PagesResult<unknown>, isWanted: boolean, rowsMax = everybodyMax): void {
  const { hasMore, isLoadingMore, error, loadMore, rows } = list;
  const count = rows.length;
  const goesOn = isWanted && hasMore && !isLoadingMore && error === null && count < rowsMax;
  useEffect(() => {
    if (goesOn) loadMore();
    // `loadMore` is new at every drawing; what decides is whether to go on, and from where.
  }, [goesOn, count]);
}

export interface Everybody {
  readonly members: ReadonlyMap<string, CommunityMember>;
  /** All of them are here. */
  readonly isComplete: boolean;
  readonly isPending: boolean;
  readonly error: unknown;
}

/** Members of a community by endpoint id, up to a few thousand. */
export function useEverybody(community: string): Everybody {
  const list = usePages(
    "communities.members",
    (after) => ({ params: { community }, query: { limit: 500, ...(after === undefined ? {} : { after }) } }),
    ({ members, next }) => ({ rows: members, next }),
  );
  useMorePages(list, true);
  const members = new Map(list.rows.map((member) => [member.endpoint, member]));
  return { members, isComplete: !list.isPending && !list.hasMore, isPending: list.isPending, error: list.error };
}

const namedMax = 3;

/** Some of those who hold a permission here, by handle, to be asked for it. `undefined`: nobody of those who were looked through, or nobody knows yet. */
export function useNamesOfThoseWho(permission: CommunityPermission): string | undefined {
  const t = useAppTexts();
  const { community, ref } = useCommunity();
  const params = { community: ref };
  const isMember = community.roles !== undefined;
  const roles = useRead("roles.list", { params }, { enabled: isMember }).data?.roles ?? [];
  const members = useRead("communities.members", { params, query: { limit: 200 } }, { enabled: isMember }).data?.members ?? [];
  const able = new Set(roles.filter(({ permissions }) => permissions.includes(permission)).map(({ role }) => role));
  const names = members.filter((member) => member.roles.some((role) => able.has(role))).map(({ handle }) => handle);
  if (names.length === 0) return undefined;
  return names.length > namedMax ? t("someOf", { names: names.slice(0, namedMax).join(", ") }) : names.join(", ");
}

/** For whoever may not: whom to ask. @param text in front of it, what it is that they may not */
export function ThoseWhoCan({ permission, text = "" }: { readonly permission: CommunityPermission; readonly text?: string }) {
  const t = useAppTexts();
  const who = useNamesOfThoseWho(permission);
  return (
    <>
      {text} <bdi>{who === undefined ? t("adminsCan") : t("theseCan", { who })}</bdi>
    </>
  );
}
