/**
 * What the community is told of a change of an install.
 *
 * Invariant: decided by the record before and after the change and by nothing else, and written in the batch of the change: what is told happened, and what
 * happened is told. A change that tells nothing is committed the same way, so that whoever caches installs hears of it.
 */
import type { CommunityId, EndpointId } from "@althing/contract";
import type { Write } from "@althing/store";
import type { InstallRow } from "./install-rows.ts";

export type InstallTopic =
  | "package.installed"
  | "package.activated"
  | "package.deactivated"
  | "package.consented"
  | "package.upgraded"
  | "package.rolled_back"
  | "package.quarantined"
  | "package.removed";

export interface InstallEvent {
  readonly topic: InstallTopic;
  readonly install: string;
  readonly extension: string;
  readonly version: string;
  /** The platform itself, when nobody is named. */
  readonly by: EndpointId | undefined;
  /** It is told of what comes after this, and of nothing before. */
  readonly isStart: boolean;
}

/** @throws {store.conflict} nothing was written {store.batch_too_large} {store.unavailable} */
export type CommitInstall = (community: CommunityId, writes: readonly Write[], events: readonly InstallEvent[]) => Promise<void>;

interface Changed {
  readonly before: InstallRow | undefined;
  readonly after: InstallRow | undefined;
  readonly by: EndpointId | undefined;
  /** Does another version come by going back? */
  readonly isRollback?: boolean;
}

const isOn = (row: InstallRow | undefined): boolean => row?.isActive === true && row.consented;
const runs = (row: InstallRow | undefined): boolean => isOn(row) && row?.quarantine === undefined;
const listens = (row: InstallRow | undefined): boolean => (row?.granted.events.length ?? 0) > 0;
const consentOf = ({ consented, granted }: InstallRow): string => JSON.stringify([consented, granted]);

function topicsOf({ before, after, isRollback = false }: Changed): InstallTopic[] {
  if (before === undefined) return ["package.installed"];
  if (after === undefined) return ["package.removed"];
  const topics: InstallTopic[] = [];
  if (before.current.contentHash !== after.current.contentHash) topics.push(isRollback ? "package.rolled_back" : "package.upgraded");
  else if (consentOf(before) !== consentOf(after)) topics.push("package.consented");
  if (before.quarantine === undefined && after.quarantine !== undefined) topics.push("package.quarantined");
  else if (runs(before) !== runs(after)) topics.push(runs(after) ? "package.activated" : "package.deactivated");
  return topics;
}

export function installEventsOf(changed: Changed): InstallEvent[] {
  const { before, after, by } = changed;
  const row = after ?? before;
  if (row === undefined) return [];
  const common = { install: row.id, extension: row.extension, version: row.current.version, by };
  const isStart = isOn(after) && (!isOn(before) || (!listens(before) && listens(after)));
  return topicsOf(changed).map((topic) => ({ ...common, topic, isStart }));
}
