/**
 * How a package comes into a community: checks in a fixed order, then one batch.
 *
 * Invariant: policy, form, manifest, engine, signature, name, component, each before the next, and the last word on all that may have changed
 * meanwhile is spoken in the attempt that writes. A package that is refused leaves no record, no object and no file. A new package is not active and has
 * no grants; an upgrade that declares more waits beside the version that runs. docs/architecture/installs.md.
 */
import { AppError, extensionIdSchema, hasCode, installIdSchema, limits, type CommunityId } from "@althing/contract";
import { mayTrust } from "@althing/policy";
import type { Write } from "@althing/store";
import { ulid } from "ulid";
import type { PluginCaller } from "../extension-deps.ts";
import { parseManifest, type Manifest } from "../manifest/index.ts";
import { objectKeyOf, sha256Of, type Lease } from "../registry/bundle-shelf.ts";
import { prepareComponent } from "../registry/prepare-component.ts";
import { retryConflicts } from "@althing/store";
import { requireEngine, requireTrust } from "../registry/verify-candidate.ts";
import type { StagedBundle } from "../upload/index.ts";
import { dropPending, keepArrival, replaceCurrent, toVersion } from "./current-version.ts";
import { declaredGrants, diffGrants, narrowGrants, noGrants } from "./grants.ts";
import { effectiveOf, placeOf, requireRevision, toTime, type ChangeOptions, type InstallsContext } from "./installs-deps.ts";
import { installEventsOf } from "./install-events.ts";
import { versionsOf, type Arrival, type FoundInstall, type InstallRow } from "./install-rows.ts";
import { carrySettings } from "./install-settings.ts";
import type { Removals } from "./remove-install.ts";

export interface Admission {
  readonly caller: PluginCaller;
  readonly community: CommunityId;
  readonly staged: StagedBundle;
  readonly source: Arrival["source"];
  readonly options: ChangeOptions;
}

interface Candidate extends Admission {
  readonly manifest: Manifest;
}

/** What the attempt that writes decided. */
interface Decision {
  readonly writes: readonly Write[];
  /** The install as it will be; absent: as it is for everybody but who manages it. */
  readonly after?: InstallRow;
  /** Of what it let go. */
  readonly lease?: Lease;
}

/** Signature, publisher and name as they stand now. */
async function judgeTrust(context: InstallsContext, { caller, community, staged, manifest }: Candidate) {
  const { contentHash, signature } = staged;
  const [{ store }, policy] = await Promise.all([context.trust.current(), context.gate.policy(community)]);
  const effective = effectiveOf(policy);
  const required = effective.values.trust !== "allow_unsigned";
  const trust = requireTrust({ manifest, contentHash, signature, trust: store, required, nowMs: context.clock.now() });
  const refusal = mayTrust(effective, trust);
  if (refusal !== undefined) throw new AppError(refusal.code, refusal.params);
  return { trust, nameWrites: await context.binding.claim(caller, manifest.name, trust) };
}

/** @throws {registry.version_exists} this instance or this community knows the version with other bytes */
async function refuseOtherBytes(
  context: InstallsContext,
  { community, staged, manifest }: Candidate,
  row: InstallRow | undefined,
): Promise<void> {
  const { name, version } = manifest;
  const published = (await context.packages.versions.get([name, version]))?.value;
  const installed = row === undefined ? [] : (await versionsOf(context.rows, community, name)).map(({ arrival }) => arrival);
  const all = [...installed, ...(row === undefined ? [] : [row.current]), ...(row?.pending === undefined ? [] : [row.pending])];
  const other = [...all, ...(published === undefined ? [] : [published])].find(
    (known) => known.version === version && known.contentHash !== staged.contentHash,
  );
  if (other !== undefined) throw new AppError("registry.version_exists", { name, version, observed: other.contentHash });
}

async function decideNew(context: InstallsContext, { caller, community, manifest }: Candidate, arrival: Arrival): Promise<Decision> {
  const { rows, shelf } = context;
  const extension = extensionIdSchema.parse(manifest.name);
  const [count, kept] = await Promise.all([rows.counts.get([community]), rows.kept.get([community, extension])]);
  const installed = count?.value.count ?? 0;
  if (installed >= limits.installsPerCommunityMax) throw new AppError("install.too_many", { limit: limits.installsPerCommunityMax });
  const id = kept?.value.id ?? installIdSchema.parse(ulid(context.clock.now()));
  const row: InstallRow = {
    id,
    community,
    extension,
    current: arrival,
    consented: false,
    isActive: false,
    granted: noGrants,
    settings: carrySettings(manifest, kept?.value.settings ?? {}),
    createdAt: arrival.at,
    createdBy: caller.endpoint,
  };
  const place = placeOf(row);
  return {
    after: row,
    writes: [
      rows.installs.toPut(place, row, 0),
      rows.ids.toPut([id], { community, extension }),
      rows.counts.toPut([community], { count: installed + 1 }, count?.revision ?? 0),
      rows.versions.toPut([...place, arrival.contentHash], toVersion(row)),
      kept === undefined ? rows.kept.toCheck(place, 0) : rows.kept.toDelete(place, kept.revision),
      shelf.toRef(objectKeyOf(arrival.contentHash), ["install", community, extension]),
      ...keepArrival(context, row, arrival),
    ],
  };
}

async function decideUpgrade(context: InstallsContext, found: FoundInstall, { manifest }: Candidate, arrival: Arrival): Promise<Decision> {
  const { row, revision } = found;
  const declared = declaredGrants(manifest);
  const before = declaredGrants((await context.shelf.open(row.current.contentHash)).manifest);
  const dropped = await dropPending(context, row);
  const { pending: _pending, quarantine: _quarantine, ...rest } = row;
  const kept = keepArrival(context, row, arrival);
  const more = { ...(dropped.lease === undefined ? {} : { lease: dropped.lease }) };
  if (row.consented && !diffGrants(before, declared).addsNothing) {
    const next: InstallRow = { ...row, pending: arrival };
    return { writes: [context.rows.installs.toPut(placeOf(row), next, revision), ...kept, ...dropped.writes], ...more };
  }
  const next: InstallRow = {
    ...rest,
    current: arrival,
    granted: narrowGrants(row.granted, declared),
    settings: carrySettings(manifest, row.settings),
  };
  return { writes: [...replaceCurrent(context, found, next), ...kept, ...dropped.writes], after: next, ...more };
}

/** Are these very bytes installed, and nothing is wrong with them? Then there is nothing to do. @throws {install.exists} */
async function refuseSame({ today }: InstallsContext, { staged, manifest }: Candidate, row: InstallRow | undefined): Promise<void> {
  if (row?.current.contentHash !== staged.contentHash || row.quarantine !== undefined) return;
  const isVerified = await today.judge(row.current, true).then(
    ({ state }) => state.verified,
    (error: unknown) => {
      if (hasCode(error, "ext.integrity")) return undefined;
      throw error;
    },
  );
  const isRepair = isVerified === undefined || (!isVerified && staged.signature !== undefined);
  if (!isRepair) throw new AppError("install.exists", { extension: manifest.name, version: manifest.version });
}

/** The same bytes again, where the stored ones were damaged or the signature no longer counts: nothing else changes. */
function decideRepair({ rows, shelf }: InstallsContext, { row, revision }: FoundInstall, arrival: Arrival): Decision {
  const { quarantine: _lifted, ...rest } = row;
  const next: InstallRow = { ...rest, current: { ...arrival, at: row.current.at, by: row.current.by } };
  const place = placeOf(row);
  const kept = keepArrival({ rows, shelf }, row, arrival);
  const writes = [
    rows.installs.toPut(place, next, revision),
    rows.versions.toPut([...place, arrival.contentHash], toVersion(next)),
    ...kept,
  ];
  const before = row.current.signature;
  if (before === undefined || before === arrival.signature) return { writes, after: next };
  const lease = shelf.toLeases([before]);
  return {
    writes: [
      ...writes,
      shelf.toUnref(before, ["version", row.community, row.extension, objectKeyOf(arrival.contentHash)]),
      ...lease.writes,
    ],
    after: next,
    lease,
  };
}

async function decide(
  context: InstallsContext,
  found: FoundInstall | undefined,
  candidate: Candidate,
  arrival: Arrival,
): Promise<Decision> {
  if (found === undefined) return decideNew(context, candidate, arrival);
  const isSame = found.row.current.contentHash === arrival.contentHash;
  return isSame ? decideRepair(context, found, arrival) : decideUpgrade(context, found, candidate, arrival);
}

async function commit(context: InstallsContext, removals: Removals, candidate: Candidate, ended: readonly Write[]): Promise<void> {
  const { caller, community, staged, source, manifest, options } = candidate;
  const scope = { community, extension: extensionIdSchema.parse(manifest.name) };
  const found = await context.rows.installs.get(placeOf(scope));
  requireRevision(options.ifMatch, found?.revision ?? 0);
  const { contentHash, signature } = staged;
  const { version } = manifest;
  await refuseSame(context, candidate, found?.value);
  if (found?.value.pending?.contentHash === contentHash) return;
  await refuseOtherBytes(context, candidate, found?.value);
  const { trust, nameWrites } = await judgeTrust(context, candidate);
  const arrival: Arrival = {
    version,
    contentHash,
    ...(signature === undefined ? {} : { signature: sha256Of(signature) }),
    trust,
    source,
    at: toTime(context.clock),
    by: caller.endpoint,
  };
  if (found === undefined) await removals.finish(scope);
  const known = found === undefined ? undefined : { row: found.value, revision: found.revision };
  const { writes, after, lease } = await decide(context, known, candidate, arrival);
  const events = after === undefined ? [] : installEventsOf({ before: found?.value, after, by: caller.endpoint });
  await context.commit(community, [...writes, ...nameWrites, ...ended], events);
  await lease?.release();
}

/**
 * @throws {manifest.invalid} {install.engine_unsupported} {trust.unsigned} {registry.name_bound} {install.exists} {install.too_many}
 *   {registry.version_exists} {component.refused} {ext.unavailable} {request.precondition_failed}
 */
export async function admitPackage(context: InstallsContext, removals: Removals, admission: Admission): Promise<string> {
  const { staged, community, options } = admission;
  const { checkCron, engine, shelf, runner } = context;
  const manifest = parseManifest(staged.manifestFile, checkCron === undefined ? {} : { checkCron });
  requireEngine(manifest, engine);
  const candidate = { ...admission, manifest };
  const { name } = manifest;
  await judgeTrust(context, candidate);
  const known = await context.rows.installs.get([community, name]);
  requireRevision(options.ifMatch, known?.revision ?? 0);
  await refuseSame(context, candidate, known?.value);
  await refuseOtherBytes(context, candidate, known?.value);
  const { signature } = staged;
  const lease = await shelf.lease([
    { key: objectKeyOf(staged.contentHash), bytes: () => staged.bytes() },
    ...(signature === undefined ? [] : [{ key: sha256Of(signature), bytes: () => signature }]),
  ]);
  try {
    await prepareComponent(runner, name, staged, candidate.manifest);
    await retryConflicts("the package", () => commit(context, removals, candidate, lease.writes));
    return name;
  } finally {
    await lease.release();
  }
}
