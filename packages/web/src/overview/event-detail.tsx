/** All of one event: who, when, what it carries as facts, and the seals that tie it to the one before. */
import { endpointIdSchema, eventTopics, type PublicEvent } from "@althing/contract";
import type { ReactNode } from "react";
import { useCommunity } from "../app/community.tsx";
import { wholeNumber } from "../app/times.ts";
import { CopyButton, Facts, Time } from "../ui/index.ts";
import { actorName, type EventNames } from "./event-lines.ts";
import { EventWay, hasWay } from "./event-way.tsx";
import { useOverviewTexts, type OverviewText } from "./texts.ts";

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

/** Names of fields; one that an extension made has its own. */
const fieldNames: Readonly<Record<string, (t: OverviewText) => string>> = {
  name: (t) => t("events.field.name"),
  fields: (t) => t("events.field.fields"),
  member: (t) => t("events.field.member"),
  roles: (t) => t("events.field.roles"),
  by: (t) => t("events.field.by"),
  role: (t) => t("events.field.role"),
  permissions: (t) => t("events.field.permissions"),
  keys: (t) => t("events.field.keys"),
  module: (t) => t("events.field.module"),
  enabled: (t) => t("events.field.enabled"),
  install: (t) => t("events.field.install"),
  extension: (t) => t("events.field.extension"),
  version: (t) => t("events.field.version"),
  room: (t) => t("events.field.room"),
  proposal: (t) => t("events.field.proposal"),
  amendment: (t) => t("events.field.amendment"),
  accepted: (t) => t("events.field.accepted"),
  method: (t) => t("events.field.method"),
  closesAt: (t) => t("events.field.closesAt"),
  outcome: (t) => t("events.field.outcome"),
  winners: (t) => t("events.field.winners"),
  comment: (t) => t("events.field.comment"),
  ballots: (t) => t("events.field.ballots"),
  to: (t) => t("events.field.to"),
  topic: (t) => t("events.field.topic"),
  action: (t) => t("events.field.action"),
  kind: (t) => t("events.field.kind"),
  digest: (t) => t("events.field.digest"),
  upheld: (t) => t("events.field.upheld"),
  announcement: (t) => t("events.field.announcement"),
  events: (t) => t("events.field.events"),
};

function nameOf(field: string, t: OverviewText): string {
  return Object.hasOwn(fieldNames, field) ? (fieldNames[field]?.(t) ?? field) : field;
}

function shown(field: string, value: unknown, event: PublicEvent, names: EventNames, t: OverviewText): ReactNode {
  if (value === null) return event.redacted.includes(field) ? t("events.erasedValue") : t("events.none");
  if (typeof value === "boolean") return value ? t("events.yes") : t("events.no");
  if (typeof value === "number") return wholeNumber(value);
  if (Array.isArray(value)) return value.length === 0 ? t("events.none") : <bdi>{value.map(String).join(", ")}</bdi>;
  if (typeof value !== "string") return <code>{JSON.stringify(value)}</code>;
  if (isoTime.test(value)) return <Time at={value} form="full" />;
  const title = field === "proposal" ? names.titleOf(value) : undefined;
  if (title !== undefined) return <bdi>{title}</bdi>;
  if (endpointIdSchema.safeParse(value).success)
    return (
      <>
        <bdi>{names.handleOf(value)}</bdi> <code className="text-sm break-all text-soft">{value}</code>
      </>
    );
  return <bdi className="break-all">{value}</bdi>;
}

const tells = new Map<string, string>(Object.entries(eventTopics).map(([topic, row]) => [topic, row.tells]));

export function EventDetail({ event, names }: { readonly event: PublicEvent; readonly names: EventNames }) {
  const t = useOverviewTexts();
  const { ref } = useCommunity();
  const meaning = tells.get(event.topic);
  return (
    <div className="grid gap-4 border-t border-line bg-raised/50 px-4 py-4">
      <Facts
        facts={[
          [t("events.time"), <Time key="time" at={event.time} form="full" />],
          [t("events.actor"), actorName(event.actor, names, t)],
          [t("events.topic"), <code key="topic">{event.topic}</code>],
          meaning === undefined ? undefined : [t("events.tells"), meaning],
          [
            t("events.subject"),
            <code key="subject" className="break-all">
              {event.subject}
            </code>,
          ],
          ...Object.entries(event.data).map(([field, value]) => [nameOf(field, t), shown(field, value, event, names, t)] as const),
          event.redacted.length === 0 ? undefined : [t("events.redacted"), t("events.redactedText")],
          event.depth === 0 ? undefined : [t("events.depth"), t("events.depthValue", { count: event.depth })],
          [
            t("events.hash"),
            <code key="hash" className="text-sm break-all">
              {event.hash}
            </code>,
          ],
          [
            t("events.previous"),
            <code key="previous" className="text-sm break-all">
              {event.previous}
            </code>,
          ],
        ]}
      />
      <div className="flex flex-wrap items-center gap-4">
        <CopyButton text={event.hash} label={t("events.copyHash")} />
        {hasWay(event) && (
          <EventWay event={event} community={ref} className="flex min-h-11 items-center font-semibold">
            {t("events.open")}
          </EventWay>
        )}
      </div>
    </div>
  );
}
