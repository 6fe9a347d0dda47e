/**
 * Who takes part in a community's hooks: installs that are switched on, with the topics and filter points they were granted.
 *
 * Invariant: one that is held (quarantine, a bundle that cannot be read) is listed and marked, because a filter that must answer and cannot is not the same as no
 * filter. Of a bundle that cannot be read the strictest is assumed.
 */
import { filterPointNames, hasCode, type CommunityId, type FilterPoint, type InstallId } from "@althing/contract";
import type { InstallsContext } from "./installs-deps.ts";
import type { InstallRow } from "./install-rows.ts";

export interface SubscribedInstall {
  readonly install: InstallId;
  readonly extension: string;
  readonly events: readonly string[];
  readonly filters: readonly { readonly point: FilterPoint; readonly mode: "fail_open" | "fail_closed"; readonly priority: number }[];
  readonly isHeld: boolean;
}

const middle = 50;

export function createSubscribedInstalls({ rows, shelf }: Pick<InstallsContext, "rows" | "shelf">) {
  async function subscribed({ id: install, extension, current, granted, quarantine }: InstallRow): Promise<SubscribedInstall> {
    const common = { install, extension, events: granted.events };
    try {
      const { manifest } = await shelf.open(current.contentHash);
      const filters = manifest.filters.filter(({ point }) => granted.filters.includes(point));
      return { ...common, filters, isHeld: quarantine !== undefined };
    } catch (error) {
      if (!hasCode(error, "ext.integrity")) throw error;
      const points = filterPointNames.filter((point) => granted.filters.includes(point));
      return { ...common, filters: points.map((point) => ({ point, mode: "fail_closed" as const, priority: middle })), isHeld: true };
    }
  }

  return async (community: CommunityId): Promise<readonly SubscribedInstall[]> => {
    const { records } = await rows.installs.list({ prefix: [community], limit: 1_000 });
    const on = records.filter(({ value: { isActive, consented, granted } }) => {
      const wants = granted.events.length + granted.filters.length > 0;
      return isActive && consented && wants;
    });
    return Promise.all(on.map(({ value }) => subscribed(value)));
  };
}
