/** Schedules and moments of jobs in words, in the reader's zone and in the job's. */
import type { JobSchedule } from "@althing/contract";
import { locale } from "../app/i18n.ts";
import { useJobTexts } from "./job-texts.ts";
import { readCron } from "./plain-cron.ts";

const t = useJobTexts.now;

const listFormat = new Intl.ListFormat(locale, { type: "conjunction" });
const dayFormat = new Intl.DateTimeFormat(locale, { weekday: "long", timeZone: "UTC" });

/** The first of January 2023 was a Sunday. */
const dayName = (day: number): string => dayFormat.format(new Date(Date.UTC(2023, 0, 1 + day)));

export function scheduleWords(schedule: JobSchedule): string {
  if (typeof schedule === "string") return t(`schedules.${schedule}`);
  const zone = schedule.timeZone;
  const plain = readCron(schedule.cron);
  switch (plain?.kind) {
    case undefined:
      return t("schedules.cron", { cron: schedule.cron, zone });
    case "minutes":
      return t("schedules.everyMinutes", { count: plain.every });
    case "daily":
      return t("schedules.everyDay", { time: plain.time, zone });
    case "weekly":
      return t("schedules.onDays", { days: listFormat.format(plain.days.map(dayName)), time: plain.time, zone });
    case "monthly":
      return t("schedules.ofMonth", { days: listFormat.format(plain.days.map(String)), time: plain.time, zone });
  }
}

/** Named schedules count in UTC. */
export function zoneOf(schedule: JobSchedule): string {
  return typeof schedule === "string" ? "UTC" : schedule.timeZone;
}

/** `undefined`: this browser does not know the zone. */
export function timeInZone(time: string, timeZone: string): string | undefined {
  try {
    return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", timeZone }).format(new Date(time));
  } catch {
    return undefined;
  }
}
