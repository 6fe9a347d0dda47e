/**
 * What moderators did that concerns the reader, with the way to appeal; in the ledger, and as a page of its own for who was removed.
 *
 * Invariant: it works without being a member, because who was removed appeals from outside.
 */
import { useParams } from "@tanstack/react-router";
import { usePages, type PagesResult } from "../app/calls.ts";
import type { LedgerEntry } from "@althing/contract";
import { Card, EmptyState, ListState, Page, PageHeader, Section, Time } from "../ui/index.ts";
import { LedgerCard } from "./ledger-card.tsx";
import { runningMute } from "./ledger-view.ts";
import { useModerationTexts } from "./texts.ts";

/** Outside of a community nothing tells of changes. */
const askedAgainMs = 20_000;

export function useMine(community: string, everyMs?: number): PagesResult<LedgerEntry> {
  return usePages(
    "moderation.mine",
    (before) => ({ params: { community }, query: { limit: 20, ...(before === undefined ? {} : { before }) } }),
    ({ entries, next }) => ({ rows: entries, next }),
    everyMs === undefined ? {} : { everyMs },
  );
}

/** In the ledger: nothing at all when nothing concerns the reader. */
export function AboutMeSection({ community, list }: { readonly community: string; readonly list: PagesResult<LedgerEntry> }) {
  const t = useModerationTexts();
  if (list.rows.length === 0 && list.error === null) return null;
  return (
    <Section title={t("mine.title")} lead={t("mine.lead")}>
      <Entries list={list} community={community} />
    </Section>
  );
}

/** `/communities/appeals/$community`: also for who is no member any more. */
export function AboutMePage() {
  const t = useModerationTexts();
  const { community } = useParams({ from: "/plain/communities/appeals/$community" });
  const list = useMine(community, askedAgainMs);
  return (
    <Page>
      <PageHeader title={t("mine.pageTitle", { community })} lead={t("mine.pageLead")} />
      <Section title={t("mine.title")} lead={t("mine.lead")}>
        <Entries list={list} community={community} />
      </Section>
    </Page>
  );
}

function Entries({ list, community }: { readonly list: PagesResult<LedgerEntry>; readonly community: string }) {
  const t = useModerationTexts();
  const mute = runningMute(list.rows);
  return (
    <ListState
      list={list}
      waiting={{ rows: 2, height: "h-110 sm:h-92" }}
      empty={<EmptyState title={t("mine.none")}>{t("mine.noneText")}</EmptyState>}
    >
      {mute?.expiresAt !== undefined && (
        <div role="status">
          <Card tone="note">
            <p className="font-semibold">{t("mine.mutedTitle")}</p>
            <p>{t("mine.muted")}</p>
            <p>
              {t("mine.mutedUntil")} <Time at={mute.expiresAt} form="short" />
            </p>
          </Card>
        </div>
      )}
      <ul className="grid gap-3">
        {list.rows.map((entry) => (
          <li key={entry.id}>
            <LedgerCard entry={entry} community={community} mayAct={false} mayReview={false} isMine />
          </li>
        ))}
      </ul>
    </ListState>
  );
}
