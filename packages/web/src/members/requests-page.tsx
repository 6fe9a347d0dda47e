/**
 * Who asks to join, with what they answered, and the decision.
 *
 * Invariant: the question stands beside each answer as long as the community asks it; a decision is made once and stays to be read for 30 days. Nothing
 * in the log tells of a request, so the page asks again by itself.
 */
import type { CommunityJoinRequest } from "@althing/contract";
import { useState } from "react";
import { usePages, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Badge, Button, Card, EmptyState, LinkButton, ListState, Person, Section, Time } from "../ui/index.ts";
import { ApproveDialog, DeclineDialog } from "./decide-request.tsx";
import { MembersFrame } from "./members-frame.tsx";
import { useMembersTexts } from "./texts.ts";

const askedAgainMs = 15_000;

export function RequestsPage() {
  const t = useMembersTexts();
  const { can } = useCommunity();
  return (
    <MembersFrame title={t("requests.title")} lead={t("requests.lead")}>
      {can("members.invite") ? <Requests /> : <EmptyState title={t("requests.notYours")} />}
    </MembersFrame>
  );
}

function Requests() {
  const t = useMembersTexts();
  const { ref } = useCommunity();
  const params = { community: ref };
  const questions = useRead("communities.door", { params }).data?.questions ?? [];
  const texts = new Map(questions.map(({ id, text }) => [id, text]));
  const list = usePages(
    "communities.requests",
    (after) => ({ params, query: { limit: 100, ...(after === undefined ? {} : { after }) } }),
    ({ requests, next }) => ({ rows: requests, next }),
    {
      everyMs: askedAgainMs,
    },
  );
  const open = list.rows.filter(({ state }) => state === "open").toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  const decided = list.rows
    .filter(({ state }) => state !== "open")
    .toSorted((a, b) => ((a.decidedAt ?? a.createdAt) < (b.decidedAt ?? b.createdAt) ? 1 : -1));
  return (
    <ListState list={list} waiting={{ height: "h-50" }} empty={<NoRequests />}>
      {open.length === 0 ? <NoRequests /> : null}
      <Group title={t("requests.open")} requests={open} questions={texts} />
      <Group title={t("requests.decided")} requests={decided} questions={texts} />
    </ListState>
  );
}

function NoRequests() {
  const t = useMembersTexts();
  const { community, ref, can } = useCommunity();
  const isAsked = community.registration === "approval";
  const change = (
    <LinkButton tone="quiet" to="/c/$community/settings" params={{ community: ref }} hash="joining">
      {t("requests.settings")}
    </LinkButton>
  );
  return (
    <EmptyState title={t("requests.noneTitle")} actions={can("community.manage") && !isAsked ? change : undefined}>
      {isAsked ? t("requests.noneApproval") : t("requests.noneOther", { mode: t(`settings.mode.${community.registration}`) })}
    </EmptyState>
  );
}

type Questions = ReadonlyMap<string, string>;

function Group({
  title,
  requests,
  questions,
}: {
  readonly title: string;
  readonly requests: readonly CommunityJoinRequest[];
  readonly questions: Questions;
}) {
  if (requests.length === 0) return null;
  return (
    <Section title={title}>
      <ul className="grid gap-3">
        {requests.map((request) => (
          <li key={request.endpoint}>
            <Request request={request} questions={questions} />
          </li>
        ))}
      </ul>
    </Section>
  );
}

const tones = { open: "note", approved: "good", joined: "good", declined: "plain" } as const;

function Request({ request, questions }: { readonly request: CommunityJoinRequest; readonly questions: Questions }) {
  const t = useMembersTexts();
  const [deciding, setDeciding] = useState<"approve" | "decline" | undefined>();
  const { handle, state, createdAt, answer } = request;
  const close = () => setDeciding(undefined);
  return (
    <Card className="grid gap-3">
      <div className="flex flex-wrap items-center gap-3">
        <Person handle={handle} />
        <Badge tone={tones[state]}>{t(`requests.state.${state}`)}</Badge>
        <span className="text-sm text-soft">
          {t("requests.asked")} <Time at={createdAt} />
        </span>
      </div>
      <Answers answers={request.answers} questions={questions} />
      {answer !== undefined && answer !== "" && (
        <p>
          <span className="text-soft">{t("requests.told")}: </span>
          <bdi className="whitespace-pre-wrap">{answer}</bdi>
        </p>
      )}
      {state === "open" && (
        <div className="flex flex-wrap gap-2">
          <Button aria-label={t("requests.approveOne", { handle })} onClick={() => setDeciding("approve")}>
            {t("requests.approve")}
          </Button>
          <Button tone="quiet" aria-label={t("requests.declineOne", { handle })} onClick={() => setDeciding("decline")}>
            {t("requests.decline")}
          </Button>
        </div>
      )}
      {deciding === "approve" && <ApproveDialog request={request} onClose={close} />}
      {deciding === "decline" && <DeclineDialog request={request} onClose={close} />}
    </Card>
  );
}

function Answers({ answers, questions }: { readonly answers: Readonly<Record<string, string>>; readonly questions: Questions }) {
  const t = useMembersTexts();
  const rows = Object.entries(answers);
  if (rows.length === 0) return <p className="text-sm text-soft">{t("requests.noAnswers")}</p>;
  return (
    <dl className="grid gap-2">
      {rows.map(([id, text]) => (
        <div key={id}>
          <dt className="text-sm text-soft">
            <bdi>{questions.get(id) ?? `${t("requests.question")} ${id}`}</bdi>
          </dt>
          <dd className="whitespace-pre-wrap">
            <bdi>{text}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}
