/**
 * The rules of a manifest that span fields.
 *
 * Invariant: each fault names the path of the field to change, so that an author corrects all at once.
 */
import type { Fault } from "@althing/contract";
import type { Manifest } from "./manifest-schema.ts";
import type { CronCheck } from "./schedule.ts";
import { judgeSettings } from "./settings-schema.ts";

/** Faults of entries whose key occurred before. */
function twice<T>(field: string, items: readonly T[], keyOf: (item: T) => string, what: string): Fault[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const key = keyOf(item);
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [{ path: `${field}.${index}`, message: `${what} comes twice` }];
  });
}

/** Parameters by place: `/a/:x` and `/a/:y` match the same requests. */
function matchedBy({ method, path }: Manifest["endpoints"][number]): string {
  return `${method} ${path.replace(/:[^/]+/g, ":")}`;
}

function judgeEndpoints({ endpoints }: Manifest): Fault[] {
  const faults: Fault[] = [];
  for (const [index, endpoint] of endpoints.entries()) {
    const names = endpoint.path.match(/:[^/]+/g) ?? [];
    if (new Set(names).size !== names.length) faults.push({ path: `endpoints.${index}.path`, message: "a parameter comes twice" });
    if (endpoint.public === true && endpoint.permission !== undefined) {
      faults.push({ path: `endpoints.${index}.permission`, message: "a public endpoint asks nobody, so it can ask for no permission" });
    }
  }
  return [...faults, ...twice("endpoints", endpoints, matchedBy, "the endpoint")];
}

function judgeEgress({ egress, capabilities, ui }: Manifest): Fault[] {
  const faults: Fault[] = [];
  if (egress.length > 0 && !capabilities.some(({ name }) => name === "http.fetch")) {
    faults.push({ path: "egress", message: "needs the capability http.fetch" });
  }
  const hosts = new Set(egress.map(({ host }) => host));
  for (const kind of ["connect", "img"] as const) {
    for (const [index, host] of (ui?.csp?.[kind] ?? []).entries()) {
      if (!hosts.has(host)) faults.push({ path: `ui.csp.${kind}.${index}`, message: "must also stand in egress, with its reason" });
    }
  }
  return [...faults, ...twice("egress", egress, ({ host }) => host, "the host")];
}

function judgeJobs({ jobs }: Manifest, checkCron: CronCheck | undefined): Fault[] {
  const faults = jobs.flatMap(({ schedule }, index) => {
    if (typeof schedule === "string") return [];
    const message =
      checkCron === undefined
        ? "cron expressions are not taken here; use minute, hourly, daily or weekly"
        : checkCron(schedule.cron, schedule.timeZone);
    return message === undefined ? [] : [{ path: `jobs.${index}.schedule.cron`, message }];
  });
  return [...faults, ...twice("jobs", jobs, ({ name }) => name, "the job")];
}

export function judgeManifest(manifest: Manifest, checkCron: CronCheck | undefined): Fault[] {
  return [
    ...twice("capabilities", manifest.capabilities, ({ name }) => name, "the capability"),
    ...judgeEgress(manifest),
    ...judgeEndpoints(manifest),
    ...twice("events", manifest.events, (topic) => topic, "the topic"),
    ...twice("filters", manifest.filters, ({ point }) => point, "the point"),
    ...judgeJobs(manifest, checkCron),
    ...(manifest.settings === undefined ? [] : judgeSettings(manifest.settings)),
  ];
}
