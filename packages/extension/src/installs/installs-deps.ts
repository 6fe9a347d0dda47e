/**
 * What installs take from outside and share among themselves.
 *
 * Invariant: every file of this folder gets the one context and keeps no state of its own that a second hub would need to know.
 */
import { AppError, type CommunityId, type EffectivePolicy } from "@althing/contract";
import { effectivePolicy } from "@althing/policy";
import type { Key, Store } from "@althing/store";
import type { CommunityGate, CommunityPolicy, ExtensionClock, ExtensionLog } from "../extension-deps.ts";
import type { GuardedFetcher } from "../fetcher/index.ts";
import type { CronCheck } from "../manifest/index.ts";
import type { BundleShelf } from "../registry/bundle-shelf.ts";
import type { NameBinding } from "../registry/name-binding.ts";
import type { PackageRows } from "../registry/package-rows.ts";
import type { Preparer } from "../registry/prepare-component.ts";
import type { StaticRegistry } from "../registry/static-registry.ts";
import { scopeKey, type Scope } from "../scope.ts";
import type { TrustKeeper } from "../trust-keeper/index.ts";
import type { Uploads } from "../upload/index.ts";
import type { CommitInstall } from "./install-events.ts";
import type { FoundInstall, InstallRows } from "./install-rows.ts";
import type { TodaysTrust } from "./todays-trust.ts";

export interface SecretEntry {
  readonly name: string;
  readonly setAt: string;
  readonly expiresAt?: string;
  readonly hosts: readonly string[];
}

/** The part of the secrets' store that installs need. */
export interface InstallVault {
  put(
    scope: Scope,
    name: string,
    secret: { readonly value: string; readonly hosts: readonly string[]; readonly expiresAt?: string },
  ): Promise<void>;
  forget(scope: Scope, name: string): Promise<void>;
  list(scope: Scope): Promise<readonly SecretEntry[]>;
}

/** Removes one kind of an install's data for good; may be called again after it was broken off. */
export type Purge = (scope: Scope, installId: string) => Promise<void>;

export interface InstallsDeps {
  readonly store: Store;
  /** Writes what changes an install, together with what the community is told of it. */
  readonly commit: CommitInstall;
  readonly shelf: BundleShelf;
  readonly uploads: Uploads;
  readonly trust: TrustKeeper;
  readonly runner: Preparer;
  readonly gate: CommunityGate;
  readonly fetcher: GuardedFetcher;
  readonly vault: InstallVault;
  /** Key-value data, secrets, schedules, logs: one each. */
  readonly purge: readonly Purge[];
  readonly clock: ExtensionClock;
  readonly log: ExtensionLog;
  /** Origin and path of the runner's public listener; absent: no pages are served. */
  readonly uiBase?: string;
  readonly checkCron?: CronCheck;
  readonly engine?: string;
}

export interface InstallsContext extends InstallsDeps {
  readonly rows: InstallRows;
  readonly packages: PackageRows;
  readonly binding: NameBinding;
  readonly today: TodaysTrust;
  readonly registries: StaticRegistry;
}

export const toTime = (clock: ExtensionClock): string => new Date(clock.now()).toISOString();

export function placeOf(scope: Scope): Key {
  return scopeKey(scope);
}

export function effectiveOf({ instance, community }: CommunityPolicy): EffectivePolicy {
  return effectivePolicy(instance, community);
}

/** @throws {request.precondition_failed} */
export function requireRevision(ifMatch: number | undefined, observed: number): void {
  if (ifMatch !== undefined && ifMatch !== observed) throw new AppError("request.precondition_failed", { expected: ifMatch, observed });
}

/** An install by its id or the extension's. @throws {install.not_found} */
export async function findInstall({ rows }: InstallsContext, community: CommunityId, install: string): Promise<FoundInstall> {
  const extension = install.includes(".") ? install : (await rows.ids.get([install]))?.value.extension;
  const found = extension === undefined ? undefined : await rows.installs.get([community, extension]);
  const isIt = found !== undefined && (install.includes(".") || found.value.id === install);
  if (!isIt) throw new AppError("install.not_found", { install });
  return { row: found.value, revision: found.revision };
}

/** Changes of an install that may each be asked for on one revision only. */
export interface ChangeOptions {
  /** Revision named by If-Match. */
  readonly ifMatch?: number;
}
