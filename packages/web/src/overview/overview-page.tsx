/** A community at a glance: what it is, what waits for the reader, and what happened lately. */
import { Link } from "@tanstack/react-router";
import { useCommunity } from "../app/community.tsx";
import { useRead } from "../app/calls.ts";
import { wholeNumber } from "../app/times.ts";
import { Badge, Card, EmptyState, Facts, LinkedText, Page, PageHeader, Refusal, Section, Skeleton, Time } from "../ui/index.ts";
import { Attention } from "./attention.tsx";
import { eventLine } from "./event-lines.ts";
import { EventWay } from "./event-way.tsx";
import { useOverviewTexts } from "./texts.ts";
import { useEventNames } from "./use-event-names.ts";

const recentCount = 12;

export function OverviewPage() {
  const t = useOverviewTexts();
  const { community } = useCommunity();
  const isMember = community.roles !== undefined;
  return (
    <Page wide>
      <PageHeader title={community.displayName} />
      <div className="grid gap-6 xl:grid-cols-[minmax(0,1fr)_17rem]">
        <div className="grid min-w-0 content-start gap-6">
          {isMember ? <Attention /> : <Card tone="note">{t("notMember")}</Card>}
          <Recent />
        </div>
        <About />
      </div>
    </Page>
  );
}

function About() {
  const t = useOverviewTexts();
  const { community, ref, can } = useCommunity();
  return (
    <Card className="grid content-start gap-4 self-start max-xl:order-first">
      {community.description === "" ? (
        <p className="text-soft">
          {t("noDescription")}{" "}
          {can("community.manage") && (
            <Link to="/c/$community/settings" params={{ community: ref }} className="underline">
              {t("describe")}
            </Link>
          )}
        </p>
      ) : (
        <p className="whitespace-pre-wrap">
          <bdi>
            <LinkedText text={community.description} />
          </bdi>
        </p>
      )}
      <Facts
        facts={[
          [
            t("members"),
            <Link
              key="members"
              to="/c/$community/members"
              params={{ community: ref }}
              aria-label={t("membersLink", { count: community.members, members: wholeNumber(community.members) })}
            >
              {wholeNumber(community.members)}
            </Link>,
          ],
          community.roles === undefined
            ? undefined
            : [
                t("yourRoles"),
                <span key="roles" className="flex flex-wrap gap-1">
                  {community.roles.map((role) => (
                    <Badge key={role} tone="accent">
                      {role}
                    </Badge>
                  ))}
                </span>,
              ],
          [t("registration"), t(`mode.${community.registration}`)],
          [t("founded"), <Time key="founded" at={community.createdAt} form="short" />],
        ]}
      />
    </Card>
  );
}

function Recent() {
  const t = useOverviewTexts();
  const { ref, can } = useCommunity();
  const mayRead = can("events.read");
  const read = useRead("events.list", { params: { community: ref }, query: { order: "newest", limit: recentCount } }, { enabled: mayRead });
  const events = read.data?.events ?? [];
  const names = useEventNames(events);
  const all = (
    <Link to="/c/$community/events" params={{ community: ref }} className="flex min-h-11 items-center">
      {t("recent.all")}
    </Link>
  );
  return (
    <Section title={t("recent.title")} actions={mayRead && all}>
      {!mayRead && <p className="text-soft">{t("recent.notReadable")}</p>}
      {mayRead && read.isPending && <Skeleton rows={6} height="h-10" />}
      {read.error !== null && <Refusal error={read.error} onRetry={() => void read.refetch()} />}
      {read.data !== undefined && events.length === 0 && <EmptyState title={t("recent.empty")}>{t("recent.emptyText")}</EmptyState>}
      <ol aria-label={t("recent.title")} className="grid">
        {events.map((event) => (
          <li
            key={event.index}
            className="flex flex-wrap items-baseline justify-between gap-x-4 border-t border-line py-2.5 first:border-t-0"
          >
            <EventWay
              event={event}
              community={ref}
              className="inline-block min-w-0 text-ink no-underline first-letter:uppercase [a&]:hover:text-accent [a&]:hover:underline"
            >
              {eventLine(event, names, t)}
            </EventWay>
            <span className="text-sm text-soft">
              <Time at={event.time} />
            </span>
          </li>
        ))}
      </ol>
    </Section>
  );
}
