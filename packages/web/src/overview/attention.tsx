/** The list of what waits for the reader, each with the way to it. */
import { Link, type LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useCommunity } from "../app/community.tsx";
import { Badge, Refusal, Section, Skeleton, Time, type Tone } from "../ui/index.ts";
import { apart } from "./event-lines.ts";
import { useOverviewTexts } from "./texts.ts";
import { useAttention, type Waiting } from "./use-attention.ts";

interface Item {
  readonly key: string;
  readonly kind: string;
  readonly tone: Tone;
  readonly text: string;
  readonly to: LinkProps["to"];
  readonly params?: Readonly<Record<string, string>>;
  /** When it ends. */
  readonly ends?: string;
}

function useItems(waiting: Waiting): readonly Item[] {
  const t = useOverviewTexts();
  const { votes, moreVotes, discussions, drafts, appeals, requests, blocked, announcements } = waiting;
  const counted = (count: number, item: Item): readonly Item[] => (count === 0 ? [] : [item]);
  return [
    ...votes.map(({ id, title, closesAt }) => ({
      ...{
        key: id,
        kind: t("now.kindVote"),
        tone: "accent" as const,
        text: apart(title),
        to: "/c/$community/proposals/$proposal" as const,
        params: { proposal: id },
      },
      ...(closesAt === undefined ? {} : { ends: closesAt }),
    })),
    ...counted(moreVotes, {
      key: "votes",
      kind: t("now.kindVote"),
      tone: "accent",
      text: t("now.votesMore", { count: moreVotes }),
      to: "/c/$community/proposals",
    }),
    ...counted(appeals, {
      key: "appeals",
      kind: t("now.kindAppeal"),
      tone: "bad",
      text: t("now.appeal", { count: appeals }),
      to: "/c/$community/moderation",
    }),
    ...counted(requests, {
      key: "requests",
      kind: t("now.kindRequest"),
      tone: "note",
      text: t("now.request", { count: requests }),
      to: "/c/$community/members/requests",
    }),
    ...counted(blocked, {
      key: "blocked",
      kind: t("now.kindPackage"),
      tone: "bad",
      text: t("now.blocked", { count: blocked }),
      to: "/c/$community/plugins",
    }),
    ...counted(announcements.length, {
      key: "announcements",
      kind: t("now.kindAnnouncement"),
      tone: "good",
      text: t("now.announcement", { count: announcements.length }),
      to: "/c/$community/announcements",
    }),
    ...counted(discussions, {
      key: "discussions",
      kind: t("now.kindDiscussion"),
      tone: "plain",
      text: t("now.discussion", { count: discussions }),
      to: "/c/$community/proposals",
    }),
    ...counted(drafts, {
      key: "drafts",
      kind: t("now.kindDraft"),
      tone: "plain",
      text: t("now.draft", { count: drafts }),
      to: "/c/$community/proposals",
    }),
  ];
}

export function Attention() {
  const t = useOverviewTexts();
  const { ref } = useCommunity();
  const waiting = useAttention();
  const items = useItems(waiting);
  return (
    <Section title={t("now.title")}>
      {waiting.error !== null && <Refusal title={t("now.refused")} error={waiting.error} />}
      {items.length === 0 && waiting.isPending && <Skeleton rows={2} height="h-11" />}
      {items.length === 0 && !waiting.isPending && waiting.error === null && <Nothing />}
      <ul aria-label={t("now.title")} className="grid">
        {items.map(({ key, kind, tone, text, to, params, ends }) => (
          <li
            key={key}
            className="relative flex flex-wrap items-center gap-x-3 gap-y-1 rounded-lg border-t border-line py-3 first:border-t-0 hover:bg-raised"
          >
            <span className="w-28 shrink-0">
              <Badge tone={tone}>{kind}</Badge>
            </span>
            <span className="min-w-0 grow basis-48">
              <Way to={to} params={{ community: ref, ...params }}>
                {text}
              </Way>
            </span>
            {ends !== undefined && (
              <span className="text-sm text-soft">
                {t("now.voteEnds")} <Time at={ends} />
              </span>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** Covers its row, so that the whole of it can be pressed. */
function Way({
  to,
  params,
  children,
}: {
  readonly to: LinkProps["to"];
  readonly params: Readonly<Record<string, string>>;
  readonly children: ReactNode;
}) {
  return (
    <Link
      {...(to === undefined ? {} : { to })}
      params={params}
      className="font-semibold text-ink no-underline after:absolute after:inset-0 hover:text-accent"
    >
      {children}
    </Link>
  );
}

function Nothing() {
  const t = useOverviewTexts();
  return (
    <div className="grid gap-1">
      <p className="font-semibold">{t("now.nothing")}</p>
      <p className="max-w-prose text-soft">{t("now.nothingText")}</p>
    </div>
  );
}
