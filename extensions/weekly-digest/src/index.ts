/**
 * Counts the events of each week by kind, and says the counts of the week before as an event of its own.
 *
 * Invariant: an event is counted once even when it is delivered again (the last index of each week is kept with the counts), and two deliveries at the
 * same moment lose nothing: the counts are written with compare-and-set.
 */
import { defineExtension, empty, events, json, kv, settingsType, type ExtensionEvent } from "@althing/sdk/guest";

interface Settings {
  readonly keepWeeks: number;
}

interface WeekCounts {
  readonly lastIndex: number;
  readonly byKind: Readonly<Record<string, number>>;
}

const dayMs = 24 * 60 * 60 * 1000;

/** Monday of the week (UTC) as `2026-01-05`. */
export function weekOf(time: Date): string {
  const sinceMonday = (time.getUTCDay() + 6) % 7;
  return new Date(time.getTime() - sinceMonday * dayMs).toISOString().slice(0, 10);
}

function isCounts(value: unknown): value is WeekCounts {
  return typeof value === "object" && value !== null && "byKind" in value && "lastIndex" in value;
}

function countEvent(event: ExtensionEvent): string | undefined {
  const kind = event.topic.split(".")[0] ?? event.topic;
  kv.update(`week/${weekOf(new Date(event.time))}`, (current): WeekCounts => {
    const { lastIndex, byKind } = isCounts(current) ? current : { lastIndex: -1, byKind: {} };
    if (event.index <= lastIndex) return { lastIndex, byKind };
    return { lastIndex: event.index, byKind: { ...byKind, [kind]: (byKind[kind] ?? 0) + 1 } };
  });
  return undefined;
}

export const extension = defineExtension({
  settings: settingsType<Settings>(),
  events: { "proposal.*": countEvent, "comment.*": countEvent, "member.*": countEvent },
  jobs: {
    digest: ({ slot }, { settings }) => {
      const week = weekOf(new Date(slot.getTime() - 7 * dayMs));
      const counts = kv.get(`week/${week}`)?.json();
      const digest = { week, counts: isCounts(counts) ? counts.byKind : {} };
      kv.putJson("latest", digest);
      const oldest = weekOf(new Date(slot.getTime() - settings.keepWeeks * 7 * dayMs));
      for (const entry of kv.each("week/")) if (entry.key < `week/${oldest}`) kv.delete(entry.key);
      events.emit("digest", week, digest);
      return `digest of ${week}`;
    },
  },
  http: {
    "GET /latest": () => {
      const latest = kv.get("latest");
      return latest === undefined ? empty() : json(latest.json());
    },
  },
});
