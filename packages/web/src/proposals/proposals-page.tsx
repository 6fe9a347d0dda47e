/**
 * Proposals of a community: what waits for the reader's vote first, then all others, newest first.
 *
 * Invariant: what is searched is everything there is and not only what was loaded: the server searches, and the pages of what it finds are gone through by themselves.
 */
import { proposalStates, type ProposalState, type ProposalSummary } from "@althing/contract";
import { useEffect, useState, type ReactNode } from "react";
import { usePages, useRead, useReads, type PagesResult } from "../app/calls.ts";
import { useSettled } from "../app/use-settled.ts";
import { useCommunity } from "../app/community.tsx";
import { CheckField, EmptyState, LinkButton, ListState, Page, PageHeader, Refusal, SearchField, SelectField } from "../ui/index.ts";
import { byEnd, needsVote } from "./proposal-life.ts";
import { ProposalRow } from "./proposal-row.tsx";
import { useProposalTexts } from "./texts.ts";

interface Filter {
  readonly state: ProposalState | undefined;
  readonly isMine: boolean;
  readonly search: string;
}

/** How many running votes are asked about. */
const papersMax = 30;
const searchedMax = 2_000;

interface OpenVotes {
  readonly needed: readonly ProposalSummary[];
  readonly cast: ReadonlySet<string>;
  /** Why it is not known of some of them whether they wait for the reader. */
  readonly error: Error | null;
  retry(): void;
}

/** Votes that run, with what they know of the reader. */
function useOpenVotes(): OpenVotes {
  const { ref } = useCommunity();
  const running = useRead("proposals.list", { params: { community: ref }, query: { state: "voting", limit: papersMax } });
  const rows = running.data?.proposals ?? [];
  // Whether somebody may vote is asked only where they have not: the list knows the rest.
  const left = rows.filter(({ voted }) => voted !== true);
  const {
    answers: papers,
    error,
    retry,
  } = useReads(
    "votes.paper",
    left.map(({ id }) => ({ params: { community: ref, proposal: id } })),
  );
  return {
    needed: left.filter((_, at) => needsVote(papers[at])).toSorted(byEnd),
    cast: new Set(rows.filter(({ voted }) => voted === true).map(({ id }) => id)),
    error,
    retry,
  };
}

function useProposals({ state, isMine, search: typed }: Filter): PagesResult<ProposalSummary> {
  const { ref } = useCommunity();
  const search = useSettled(typed.trim());
  const mine: "true" | "false" = isMine ? "true" : "false";
  const list = usePages(
    "proposals.list",
    (after) => ({
      params: { community: ref },
      query: {
        limit: search === "" ? 25 : 100,
        mine,
        ...(search === "" ? {} : { q: search.slice(0, 100) }),
        ...(state === undefined ? {} : { state }),
        ...(after === undefined ? {} : { after }),
      },
    }),
    ({ proposals, next }) => ({ rows: proposals, next }),
  );
  const { hasMore, isLoadingMore, loadMore, rows } = list;
  const goesOn = search !== "" && hasMore && !isLoadingMore && rows.length < searchedMax;
  useEffect(() => {
    if (goesOn) loadMore();
  });
  return search === "" ? list : { ...list, hasMore: hasMore && rows.length >= searchedMax };
}

export function ProposalsPage() {
  const t = useProposalTexts();
  const { ref, can } = useCommunity();
  const [filter, setFilter] = useState<Filter>({ state: undefined, isMine: false, search: "" });
  const mayPropose = can("proposals.create");
  const add = (
    <LinkButton to="/c/$community/proposals/new" params={{ community: ref }}>
      {t("new")}
    </LinkButton>
  );
  return (
    <Page>
      <PageHeader title={t("title")} lead={t("lead")} actions={mayPropose ? add : undefined} />
      <Filters filter={filter} onChange={setFilter} />
      <Lists filter={filter} add={mayPropose ? add : undefined} />
    </Page>
  );
}

function Filters({ filter, onChange }: { readonly filter: Filter; readonly onChange: (filter: Filter) => void }) {
  const t = useProposalTexts();
  const states = [{ value: "", label: t("allStates") }, ...proposalStates.map((state) => ({ value: state, label: t(`state.${state}`) }))];
  return (
    <div role="search" className="grid items-end gap-3 sm:grid-cols-[minmax(0,1fr)_14rem_auto]">
      <SearchField label={t("search")} value={filter.search} onChange={(search) => onChange({ ...filter, search })} />
      <SelectField
        label={t("showState")}
        hideLabel
        options={states}
        value={filter.state ?? ""}
        onChange={({ target: { value } }) => onChange({ ...filter, state: proposalStates.find((state) => state === value) })}
      />
      <CheckField
        label={t("mine")}
        checked={filter.isMine}
        className="min-h-11 items-center"
        onChange={({ target: { checked } }) => onChange({ ...filter, isMine: checked })}
      />
    </div>
  );
}

function Lists({ filter, add }: { readonly filter: Filter; readonly add: ReactNode }) {
  const t = useProposalTexts();
  const list = useProposals(filter);
  const { needed, cast, error, retry } = useOpenVotes();
  const search = filter.search.trim();
  const isPlain = filter.state === undefined && !filter.isMine && search === "";
  const waiting = isPlain ? needed : [];
  const isWaiting = new Set(needed.map(({ id }) => id));
  const rest = list.rows.filter(({ id }) => !(isPlain && isWaiting.has(id)));
  const voteOf = (id: string) => (isWaiting.has(id) ? "needed" : cast.has(id) ? "cast" : undefined);
  if (search !== "" && list.isLoadingMore) return <p role="status">{t("searching")}</p>;
  return (
    <div className="grid gap-8">
      {error !== null && <Refusal title={t("needsUnknown")} error={error} onRetry={retry} />}
      {waiting.length > 0 && <Group title={t("needsYou")} rows={waiting} voteOf={voteOf} />}
      <ListState list={{ ...list, rows: list.rows }} waiting={{ height: "h-24" }} empty={<Empty filter={filter} add={add} />}>
        {rest.length > 0 && (
          <Group
            title={waiting.length > 0 ? t("others") : t("listName")}
            isTitleHidden={waiting.length === 0}
            rows={rest}
            voteOf={voteOf}
          />
        )}
      </ListState>
    </div>
  );
}

function Group({
  title,
  rows,
  voteOf,
  isTitleHidden = false,
}: {
  readonly title: string;
  readonly rows: readonly ProposalSummary[];
  readonly voteOf: (id: string) => "needed" | "cast" | undefined;
  readonly isTitleHidden?: boolean;
}) {
  return (
    <section aria-label={title} className="grid gap-3">
      <h2 className={isTitleHidden ? "sr-only" : "text-xl font-bold"}>{title}</h2>
      <ul className="grid gap-3">
        {rows.map((row) => (
          <li key={row.id}>
            <ProposalRow proposal={row} vote={voteOf(row.id)} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Empty({ filter, add }: { readonly filter: Filter; readonly add: ReactNode }) {
  const t = useProposalTexts();
  if (filter.search.trim() !== "") return <EmptyState title={t("notFound")}>{t("notFoundText")}</EmptyState>;
  if (filter.isMine)
    return (
      <EmptyState title={t("noneMine")} actions={add}>
        {t("noneMineText")}
      </EmptyState>
    );
  if (filter.state !== undefined) return <EmptyState title={t("noneOfState")}>{t("noneOfStateText")}</EmptyState>;
  return (
    <EmptyState title={t("empty")} actions={add}>
      {t("emptyText")} {add === undefined && t("emptyWho")}
    </EmptyState>
  );
}
