/**
 * The ledger of moderation: what concerns the reader first, then everything.
 *
 * Invariant: every member reads every entry; what is loaded can be searched and narrowed, and the rest comes by pages.
 */
import { useState } from "react";
import { usePages } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Button, EmptyState, ListState, Page, PageHeader, SearchField, Section, SelectField } from "../ui/index.ts";
import { AboutMeSection, useMine } from "./about-me.tsx";
import { LedgerCard } from "./ledger-card.tsx";
import { ledgerViews, pickEntries, type LedgerView } from "./ledger-view.ts";
import { ModerateDialog } from "./moderate-dialog.tsx";
import { useModerationTexts } from "./texts.ts";

export function ModerationPage() {
  const t = useModerationTexts();
  const { community, ref, can } = useCommunity();
  const [isActing, setIsActing] = useState(false);
  return (
    <Page>
      <PageHeader
        title={t("title")}
        lead={t("lead")}
        actions={can("moderation.act") && <Button onClick={() => setIsActing(true)}>{t("act")}</Button>}
      />
      {community.roles === undefined ? <Ledger /> : <LedgerOfMember community={ref} />}
      {isActing && <ModerateDialog onClose={() => setIsActing(false)} />}
    </Page>
  );
}

/** What concerns the reader stands above the ledger, which waits for it: else it would be pushed down when it comes. */
function LedgerOfMember({ community }: { readonly community: string }) {
  const mine = useMine(community);
  return (
    <>
      <AboutMeSection community={community} list={mine} />
      <Ledger isHeld={mine.isPending} />
    </>
  );
}

function Ledger({ isHeld = false }: { readonly isHeld?: boolean }) {
  const t = useModerationTexts();
  const { ref, can } = useCommunity();
  const [view, setView] = useState<LedgerView>("all");
  const [text, setText] = useState("");
  const list = usePages(
    "moderation.ledger",
    (before) => ({ params: { community: ref }, query: { limit: 50, ...(before === undefined ? {} : { before }) } }),
    ({ entries, next }) => ({ rows: entries, next }),
  );
  const rows = pickEntries(list.rows, view, text);
  const mayReview = can("moderation.review");
  return (
    <Section title={t("list.label")} lead={can("moderation.act") ? t("decide.who") : `${t("actWho")} ${t("decide.who")}`}>
      <ListState
        list={isHeld ? { ...list, isPending: true, rows: [], error: null } : list}
        waiting={{ rows: 2, height: "h-105 sm:h-85" }}
        empty={<EmptyState title={t("list.none")}>{t("list.noneText")}</EmptyState>}
      >
        <div className="grid gap-3 sm:grid-cols-[1fr_14rem]">
          <SearchField label={t("search")} value={text} onChange={setText} />
          <SelectField
            label={t("filter.label")}
            hideLabel
            options={ledgerViews.map((one) => ({ value: one, label: t(`filter.${one}`) }))}
            value={view}
            onChange={({ target }) => setView(ledgerViews.find((one) => one === target.value) ?? "all")}
          />
        </div>
        {rows.length === 0 && <EmptyState title={t("list.noneFits")}>{t("list.noneFitsText")}</EmptyState>}
        <ul className="grid gap-3">
          {rows.map((entry) => (
            <li key={entry.id}>
              <LedgerCard entry={entry} community={ref} mayAct={can("moderation.act")} mayReview={mayReview} />
            </li>
          ))}
        </ul>
      </ListState>
    </Section>
  );
}
