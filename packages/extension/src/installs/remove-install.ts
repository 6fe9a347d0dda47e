/**
 * Uninstalling: keep the data for a later install, or remove it for good.
 *
 * Invariant: the first batch takes the install away, so that nothing of it runs from then on, and leaves a record that says what is still to be
 * done; the rest can be broken off anywhere and is taken up by the next install of the same package or by the sweep. Nothing is removed that
 * belongs to an install that came after. docs/architecture/installs.md.
 */
import { communityIdSchema, extensionIdSchema, hasCode, type CommunityId, type EndpointId } from "@althing/contract";
import type { Rec } from "@althing/store";
import { objectKeyOf } from "../registry/bundle-shelf.ts";
import { retryConflicts } from "@althing/store";
import { dropArrivals, dropPending } from "./current-version.ts";
import { findInstall, placeOf, requireRevision, type ChangeOptions, type InstallsContext } from "./installs-deps.ts";
import { installEventsOf } from "./install-events.ts";
import { versionsOf, type InstallVersionRow, type KeptRow } from "./install-rows.ts";
import type { Scope } from "../scope.ts";

/** Versions let go in one batch; each is a record and up to four references. */
const versionsPerBatch = 100;

export interface RemoveOptions extends ChangeOptions {
  readonly by: EndpointId;
}

export interface Removals {
  remove(community: CommunityId, install: string, data: "keep" | "purge", options: RemoveOptions): Promise<Scope>;
  /** Ends what a removal left to do; nothing when there is none. */
  finish(scope: Scope): Promise<void>;
  /** All that were broken off. */
  sweep(): Promise<void>;
}

export function createRemovals(context: InstallsContext): Removals {
  const { rows, store, shelf } = context;
  /** Two that finish the same removal on this node share one run. */
  const running = new Map<string, Promise<void>>();

  async function takeAway(community: CommunityId, install: string, data: "keep" | "purge", { ifMatch, by }: RemoveOptions): Promise<Scope> {
    const { row, revision } = await findInstall(context, community, install);
    requireRevision(ifMatch, revision);
    const place = placeOf(row);
    const [count, dropped] = await Promise.all([rows.counts.get([community]), dropPending(context, row)]);
    const { id, extension, settings, current } = row;
    const writes = [
      rows.installs.toDelete(place, revision),
      rows.ids.toDelete([id]),
      rows.counts.toPut([community], { count: Math.max(0, (count?.value.count ?? 1) - 1) }, count?.revision ?? 0),
      rows.kept.toPut(place, { id, settings: data === "keep" ? settings : {}, removing: data }),
      shelf.toUnref(objectKeyOf(current.contentHash), ["install", community, extension]),
      ...dropped.writes,
    ];
    await context.commit(community, writes, installEventsOf({ before: row, after: undefined, by }));
    await dropped.lease?.release();
    return { community, extension };
  }

  async function dropVersions(scope: Scope, kept: Rec<KeptRow>): Promise<void> {
    const all = await versionsOf(rows, scope.community, scope.extension);
    for (let at = 0; at < all.length; at += versionsPerBatch) await dropSome(scope, kept, all.slice(at, at + versionsPerBatch));
  }

  async function dropSome(scope: Scope, kept: Rec<KeptRow>, some: readonly InstallVersionRow[]): Promise<void> {
    const { writes, lease } = dropArrivals(
      context,
      scope,
      some.map(({ arrival }) => arrival),
    );
    await store.batch([
      // An install that came after has taken this record away, and the versions are its own.
      rows.kept.toCheck(placeOf(scope), kept.revision),
      ...some.map(({ arrival }) => rows.versions.toDelete([...placeOf(scope), arrival.contentHash])),
      ...writes,
    ]);
    await lease.release();
  }

  async function finishNow(scope: Scope): Promise<void> {
    const kept = await rows.kept.get(placeOf(scope));
    if (kept?.value.removing === undefined) return;
    const { id, settings, removing } = kept.value;
    try {
      await dropVersions(scope, kept);
      if (removing === "purge") for (const purge of context.purge) await purge(scope, id);
      if (removing === "purge") await rows.kept.delete(placeOf(scope), kept.revision);
      else await rows.kept.put(placeOf(scope), { id, settings }, kept.revision);
    } catch (error) {
      // Another node finished it.
      if (!hasCode(error, "store.conflict")) throw error;
    }
  }

  function finish(scope: Scope): Promise<void> {
    const key = placeOf(scope).join("/");
    const known = running.get(key);
    if (known !== undefined) return known;
    const run = finishNow(scope).finally(() => running.delete(key));
    running.set(key, run);
    return run;
  }

  return {
    async remove(community, install, data, options) {
      const scope = await retryConflicts("the package", () => takeAway(community, install, data, options));
      await finish(scope);
      return scope;
    },
    finish,
    async sweep() {
      let after: Rec<KeptRow>["key"] | undefined;
      do {
        const page = await rows.kept.list({ limit: 1_000, ...(after === undefined ? {} : { after }) });
        for (const { key, value } of page.records) {
          const [community, extension] = key;
          if (value.removing === undefined) continue;
          await finish({ community: communityIdSchema.parse(community), extension: extensionIdSchema.parse(extension) });
        }
        after = page.next;
      } while (after !== undefined);
    },
  };
}
