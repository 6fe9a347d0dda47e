/**
 * What people say about a proposal: threads of one level, in the order they were written.
 *
 * Invariant: a removed comment keeps its place and says who removed it and why; what is typed stays in its field when it is refused.
 */
import type { Comment, Proposal } from "@althing/contract";
import { usePages } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { EmptyState, ListState, Section } from "../ui/index.ts";
import { CommentForm } from "./comment-form.tsx";
import { CommentItem } from "./comment-item.tsx";
import { useTalkTexts } from "./talk-texts.ts";
import type { OfProposal } from "./use-proposal.ts";

export function Comments({ proposal, params }: { readonly proposal: Proposal; readonly params: OfProposal }) {
  const t = useTalkTexts();
  const { can } = useCommunity();
  const list = usePages(
    "proposals.comments",
    (after) => ({ params, query: { limit: 50, ...(after === undefined ? {} : { after }) } }),
    ({ comments, next }) => ({ rows: comments, next }),
  );
  const isTalked = proposal.state === "discussion" || proposal.state === "voting";
  const maySpeak = isTalked && can("proposals.create");
  const why = proposal.state === "draft" ? t("notYet") : !isTalked ? t("over") : maySpeak ? undefined : t("notAllowed");
  return (
    <Section title={t("comments")} id="discussion">
      <div className="grid gap-6">
        <ListState
          list={list}
          waiting={{ height: "h-50" }}
          empty={proposal.state === "draft" ? null : <EmptyState title={t("noComments")}>{t("noCommentsText")}</EmptyState>}
        >
          <Threads comments={list.rows} params={params} maySpeak={maySpeak} />
        </ListState>
        {why === undefined ? <CommentForm params={params} /> : <p className="text-soft">{why}</p>}
      </div>
    </Section>
  );
}

/** Answers below what they answer, whatever the pages broke apart. */
export function threadsOf(comments: readonly Comment[]): readonly { readonly top: Comment; readonly answers: readonly Comment[] }[] {
  const known = new Set(comments.map(({ id }) => id));
  const tops = comments.filter(({ parent }) => parent === undefined || !known.has(parent));
  return tops.map((top) => ({ top, answers: comments.filter(({ parent }) => parent === top.id) }));
}

function Threads({
  comments,
  params,
  maySpeak,
}: {
  readonly comments: readonly Comment[];
  readonly params: OfProposal;
  readonly maySpeak: boolean;
}) {
  const t = useTalkTexts();
  return (
    <ol className="grid gap-5">
      {threadsOf(comments).map(({ top, answers }) => (
        <li key={top.id} className="grid gap-3">
          <CommentItem
            comment={top}
            params={params}
            maySpeak={maySpeak}
            mayAnswer={maySpeak && top.parent === undefined && top.removed === undefined}
          />
          {answers.length > 0 && (
            <ol aria-label={t("answers")} className="grid gap-3 border-s-2 border-line ps-4">
              {answers.map((answer) => (
                <li key={answer.id}>
                  <CommentItem comment={answer} params={params} maySpeak={maySpeak} mayAnswer={false} />
                </li>
              ))}
            </ol>
          )}
        </li>
      ))}
    </ol>
  );
}
