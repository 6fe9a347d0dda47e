/** A proposal in the list: what it is about, how far it is, and whether it waits for the reader. */
import type { ProposalState, ProposalSummary, TallyReport } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import { useCommunity } from "../app/community.tsx";
import { Badge, Time, type Tone } from "../ui/index.ts";
import { PersonOf } from "./person-of.tsx";
import { useProposalTexts } from "./texts.ts";

const tones: Readonly<Record<ProposalState, Tone>> = {
  draft: "plain",
  discussion: "accent",
  voting: "note",
  opening: "note",
  decided: "plain",
  withdrawn: "plain",
};
const outcomeTones: Readonly<Record<TallyReport["outcome"], Tone>> = {
  passed: "good",
  elected: "good",
  failed: "bad",
  rejected: "bad",
  no_quorum: "plain",
  no_ballots: "plain",
};

export function StateBadge({ state, outcome }: { readonly state: ProposalState; readonly outcome?: TallyReport["outcome"] | undefined }) {
  const t = useProposalTexts();
  if (outcome !== undefined) return <Badge tone={outcomeTones[outcome]}>{t(`outcome.${outcome}`)}</Badge>;
  return <Badge tone={tones[state]}>{t(`state.${state}`)}</Badge>;
}

/** @param vote what is known of the reader's own vote: absent where there is none to cast */
export function ProposalRow({ proposal, vote }: { readonly proposal: ProposalSummary; readonly vote?: "needed" | "cast" | undefined }) {
  const t = useProposalTexts();
  const { ref } = useCommunity();
  const { id, title, state, outcome, author, createdAt, closesAt, closedAt, comments, ballots, topic } = proposal;
  return (
    <article className="relative grid gap-2 rounded-card border border-line bg-card p-4 hover:border-edge">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-1">
        <h3 className="min-w-0 text-lg font-semibold">
          <Link
            to="/c/$community/proposals/$proposal"
            params={{ community: ref, proposal: id }}
            className="no-underline after:absolute after:inset-0 after:rounded-card hover:underline"
          >
            <bdi>{title}</bdi>
          </Link>
        </h3>
        <span className="flex flex-wrap gap-1.5">
          {vote === "needed" && <Badge tone="accent">{t("voteNow")}</Badge>}
          {vote === "cast" && <Badge tone="good">{t("voted")}</Badge>}
          <StateBadge state={state} outcome={outcome} />
        </span>
      </div>
      <p className="flex flex-wrap items-center gap-x-4 gap-y-1 text-sm text-soft">
        <PersonOf endpoint={author} />
        <span>
          {state === "voting" && closesAt !== undefined ? (
            <>
              {t("ends")} <Time at={closesAt} />
            </>
          ) : closedAt !== undefined ? (
            <>
              {t("ended")} <Time at={closedAt} />
            </>
          ) : (
            <>
              {t("made")} <Time at={createdAt} />
            </>
          )}
        </span>
        {comments > 0 && <span>{t("comments", { count: comments })}</span>}
        {state === "voting" && <span>{t("ballots", { count: ballots })}</span>}
        {topic !== undefined && (
          <span>
            {t("topic")}: <bdi>{topic}</bdi>
          </span>
        )}
      </p>
    </article>
  );
}
