/**
 * The public log of a community: newest first, by kind, with everything an event says, and a check of its chain in this browser.
 *
 * Invariant: the list stands still while somebody reads it. It shows the log up to the event it was opened at; what happens meanwhile is counted, and
 * comes when it is asked for.
 */
import type { PublicEvent } from "@althing/contract";
import { useState } from "react";
import { usePages, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { wholeNumber } from "../app/times.ts";
import { Badge, Button, EmptyState, ListState, Page, PageHeader, Refusal, SelectField, Skeleton, Time } from "../ui/index.ts";
import { ChainCheck } from "./chain-check.tsx";
import { EventDetail } from "./event-detail.tsx";
import { eventGroups, eventLine, groupOf, type EventGroup, type EventNames } from "./event-lines.ts";
import { useOverviewTexts } from "./texts.ts";
import { useEventNames } from "./use-event-names.ts";

const freshMax = 50;
const all = "all";

export function EventsPage() {
  const t = useOverviewTexts();
  const { ref } = useCommunity();
  const [group, setGroup] = useState<EventGroup | undefined>();
  const [upTo, setUpTo] = useState<number>();
  const head = useRead("events.head", { params: { community: ref } });
  if (upTo === undefined && head.data !== undefined) setUpTo(head.data.index);
  const options = [
    { value: all, label: t("events.group.all") },
    ...eventGroups.map((value) => ({ value, label: t(`events.group.${value}`) })),
  ];
  const choose = (value: string) => {
    setGroup(eventGroups.find((one) => one === value));
    setUpTo(head.data?.index);
  };
  return (
    <Page>
      <PageHeader title={t("events.title")} lead={t("events.lead")} />
      <SelectField
        label={t("events.filter")}
        className="sm:max-w-xs"
        value={group ?? all}
        options={options}
        onChange={({ target }) => choose(target.value)}
      />
      {head.error !== null && upTo === undefined && <Refusal error={head.error} onRetry={() => void head.refetch()} />}
      {upTo === undefined && head.error === null && <Skeleton rows={8} height="h-20 sm:h-12" />}
      {upTo !== undefined && (
        <>
          <Fresh key={`${upTo}`} group={group} upTo={upTo} onShow={setUpTo} />
          <Feed group={group} upTo={upTo} />
        </>
      )}
      <ChainCheck />
    </Page>
  );
}

const topicOf = (group: EventGroup | undefined) => (group === undefined ? {} : { topic: `${group}.*` });

/** How many came since, and the way to see them. */
function Fresh({
  group,
  upTo,
  onShow,
}: {
  readonly group: EventGroup | undefined;
  readonly upTo: number;
  readonly onShow: (index: number) => void;
}) {
  const t = useOverviewTexts();
  const { ref } = useCommunity();
  const read = useRead("events.list", { params: { community: ref }, query: { after: upTo, limit: freshMax, ...topicOf(group) } });
  const count = read.data?.events.length ?? 0;
  const head = useRead("events.head", { params: { community: ref } });
  const isMore = count === freshMax;
  const label = isMore ? t("events.freshMany", { count: freshMax }) : t("events.fresh", { count });
  return (
    <div role="status" className="sticky top-2 z-10 justify-self-center empty:hidden">
      {count > 0 && (
        <Button className="shadow-lg" onClick={() => onShow(Math.max(head.data?.index ?? 0, read.data?.events.at(-1)?.index ?? 0))}>
          {label}
        </Button>
      )}
    </div>
  );
}

function Feed({ group, upTo }: { readonly group: EventGroup | undefined; readonly upTo: number }) {
  const t = useOverviewTexts();
  const { ref } = useCommunity();
  const list = usePages(
    "events.list",
    (before) => ({
      params: { community: ref },
      query: { before: before === undefined ? upTo + 1 : Number(before), limit: 50, ...topicOf(group) },
    }),
    ({ events, next }) => ({ rows: events, next }),
  );
  const names = useEventNames(list.rows);
  return (
    <ListState
      list={list}
      waiting={{ rows: 8, height: "h-20 sm:h-12" }}
      empty={<EmptyState title={t("events.empty")}>{t("events.emptyText")}</EmptyState>}
    >
      <ol aria-label={t("events.listLabel")} className="rounded-card border border-line bg-card">
        {list.rows.map((event) => (
          <EventRow key={event.index} event={event} names={names} />
        ))}
      </ol>
    </ListState>
  );
}

function EventRow({ event, names }: { readonly event: PublicEvent; readonly names: EventNames }) {
  const t = useOverviewTexts();
  const [isOpen, setIsOpen] = useState(false);
  const group = groupOf(event.topic);
  return (
    <li className="border-t border-line first:border-t-0">
      <details onToggle={({ currentTarget }) => setIsOpen(currentTarget.open)}>
        <summary className="grid min-h-11 list-none grid-cols-[3.5rem_minmax(0,1fr)] items-baseline gap-x-3 gap-y-1 px-3 py-3 hover:bg-raised sm:grid-cols-[4rem_minmax(0,1fr)_auto] sm:px-4 [&::-webkit-details-marker]:hidden">
          <span className="font-mono text-sm text-soft">{wholeNumber(event.index)}</span>
          <span className="min-w-0 first-letter:uppercase">{eventLine(event, names, t)}</span>
          <span className="flex flex-wrap items-center gap-2 text-sm text-soft max-sm:col-start-2">
            {group !== undefined && <Badge>{t(`events.group.${group}`)}</Badge>}
            <Time at={event.time} />
          </span>
        </summary>
        {isOpen && <EventDetail event={event} names={names} />}
      </details>
    </li>
  );
}
