/**
 * The community whose pages are shown: who it is, what the reader may do in it, and its events as they happen.
 *
 * Invariant: `can` is the server's answer (`permissions` of the community as the caller sees it), and hides what would be refused; the server decides
 * again at every act. What happens in the community reaches the screen by its own log, so nobody has to reload.
 */
import { isAppError, type Community, type CommunityPermission, type PublicEvent } from "@althing/contract";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { createContext, useContext, useEffect, useMemo, type ReactNode } from "react";
import { Page, PageHeader, Refusal, Skeleton } from "../ui/index.ts";
import { readAgain, useRead, type Changed } from "./calls.ts";
import { Main } from "./main-place.tsx";
import { useSession } from "./session.tsx";
import { useAppTexts } from "./texts.ts";

export interface CommunityHere {
  readonly community: Community;
  /** As the parameter of routes and addresses: the name as it stands in the address. */
  readonly ref: string;
  /** May the reader? Extensions' own permissions too. */
  can(permission: CommunityPermission | `ext.${string}`): boolean;
}

const CommunityContext = createContext<CommunityHere | undefined>(undefined);

export function useCommunity(): CommunityHere {
  const here = useContext(CommunityContext);
  if (here === undefined) throw new Error("no community above this component");
  return here;
}

/** Group of topics → areas of routes that read what it changed. */
const changedBy: Readonly<Record<string, readonly Changed[]>> = {
  community: ["communities.", "policy."],
  member: ["communities.", "roles.", "rooms."],
  role: ["roles.", "communities."],
  policy: ["policy.", "packages.", "modules."],
  module: ["modules.", "communities."],
  package: ["packages.", "jobs.", "deadLetters."],
  room: ["rooms."],
  proposal: ["proposals.", "votes."],
  comment: ["proposals."],
  vote: ["votes.", "proposals."],
  delegation: ["delegations."],
  moderation: ["moderation.", "proposals.", "rooms."],
  announcement: ["announcements."],
};

/** Routes whose answers an event made old. */
export function changesOf({ topic }: Pick<PublicEvent, "topic">): readonly Changed[] {
  return ["events.", ...(changedBy[topic.slice(0, topic.indexOf("."))] ?? [])];
}

/** A stream that lied or was refused for another reason than the reader's rights is tried again after so long. */
const doubtMs = 10_000;

/** Membership or the right to read ended: the pages ask again and say so. */
const isForGood = (error: unknown): boolean => isAppError(error) && [401, 403, 404].includes(error.status);

/** Follows the community's log and reads again what an event changed. Ends with the page. */
function useLiveEvents(ref: string, mayRead: boolean): void {
  const { client } = useSession();
  const queries = useQueryClient();
  useEffect(() => {
    if (!mayRead) return undefined;
    const ended = new AbortController();
    const { signal } = ended;
    const follow = async () => {
      for await (const event of client.followEvents(ref, { signal })) await readAgain(queries, changesOf(event));
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const begin = () => {
      follow().catch((error: unknown) => {
        if (signal.aborted) return;
        void readAgain(queries, ["communities."]);
        if (isForGood(error)) return;
        timer = setTimeout(() => {
          begin();
          // What happened meanwhile, nobody told.
          void queries.invalidateQueries();
        }, doubtMs);
      });
    };
    begin();
    signal.addEventListener("abort", () => clearTimeout(timer));
    return () => ended.abort();
  }, [client, queries, ref, mayRead]);
}

/** The ways of a community, and beside them the screen. */
export const communityColumns = "grid gap-6 lg:grid-cols-[13rem_minmax(0,1fr)]";

export function CommunityPlace({ reference, children }: { readonly reference: string; readonly children: ReactNode }) {
  const t = useAppTexts();
  const read = useRead("communities.get", { params: { community: reference } });
  const community = read.data;
  useLiveEvents(reference, community?.permissions.includes("events.read") ?? false);
  const here = useMemo<CommunityHere | undefined>(
    () =>
      community === undefined ? undefined : { community, ref: reference, can: (permission) => community.permissions.includes(permission) },
    [community, reference],
  );
  // A community one may no longer see is not shown from what was read before.
  const isGone = isAppError(read.error) && (read.error.status === 403 || read.error.status === 404);
  if (isGone || (read.isError && here === undefined))
    return (
      <Main>
        <Page>
          <PageHeader title={t("communityRefused")} />
          <Refusal error={read.error} onRetry={() => void read.refetch()} />
          {isGone && (
            <ul className="grid gap-2">
              <li>
                {t("doorHere")}{" "}
                <Link to="/communities/door/$community" params={{ community: reference }} className="underline">
                  {t("doorLook")}
                </Link>
              </li>
              <li>
                {t("removedHere")}{" "}
                <Link to="/communities/appeals/$community" params={{ community: reference }} className="underline">
                  {t("removedWhy")}
                </Link>
              </li>
            </ul>
          )}
        </Page>
      </Main>
    );
  if (here === undefined)
    return (
      <div className={communityColumns}>
        <div aria-hidden="true" className="h-11 animate-pulse rounded-lg bg-line lg:h-120" />
        <Main>
          <Page>
            <Skeleton rows={4} />
          </Page>
        </Main>
      </div>
    );
  return <CommunityContext.Provider value={here}>{children}</CommunityContext.Provider>;
}
