/**
 * What an admin changes on an install: consent, settings, secrets, whether it runs, and the way back to an earlier version.
 *
 * Invariant: each change is decided on one revision of the record and written by compare-and-set; the parts of one request are applied in the order
 * consent, settings, activation, all or none. Consent names the bundle that was shown. Secrets go to their own store after the record was written, and
 * the record is written for every change of them, so that If-Match covers them too.
 */
import { AppError, hasCode, limits, type EndpointId, type Fault } from "@althing/contract";
import { mayTrust } from "@althing/policy";
import type { Write } from "@althing/store";
import type { PluginCaller } from "../extension-deps.ts";
import { checkPattern } from "../fetcher/index.ts";
import type { Manifest } from "../manifest/index.ts";
import type { Lease } from "../registry/bundle-shelf.ts";
import { prepareComponent } from "../registry/prepare-component.ts";
import { retryConflicts } from "@althing/store";
import type { Input } from "../registry/route-input.ts";
import { dropPending, replaceCurrent } from "./current-version.ts";
import { declaredGrants, readGrant } from "./grants.ts";
import { blockOf } from "./install-view.ts";
import { effectiveOf, findInstall, placeOf, requireRevision, type ChangeOptions, type InstallsContext } from "./installs-deps.ts";
import { installEventsOf } from "./install-events.ts";
import type { FoundInstall, InstallRow } from "./install-rows.ts";
import { carrySettings, judgeSettings } from "./install-settings.ts";

type Change = Input<"packages.change">;
/** Reads the canonical tar, and quarantines its installs when it was altered. */
export type ReadBundle = (contentHash: string) => Promise<Uint8Array>;
type SecretChange = NonNullable<NonNullable<Change["secrets"]>[string]>;

/** The bundle that consent is for now: the upgrade that waits, else what is installed. */
function consentTo(row: InstallRow, manifest: Manifest, consent: NonNullable<Change["consent"]>): InstallRow {
  const { pending, quarantine, ...rest } = row;
  const granted = readGrant(consent.grant, declaredGrants(manifest));
  // Another bundle has none of the faults that the quarantine is for.
  if (pending !== undefined)
    return { ...rest, current: pending, granted, consented: true, settings: carrySettings(manifest, row.settings) };
  return { ...rest, ...(quarantine === undefined ? {} : { quarantine }), granted, consented: true };
}

/** What the store of secrets would refuse, said before anything is written. @throws {settings.invalid} */
function judgeSecrets(puts: SecretChanges["puts"]): void {
  const faults: Fault[] = [];
  for (const [name, { value, hosts }] of puts) {
    const path = `secrets.${name.slice(0, 64)}`;
    if (!/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name)) faults.push({ path, message: "a name is 1–64 of A–Z a–z 0–9 _, a letter first" });
    if (Buffer.byteLength(value) > limits.secretMaxBytes) faults.push({ path, message: `at most ${limits.secretMaxBytes} bytes` });
    for (const host of hosts)
      if (!checkPattern(host).ok) faults.push({ path: `${path}.hosts`, message: `${host.slice(0, 100)} is no host and no *.suffix` });
  }
  if (faults.length > 0) throw new AppError("settings.invalid", { count: faults.length }, { faults });
}

interface SecretChanges {
  readonly puts: ReadonlyMap<string, Omit<SecretChange, "expiresAt"> & { readonly expiresAt?: string | undefined }>;
  readonly forgets: readonly string[];
}

/** @throws {settings.invalid} {secret.too_many} */
async function judgeContent(
  context: InstallsContext,
  row: InstallRow,
  manifest: Manifest,
  change: Change,
): Promise<{ row: InstallRow; secrets: SecretChanges }> {
  const stored = await context.vault.list(row);
  const named = Object.entries(change.secrets ?? {});
  const forgets = named.filter(([, secret]) => secret === null).map(([name]) => name);
  const puts = new Map(named.flatMap(([name, secret]) => (secret === null ? [] : [[name, secret] as const])));
  const isThere = (name: string) => puts.has(name) || (stored.some((entry) => entry.name === name) && !forgets.includes(name));
  const isActivated = change.active === true && !row.isActive;
  let next = row;
  if (change.settings !== undefined || isActivated) {
    const { plain, secrets } = judgeSettings(manifest, change.settings ?? row.settings, isThere);
    next = { ...row, settings: plain };
    for (const [name, value] of secrets) {
      const hosts = stored.find((entry) => entry.name === name)?.hosts ?? [];
      puts.set(name, { hosts: [...hosts], ...puts.get(name), value });
    }
  }
  judgeSecrets(puts);
  const names = new Set([...stored.map(({ name }) => name), ...puts.keys()].filter((name) => !forgets.includes(name) || puts.has(name)));
  if (names.size > limits.secretsPerInstallMax) throw new AppError("secret.too_many", { limit: limits.secretsPerInstallMax });
  return { row: next, secrets: { puts, forgets: forgets.filter((name) => !puts.has(name)) } };
}

/**
 * Everything again that was true when the package came in: bytes, trust, policy, component.
 * @throws {ext.integrity} {install.blocked} {component.refused} {ext.unavailable}
 */
async function requireSound(
  context: InstallsContext,
  readBundle: ReadBundle,
  { community, extension, current }: InstallRow,
): Promise<void> {
  const { contentHash } = current;
  await readBundle(contentHash);
  const blocked = await blockOf(context, effectiveOf(await context.gate.policy(community)), current);
  if (blocked !== undefined) throw new AppError("install.blocked", { rule: blocked.rule, detail: blocked.text, who: blocked.who });
  const { componentSha256 } = await context.shelf.open(contentHash);
  await prepareComponent(context.runner, extension, { contentHash, componentSha256 });
}

/** @throws {install.quarantined} {install.needs_consent} */
function activated(row: InstallRow): InstallRow {
  const { quarantine, consented } = row;
  if (quarantine !== undefined) throw new AppError("install.quarantined", { reason: quarantine.reason, hint: quarantine.hint });
  if (!consented) throw new AppError("install.needs_consent");
  return { ...row, isActive: true };
}

async function writeSecrets({ vault }: InstallsContext, row: InstallRow, { puts, forgets }: SecretChanges): Promise<void> {
  for (const name of forgets) await vault.forget(row, name);
  for (const [name, { value, hosts, expiresAt }] of puts)
    await vault.put(row, name, { value, hosts, ...(expiresAt === undefined ? {} : { expiresAt }) });
}

/** The batch of one change; what it lets go is removed after it. */
async function commit(
  context: InstallsContext,
  found: FoundInstall,
  next: InstallRow,
  { by, isRollback }: { readonly by: EndpointId; readonly isRollback: boolean },
): Promise<void> {
  const isPromotion =
    found.row.pending !== undefined && next.pending === undefined && next.current.contentHash === found.row.pending.contentHash;
  const isDropped = found.row.pending !== undefined && next.pending === undefined && !isPromotion;
  const dropped: { readonly writes: readonly Write[]; readonly lease?: Lease } = isDropped
    ? await dropPending(context, found.row)
    : { writes: [] };
  const events = installEventsOf({ before: found.row, after: next, by, isRollback });
  await context.commit(next.community, [...replaceCurrent(context, found, next), ...dropped.writes], events);
  await dropped.lease?.release();
}

/** @throws the codes of the route packages.change, and {request.precondition_failed} */
export async function changeInstall(
  context: InstallsContext,
  readBundle: ReadBundle,
  caller: PluginCaller,
  change: Change,
  { ifMatch }: ChangeOptions,
): Promise<string> {
  const { gate } = context;
  const community = await gate.resolve(caller, change.community);
  const isPackages = change.active !== undefined || change.consent !== undefined;
  const isSettings = change.settings !== undefined || change.secrets !== undefined || !isPackages;
  if (isPackages) await gate.authorize(caller, community, "plugins.packages.manage");
  if (isSettings) await gate.authorize(caller, community, "plugins.settings.manage");

  return retryConflicts("the package", async () => {
    const found = await findInstall(context, community, change.install);
    requireRevision(ifMatch, found.revision);
    let next = found.row;
    const { consent } = change;
    const shown = next.pending ?? next.current;
    if (consent !== undefined && consent.contentHash !== shown.contentHash)
      throw new AppError("install.consent_stale", { expected: consent.contentHash, observed: shown.contentHash });
    const hash = consent === undefined ? next.current.contentHash : shown.contentHash;
    const { manifest } = await context.shelf.open(hash);
    if (consent !== undefined) next = consentTo(next, manifest, consent);
    const content = await judgeContent(context, next, manifest, change);
    next = content.row;
    if (change.active === false) next = { ...next, isActive: false };
    if (change.active === true) next = activated(next);
    const isOther = next.current.contentHash !== found.row.current.contentHash;
    if (isOther || (next.isActive && !found.row.isActive)) await requireSound(context, readBundle, next);
    await commit(context, found, next, { by: caller.endpoint, isRollback: false });
    await writeSecrets(context, next, content.secrets);
    context.log("info", "install.changed", { community, extension: next.extension, by: caller.endpoint, isActive: next.isActive });
    return next.extension;
  });
}

/** Earlier version, its grants and its settings. @throws the codes of the route packages.rollback */
export async function rollBack(
  context: InstallsContext,
  caller: PluginCaller,
  input: Input<"packages.rollback">,
  { ifMatch }: ChangeOptions,
): Promise<string> {
  const { gate, rows, shelf, runner, today } = context;
  const community = await gate.resolve(caller, input.community);
  await gate.authorize(caller, community, "plugins.packages.manage");
  const missing = (cause?: unknown) =>
    new AppError("install.version_not_found", { contentHash: input.contentHash }, cause === undefined ? {} : { cause });

  return retryConflicts("the package", async () => {
    const found = await findInstall(context, community, input.install);
    requireRevision(ifMatch, found.revision);
    const { row } = found;
    const isCurrent = row.current.contentHash === input.contentHash;
    const version = (await rows.versions.get([...placeOf(row), input.contentHash]))?.value;
    if (version === undefined) throw missing();
    const { arrival } = version;
    try {
      await shelf.tar(arrival.contentHash);
      const { componentSha256 } = await shelf.open(arrival.contentHash);
      const effective = effectiveOf(await gate.policy(community));
      const { state } = await today.judge(arrival, effective.values.trust !== "allow_unsigned");
      const refusal = mayTrust(effective, state);
      if (refusal !== undefined) throw new AppError(refusal.code, { ...refusal.params, subject: row.extension });
      await prepareComponent(runner, row.extension, { contentHash: arrival.contentHash, componentSha256 });
    } catch (error) {
      throw hasCode(error, "ext.integrity") ? missing(error) : error;
    }
    const { pending: _pending, quarantine, ...rest } = row;
    // On the version that is current this gives a waiting upgrade up, and nothing else.
    const next: InstallRow = isCurrent
      ? { ...rest, ...(quarantine === undefined ? {} : { quarantine }) }
      : { ...rest, current: arrival, consented: version.consented, granted: version.granted, settings: version.settings };
    await commit(context, found, next.consented ? next : { ...next, isActive: false }, { by: caller.endpoint, isRollback: true });
    context.log("info", "install.rolled_back", { community, extension: row.extension, version: arrival.version, by: caller.endpoint });
    return row.extension;
  });
}
