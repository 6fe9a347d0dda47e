/** Communities that are open to everybody on the instance, or that one can ask. */
import type { CommunityDoor } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { usePages } from "../app/calls.ts";
import { useMorePages } from "../app/people.tsx";
import { wholeNumber } from "../app/times.ts";
import { useSettled } from "../app/use-settled.ts";
import { Badge, Card, EmptyState, LinkButton, ListState, Page, PageHeader, SearchField } from "../ui/index.ts";
import { hasWords } from "./own-communities.ts";
import { useStartTexts } from "./texts.ts";

type Listed = Omit<CommunityDoor, "rules" | "rulesVersion" | "questions" | "request">;

export function DirectoryPage() {
  const t = useStartTexts();
  const [search, setSearch] = useState("");
  const q = useSettled(search.trim());
  const list = usePages(
    "communities.directory",
    (after) => ({ query: { limit: 100, ...(q === "" ? {} : { q: q.slice(0, 100) }), ...(after === undefined ? {} : { after }) } }),
    ({ communities, next }) => ({ rows: communities, next }),
  );
  useMorePages(list, q !== "");
  const shown = list.rows.filter(({ name, displayName, description }) => hasWords(search, [name, displayName, description]));
  return (
    <Page>
      <PageHeader title={t("directory.title")} lead={t("directory.lead")} />
      {(list.rows.length > 0 || search !== "") && <SearchField label={t("directory.search")} value={search} onChange={setSearch} />}
      <ListState
        list={list}
        waiting={{ height: "h-43 sm:h-33" }}
        empty={
          <EmptyState
            title={t("directory.empty")}
            actions={
              <LinkButton to="/communities/invitation" tone="quiet">
                {t("home.useInvitation")}
              </LinkButton>
            }
          >
            {t("directory.emptyText")}
          </EmptyState>
        }
      >
        <p role="status" className="text-sm text-soft">
          {t("directory.count", { count: shown.length })}
        </p>
        {shown.length === 0 && (
          <EmptyState title={t("directory.noMatch")}>{list.hasMore ? t("directory.noMatchText") : t("directory.noMatchEnd")}</EmptyState>
        )}
        <ul className="grid gap-4">
          {shown.map((community) => (
            <li key={community.id}>
              <DirectoryRow community={community} />
            </li>
          ))}
        </ul>
      </ListState>
    </Page>
  );
}

function DirectoryRow({ community }: { readonly community: Listed }) {
  const t = useStartTexts();
  const params = { community: community.name };
  return (
    <Card className="grid gap-3 sm:grid-cols-[1fr_auto] sm:items-center">
      <div className="grid min-w-0 gap-1">
        <h2 className="flex flex-wrap items-center gap-x-3 gap-y-1 text-lg font-bold">
          <bdi>{community.displayName}</bdi>
          {community.isMember ? (
            <Badge tone="accent">{t("directory.member")}</Badge>
          ) : (
            <Badge tone={community.registration === "open" ? "good" : "note"}>
              {community.registration === "open" ? t("directory.open") : t("directory.approval")}
            </Badge>
          )}
        </h2>
        <p className="text-sm text-soft">
          <span className="font-mono">{community.name}</span> ·{" "}
          {t("home.members", { count: community.members, members: wholeNumber(community.members) })}
        </p>
        <p className="line-clamp-3">
          {community.description === "" ? <span className="text-soft">{t("home.noDescription")}</span> : <bdi>{community.description}</bdi>}
        </p>
      </div>
      <div>
        {community.isMember ? (
          <LinkButton to="/c/$community" params={params} tone="quiet">
            {t("directory.go")}
          </LinkButton>
        ) : (
          <LinkButton to="/communities/door/$community" params={params}>
            {t("directory.look")}
          </LinkButton>
        )}
      </div>
    </Card>
  );
}

/** The way back up, above the pages that the directory leads to. */
export function DirectoryLink() {
  const t = useStartTexts();
  return <Link to="/communities/directory">{t("door.above")}</Link>;
}
