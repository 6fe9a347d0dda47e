/** Home: one's communities, and the ways to more of them; for admins also the way to bring people in. */
import type { Community } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { usePages } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { wholeNumber } from "../app/times.ts";
import { useToken } from "../app/token.tsx";
import { Badge, Button, Card, EmptyState, LinkButton, ListState, Page, PageHeader, SearchField, Section } from "../ui/index.ts";
import { RequestPart, useOwnRequest } from "./found-community-page.tsx";
import { InstanceInvitation } from "./instance-invitation.tsx";
import { hasWords, readCommunities } from "./own-communities.ts";
import { useStartTexts } from "./texts.ts";
import { useMayFound } from "./use-founding.ts";
import { WaysIn } from "./ways-in.tsx";

/** From here on a list is worth searching. */
const searchableFrom = 6;

export function HomePage() {
  const t = useStartTexts();
  const { user } = useSession();
  const { request } = useOwnRequest();
  const mayFound = useMayFound();
  const [search, setSearch] = useState("");
  const list = usePages(
    "communities.list",
    (after) => ({ query: { limit: 100, ...(after === undefined ? {} : { after }) } }),
    readCommunities,
  );
  const shown = list.rows.filter(({ name, displayName, description }) => hasWords(search, [name, displayName, description]));
  return (
    <Page wide>
      <PageHeader title={t("home.title")} lead={t("home.hello", { handle: user.handle })} actions={list.rows.length > 0 && <FoundLink />} />
      <HeldToken />
      {request !== undefined && user.role !== "admin" && <RequestPart request={request} />}
      {list.rows.length >= searchableFrom && <SearchField label={t("home.search")} value={search} onChange={setSearch} />}
      <ListState
        list={list}
        waiting={{ rows: 1, height: "h-40" }}
        empty={
          <EmptyState
            title={t("home.empty")}
            actions={
              <>
                <WaysIn />
                <FoundLink />
              </>
            }
          >
            {t(mayFound ? "home.emptyText" : "home.emptyTextJoin")}
          </EmptyState>
        }
      >
        {shown.length === 0 ? (
          <p className="text-soft">{t("home.noneFound")}</p>
        ) : (
          <ul className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
            {shown.map((community) => (
              <li key={community.id} className="min-w-0">
                <CommunityCard community={community} />
              </li>
            ))}
          </ul>
        )}
      </ListState>
      <More />
    </Page>
  );
}

function FoundLink() {
  const t = useStartTexts();
  if (!useMayFound()) return null;
  return (
    <LinkButton to="/communities/new" tone="quiet">
      {t("home.found")}
    </LinkButton>
  );
}

/** The title's link covers the card, so that the whole of it can be pressed and is one thing for a screen reader. */
function CommunityCard({ community }: { readonly community: Community }) {
  const t = useStartTexts();
  return (
    <Card className="relative flex h-full flex-col gap-3 hover:border-accent">
      <div className="min-w-0">
        <h2 className="text-lg font-bold">
          <Link
            to="/c/$community"
            params={{ community: community.name }}
            className="text-ink no-underline after:absolute after:inset-0 hover:text-accent"
          >
            <bdi>{community.displayName}</bdi>
          </Link>
        </h2>
        <p className="font-mono text-sm text-soft">{community.name}</p>
      </div>
      <p className="line-clamp-3 grow text-soft">
        {community.description === "" ? t("home.noDescription") : <bdi>{community.description}</bdi>}
      </p>
      <p className="flex flex-wrap items-center gap-2 text-sm">
        <span className="me-auto text-soft">
          {t("home.members", { count: community.members, members: wholeNumber(community.members) })}
        </span>
        {(community.roles ?? []).map((role) => (
          <Badge key={role} tone="accent">
            {role}
          </Badge>
        ))}
      </p>
    </Card>
  );
}

/** A link that was opened by somebody who is in already. */
function HeldToken() {
  const t = useStartTexts();
  const { token, drop } = useToken();
  if (token === undefined) return null;
  const isInvitation = token.kind === "invitation";
  return (
    <Card tone="note" className="flex flex-wrap items-center justify-between gap-3">
      <p className="min-w-0">
        {isInvitation ? t("home.heldInvitation") : token.kind === "join" ? t("home.heldJoin") : t("home.heldClaim")}
      </p>
      {isInvitation ? (
        <LinkButton to="/communities/invitation" tone="quiet">
          {t("home.heldInvitationGo")}
        </LinkButton>
      ) : (
        <Button tone="quiet" onClick={drop}>
          {t("home.heldDismiss")}
        </Button>
      )}
    </Card>
  );
}

function More() {
  const t = useStartTexts();
  const { user } = useSession();
  const mayFound = useMayFound();
  const ways = [
    { to: "/communities/directory", title: t("home.find"), text: t("home.directoryText") },
    { to: "/communities/invitation", title: t("home.useInvitation"), text: t("home.invitationText") },
    { to: "/communities/welcome", title: t("home.tour"), text: t("home.tourText") },
    ...(mayFound ? ([{ to: "/communities/new", title: t("home.found"), text: t("home.foundText") }] as const) : []),
  ] as const;
  return (
    <div className="grid gap-6 lg:grid-cols-2">
      <Section title={t("home.more")}>
        <ul className="grid gap-1">
          {ways.map(({ to, title, text }) => (
            <li key={to} className="relative rounded-lg px-2 py-2 hover:bg-raised">
              <Link to={to} className="font-semibold no-underline after:absolute after:inset-0 hover:underline">
                {title}
              </Link>
              <p className="text-sm text-soft">{text}</p>
            </li>
          ))}
        </ul>
      </Section>
      <Section title={t("home.inviteTitle")} lead={user.role === "admin" ? t("home.inviteText") : t("home.inviteOthers")}>
        {user.role === "admin" && <InstanceInvitation />}
      </Section>
    </div>
  );
}
