/** An extension that counts how often it is told of each event and run for each slot. Compiled when the scenario starts. */
import { defineExtension, json, kv } from "@althing/sdk/guest";

function count(key: string): string {
  kv.update(key, (now) => (typeof now === "number" ? now : 0) + 1);
  return "counted";
}

const jobs = ["tick-a", "tick-b", "tick-c", "tick-d"];

export const extension = defineExtension({
  events: { "announcement.posted": (event) => count(`event ${event.index}`) },
  jobs: Object.fromEntries(jobs.map((name) => [name, ({ slot }: { readonly slot: Date }) => count(`slot ${name} ${slot.toISOString()}`)])),
  http: {
    "GET /counts": (request) => {
      const after = request.query("after");
      const { entries, next } = kv.list("", after === undefined || after === "" ? {} : { after });
      return json({ counts: entries.map((entry) => [entry.key, entry.json()]), next });
    },
  },
});
