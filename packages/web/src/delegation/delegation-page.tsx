/**
 * Delegations: the reader's own vote first, then everybody's as a picture and as a list.
 *
 * Invariant: what votes count is the server's answer; the picture follows the same rules on what it has read, and the list says everything the picture does.
 */
import { useState } from "react";
import { useCommunity } from "../app/community.tsx";
import { Button, EmptyState, Page, PageHeader, Refusal, Section, SelectField, Skeleton } from "../ui/index.ts";
import { GiveDialog } from "./give-dialog.tsx";
import { MyVote } from "./my-vote.tsx";
import { useDelegationTexts } from "./texts.ts";
import { useDelegations, type DelegationsHere } from "./use-delegations.ts";
import { VoteGraph } from "./vote-graph.tsx";
import { VoteList } from "./vote-list.tsx";
import { circlesOf } from "./vote-flow.ts";

/** `giving`: the dialog is open, perhaps with somebody's handle in it. */
type Giving = { readonly handle: string } | undefined;

export function DelegationPage() {
  const t = useDelegationTexts();
  const { can } = useCommunity();
  const [topic, setTopic] = useState("");
  const [giving, setGiving] = useState<Giving>();
  const here = useDelegations(topic === "" ? undefined : topic);
  const mayGive = can("delegations.manage");
  const isRefused = here.error !== null && here.error !== undefined;
  const options = [{ value: "", label: t("everything") }, ...here.topics.map((one) => ({ value: one, label: one }))];
  return (
    <Page wide>
      <PageHeader
        title={t("title")}
        lead={t("lead")}
        actions={mayGive && !isRefused && <Button onClick={() => setGiving({ handle: "" })}>{t("give")}</Button>}
      />
      {isRefused && <Refusal error={here.error} onRetry={here.retry} />}
      {here.isPending && <Skeleton rows={5} height="h-24" />}
      {!isRefused && !here.isPending && (
        <>
          {here.topics.length > 0 && (
            <SelectField
              className="max-w-sm"
              label={t("topicLabel")}
              options={options}
              value={topic}
              onChange={({ target }) => setTopic(target.value)}
            />
          )}
          <MyVote here={here} />
          <Everybody here={here} onGive={mayGive ? (handle) => setGiving({ handle }) : undefined} />
        </>
      )}
      {giving !== undefined && <GiveDialog here={here} handle={giving.handle} onClose={() => setGiving(undefined)} />}
    </Page>
  );
}

const treesAtATime = 20;

function Everybody({ here, onGive }: { readonly here: DelegationsHere; readonly onGive: ((handle: string) => void) | undefined }) {
  const t = useDelegationTexts();
  const [shownMax, setShownMax] = useState(treesAtATime);
  const { trees, flow } = here;
  const people = new Set([...flow].flatMap(([from, { to }]) => [from, to]));
  const shown = trees.slice(0, shownMax);
  if (trees.length === 0)
    return (
      <Section title={t("graph.title")}>
        <EmptyState title={t("graph.none")}>{t("graph.noneText")}</EmptyState>
      </Section>
    );
  return (
    <>
      <Section title={t("graph.title")} lead={t("graph.lead")}>
        <VoteGraph here={here} trees={shown} onGive={onGive} />
        <Circles here={here} />
        <p className="mt-3 text-sm text-soft">{t("graph.alone", { count: Math.max(0, here.memberCount - people.size) })}</p>
        {here.isPartial && <p className="text-sm text-note">{t("graph.partial", { count: flow.size })}</p>}
      </Section>
      <Section title={t("list.title")}>
        <VoteList here={here} trees={shown} />
        {trees.length > shownMax && (
          <Button tone="quiet" className="mt-4" onClick={() => setShownMax(shownMax + treesAtATime)}>
            {t("graph.more")}
          </Button>
        )}
      </Section>
    </>
  );
}

function Circles({ here: { flow, nameOf } }: { readonly here: DelegationsHere }) {
  const t = useDelegationTexts();
  const circles = circlesOf(flow);
  if (circles.length === 0) return null;
  return (
    <div className="mt-3 grid gap-1 rounded-lg bg-note-tint p-3 text-note">
      <p className="font-semibold">{t("graph.circles")}</p>
      <ul className="list-disc ps-5">
        {circles.map((circle) => (
          <li key={circle[0]}>
            <bdi>{[...circle, circle[0] ?? ""].map(nameOf).join(" → ")}</bdi>
          </li>
        ))}
      </ul>
      <p className="text-sm">{t("chain.circleWhy")}</p>
    </div>
  );
}
