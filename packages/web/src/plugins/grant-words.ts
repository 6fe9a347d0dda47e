/** What can be granted, in plain words. */
import { eventTopics, type EffectivePolicy, type JobSchedule } from "@althing/contract";
import { useConsentTexts } from "./consent-texts.ts";
import type { GrantItem } from "./grant-choice.ts";
import { scheduleWords } from "./job-words.ts";
import type { ManifestView } from "./manifest-view.ts";

const t = useConsentTexts.now;

const capabilityTexts = {
  "http.fetch": "fetch",
  "storage.kv": "storage",
  "secrets.get": "secrets",
  metrics: "metrics",
  "events.emit": "emit",
  "rooms.post": "post",
  "members.read": "members",
  "proposals.read": "proposals",
  "schedule.manage": "schedule",
} as const;

const pointTexts = {
  "proposal.before_create": "proposalCreate",
  "comment.before_create": "commentCreate",
  "vote.before_cast": "voteCast",
  "member.before_join": "memberJoin",
  "room.before_create": "roomCreate",
  "moderation.before_act": "moderationAct",
} as const;

function lookUp<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function eventWords(topic: string): string {
  if (topic.endsWith(".*")) return t("eventFamily", { prefix: topic.slice(0, -2) });
  const row = lookUp<{ readonly tells: string }>(eventTopics, topic);
  return row === undefined ? t("eventUnknown") : t("event", { tells: row.tells });
}

function hostWords(host: string, isPage: boolean): string {
  if (host.startsWith("*.")) return t(isPage ? "uiHostFamily" : "hostFamily", { host: host.slice(2) });
  return t(isPage ? "uiHost" : "host", { host });
}

function filterWords(point: string, view: ManifestView): string {
  const filter = view.filters.find((one) => one.point === point);
  const isStrict = filter?.isStrict === true;
  return `${t(`point.${lookUp(pointTexts, point) ?? "unknown"}`)}. ${t(isStrict ? "strict" : "lenient")}`;
}

function jobWords(name: string, view: ManifestView): string {
  const schedule: JobSchedule | undefined = view.jobs.find((job) => job.name === name)?.schedule;
  return schedule === undefined ? name : t("job", { schedule: scheduleWords(schedule) });
}

export function grantWords({ kind, item }: GrantItem, view: ManifestView): string {
  switch (kind) {
    case "capabilities":
      return t(`capability.${lookUp(capabilityTexts, item) ?? "unknown"}`);
    case "egress":
    case "uiHosts":
      return hostWords(item, kind === "uiHosts");
    case "events":
      return eventWords(item);
    case "filters":
      return filterWords(item, view);
    case "jobs":
      return jobWords(item, view);
    case "publicEndpoints":
      return t("publicEndpoint");
  }
}

/** The author's words for it; `undefined`: no words are asked of authors for this kind. */
export function reasonOf({ kind, item }: GrantItem, view: ManifestView): string | undefined {
  if (kind === "capabilities") return view.capabilities.find(({ name }) => name === item)?.reason;
  if (kind === "egress" || kind === "uiHosts") return view.egress.find(({ name }) => name === item)?.reason;
  return undefined;
}

const covers = (patterns: readonly string[], host: string): boolean =>
  patterns.some((pattern) => pattern === host || (pattern.startsWith("*.") && host.endsWith(pattern.slice(1))));

/** The key of the policy that does not let it be used today. */
export function withheldBy(
  { kind, item }: GrantItem,
  { values }: EffectivePolicy,
): "outboundHttp" | "backgroundJobs" | "publicEndpoints" | undefined {
  const { outboundHttp, backgroundJobs, publicEndpoints } = values;
  if (kind === "egress" || kind === "uiHosts")
    return outboundHttp.enabled && covers(outboundHttp.allowlist, item) ? undefined : "outboundHttp";
  if (kind === "capabilities" && item === "http.fetch") return outboundHttp.enabled ? undefined : "outboundHttp";
  if (kind === "jobs" || (kind === "capabilities" && item === "schedule.manage")) return backgroundJobs ? undefined : "backgroundJobs";
  return kind === "publicEndpoints" && !publicEndpoints ? "publicEndpoints" : undefined;
}
