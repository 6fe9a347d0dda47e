/**
 * What the packages of all communities use together, for whoever runs the instance.
 *
 * Invariant: made of the same hourly records as each package's own usage, so the two agree; counts calls and resources, never who called.
 */
import type { CommunityId, InstallId, InstanceUsage } from "@althing/contract";
import type { Store } from "@althing/store";
import type { Executions } from "../executions/index.ts";
import { openInstallRows } from "../installs/install-rows.ts";

export interface PackagesUsage extends Pick<InstanceUsage, "packages" | "hours"> {
  readonly top: readonly (Sums & { readonly community: CommunityId; readonly install: InstallId; readonly extension: string })[];
}
type Sums = Omit<InstanceUsage["hours"][number], "hour">;

const topMax = 20;
const nothing: Sums = { calls: 0, errors: 0, fuel: 0, wallTimeMs: 0, egressBytes: 0 };
const add = (a: Sums, b: Sums): Sums => ({
  calls: a.calls + b.calls,
  errors: a.errors + b.errors,
  fuel: a.fuel + b.fuel,
  wallTimeMs: a.wallTimeMs + b.wallTimeMs,
  egressBytes: a.egressBytes + b.egressBytes,
});

async function* installsOf(
  store: Store,
): AsyncGenerator<{ readonly id: InstallId; readonly community: CommunityId; readonly extension: string }> {
  const { installs } = openInstallRows(store);
  let after: readonly [string, ...string[]] | undefined;
  do {
    const page = await installs.list({ limit: 500, ...(after === undefined ? {} : { after }) });
    for (const { value } of page.records) yield value;
    after = page.next;
  } while (after !== undefined);
}

/** @param hours how many, this one included */
export async function readPackagesUsage(
  { store, executions }: { readonly store: Store; readonly executions: Pick<Executions, "hours"> },
  hours: number,
): Promise<PackagesUsage> {
  const byHour = new Map<string, Sums>();
  const top: PackagesUsage["top"][number][] = [];
  let packages = 0;
  for await (const { id, community, extension } of installsOf(store)) {
    packages += 1;
    let own = nothing;
    for (const { hour, ...sums } of await executions.hours(community, id, hours)) {
      own = add(own, sums);
      byHour.set(hour, add(byHour.get(hour) ?? nothing, sums));
    }
    if (own.calls > 0) top.push({ community, install: id, extension, ...own });
  }
  return {
    packages,
    hours: [...byHour].toSorted(([a], [b]) => a.localeCompare(b)).map(([hour, sums]) => ({ hour, ...sums })),
    top: top.toSorted((a, b) => b.wallTimeMs - a.wallTimeMs || b.calls - a.calls).slice(0, topMax),
  };
}
