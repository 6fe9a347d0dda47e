/**
 * The frame around every screen: where one is, the ways to everything one may do, and whether the server is there.
 *
 * Invariant: a way is shown only to whoever may go it; on a phone the same ways are behind one button. Without an identity that the server knows,
 * the way in is shown in place of the screen, whatever the address, and the address stays.
 */
import { communityRefSchema } from "@althing/contract";
import { Link, Outlet, useMatches, useRouterState, type LinkProps } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { Page, Skeleton } from "../ui/index.ts";
import { useRead } from "./calls.ts";
import { CommunityPlace, communityColumns, useCommunity } from "./community.tsx";
import { FaultBoundary } from "./fault-boundary.tsx";
import { Main, NoPage } from "./main-place.tsx";
import { useSession, useSessionState } from "./session.tsx";
import { useAppTexts } from "./texts.ts";
import { UnreadRooms } from "./unread-rooms.tsx";

const EntryPage = lazy(() => import("../start/index.ts").then(({ EntryPage: component }) => ({ default: component })));

export function Shell() {
  const t = useAppTexts();
  const state = useSessionState();
  // Where one goes, and where one is: the screen that is left is drawn until the next one is there, and may break again.
  const place = useRouterState({ select: ({ location, resolvedLocation }) => `${location.pathname} ${resolvedLocation?.pathname ?? ""}` });
  return (
    <div className="grid min-h-dvh grid-rows-[auto_1fr]">
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:rounded-lg focus:bg-card focus:p-3">
        {t("skip")}
      </a>
      <header className="border-b border-line bg-card">
        <div className="mx-auto flex w-full max-w-7xl flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2">
          <Link to="/" className="flex min-h-11 items-center gap-2 font-bold text-ink no-underline">
            <Mark />
            Althing
          </Link>
          {state.status === "in" && <MainNav />}
          <p className="ms-auto truncate text-sm text-soft max-sm:hidden">{location.host}</p>
        </div>
      </header>
      <div className="mx-auto w-full max-w-7xl px-4 py-6">
        {state.status === "in" && <Connection />}
        <Suspense fallback={<Loading />}>
          <FaultBoundary resetKey={place}>
            {state.status === "loading" ? (
              <Loading />
            ) : state.status === "in" ? (
              <Outlet />
            ) : (
              <Main>
                <EntryPage />
              </Main>
            )}
          </FaultBoundary>
        </Suspense>
      </div>
    </div>
  );
}

function Mark() {
  return (
    <svg aria-hidden="true" viewBox="0 0 24 24" className="size-6 fill-accent">
      <rect x="2" y="9" width="5" height="13" rx="1.5" />
      <rect x="9.5" y="2" width="5" height="20" rx="1.5" />
      <rect x="17" y="9" width="5" height="13" rx="1.5" />
    </svg>
  );
}

function Loading() {
  return (
    <Main>
      <Page>
        <Skeleton rows={4} />
      </Page>
    </Main>
  );
}

const navLink = "flex min-h-11 items-center rounded-lg px-3 font-semibold text-soft no-underline hover:bg-raised hover:text-ink";
const navLinkHere = { className: "!bg-accent-tint !text-accent", "aria-current": "page" as const };

function MainNav() {
  const t = useAppTexts();
  const { user } = useSession();
  return (
    <nav aria-label={t("mainNav")} className="flex flex-wrap items-center gap-1 max-sm:-ms-1.5 max-sm:gap-x-0.5 max-sm:[&>a]:px-1.5">
      <Link to="/" className={navLink} activeProps={navLinkHere} activeOptions={{ exact: true }}>
        {t("home")}
      </Link>
      <Link to="/rooms" className={`${navLink} relative`} activeProps={navLinkHere}>
        {t("yourRooms")}
        <UnreadRooms />
      </Link>
      {user.role === "admin" && (
        <Link to="/instance" className={navLink} activeProps={navLinkHere}>
          {t("instance")}
        </Link>
      )}
      <Link to="/identity" className={navLink} activeProps={navLinkHere}>
        {t("identity")}
      </Link>
    </nav>
  );
}

/** Says that the server is not reached, and that it is again. */
function Connection() {
  const t = useAppTexts();
  const { client } = useSession();
  const [state, setState] = useState<"there" | "lost" | "back">("there");
  useEffect(
    () =>
      client.on("connection", ({ plane, state: next }) => {
        if (plane === "http") setState((before) => (next === "connected" ? (before === "lost" ? "back" : before) : "lost"));
      }),
    [client],
  );
  return (
    <p role="status" data-notice="instance" className={state === "lost" ? "mb-4 rounded-lg bg-note-tint p-3 text-note" : "sr-only"}>
      {state === "lost" ? t("connection.lost") : state === "back" ? t("connection.back") : ""}
    </p>
  );
}

/** Screens outside of communities. */
export function PlainFrame() {
  return (
    <Main>
      <Outlet />
    </Main>
  );
}

/** Screens of one community, with the ways between them. */
export function CommunityFrame() {
  const reference = useMatches({
    select: (matches) =>
      matches.map(({ params }) => ("community" in params ? params.community : undefined)).find((found) => found !== undefined),
  });
  if (!communityRefSchema.safeParse(reference).success || reference === undefined) return <NoPage />;
  return (
    <CommunityPlace reference={reference}>
      <div className={communityColumns}>
        <CommunityNav />
        <Main>
          <Outlet />
        </Main>
      </div>
    </CommunityPlace>
  );
}

type Way = Pick<LinkProps, "to"> & { readonly name: string; readonly isShown: boolean; readonly isExact?: boolean };

function useWays(): readonly Way[] {
  const t = useAppTexts();
  const { community, can } = useCommunity();
  const isMember = community.roles !== undefined;
  return [
    { to: "/c/$community", name: t("nav.overview"), isShown: true, isExact: true },
    { to: "/c/$community/rooms", name: t("nav.rooms"), isShown: isMember },
    { to: "/c/$community/proposals", name: t("nav.proposals"), isShown: true },
    { to: "/c/$community/delegation", name: t("nav.delegation"), isShown: true },
    { to: "/c/$community/announcements", name: t("nav.announcements"), isShown: true },
    { to: "/c/$community/members", name: t("nav.members"), isShown: true },
    { to: "/c/$community/moderation", name: t("nav.moderation"), isShown: true },
    { to: "/c/$community/events", name: t("nav.events"), isShown: can("events.read") },
    { to: "/c/$community/plugins", name: t("nav.plugins"), isShown: can("plugins.read") },
    { to: "/c/$community/settings", name: t("nav.settings"), isShown: can("community.manage") || isMember },
  ];
}

function CommunityNav() {
  const t = useAppTexts();
  const { community, ref } = useCommunity();
  const [isOpen, setIsOpen] = useState(false);
  const path = useRouterState({ select: ({ location }) => location.pathname });
  useEffect(() => setIsOpen(false), [path]);
  const ways = useWays();
  const pages = useRead("packages.pages", { params: { community: ref } }, { enabled: community.roles !== undefined });
  const extensions = (pages.data?.extensions ?? []).filter(({ uiUrl }) => uiUrl !== undefined);
  return (
    <nav aria-label={t("communityNav")} className="min-w-0">
      <div className="flex items-center justify-between gap-2">
        <p className="truncate px-3 py-2 text-lg font-bold">
          <bdi>{community.displayName}</bdi>
        </p>
        <button
          type="button"
          aria-expanded={isOpen}
          className="min-h-11 shrink-0 rounded-lg border border-edge bg-card px-3 font-semibold lg:hidden"
          onClick={() => setIsOpen(!isOpen)}
        >
          {isOpen ? t("closeMenu") : t("menu")}
        </button>
      </div>
      <ul className={isOpen ? "grid gap-0.5" : "grid gap-0.5 max-lg:hidden"}>
        {ways
          .filter(({ isShown }) => isShown)
          .map(({ to, name, isExact }) => (
            <li key={name}>
              <Link
                {...(to === undefined ? {} : { to })}
                params={{ community: ref }}
                className={navLink}
                activeProps={navLinkHere}
                activeOptions={{ exact: isExact === true }}
              >
                {name}
              </Link>
            </li>
          ))}
        {extensions.length > 0 && <li className="px-3 pt-4 text-sm font-semibold text-soft">{t("extensions")}</li>}
        {extensions.map(({ extension, displayName }) => (
          <li key={extension}>
            <Link
              to="/c/$community/x/$extension/$"
              params={{ community: ref, extension, _splat: "" }}
              className={navLink}
              activeProps={navLinkHere}
            >
              <bdi>{displayName}</bdi>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
