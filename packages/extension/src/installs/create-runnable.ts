/**
 * What the gateway asks before it runs anything: which install is active, and may it run at this moment.
 *
 * Invariant: `active` reads the record at every call and `runnable` the revision of trust, so what was deactivated, quarantined or distrusted does not run
 * once more; that is two reads of the store on the way of every call. The verdict itself is remembered per bundle, trust and policy, for a minute and
 * never past the end of a certificate. Altered bytes, signatures or records put every install of them in quarantine and are reported.
 */
import { AppError, hasCode, type CommunityId, type ExtensionId, type Grants, type InstallId, type TrustState } from "@althing/contract";
import { grantedPolicy, intersectPatterns, mayTrust } from "@althing/policy";
import type { CommunityPolicy } from "../extension-deps.ts";
import type { Manifest } from "../manifest/index.ts";
import { objectKeyOf } from "../registry/bundle-shelf.ts";
import { retryConflicts } from "@althing/store";
import { beyondDeclared, declaredGrants } from "./grants.ts";
import { effectiveOf, placeOf, toTime, type InstallsContext } from "./installs-deps.ts";
import { installEventsOf } from "./install-events.ts";
import type { InstallRow } from "./install-rows.ts";
import { rememberMs, tamperingCodes } from "./todays-trust.ts";

const rememberedMax = 5_000;
const integrityHint =
  "Install the version again from its publisher; if that does not help, an admin of the instance looks at the object store.";

/** An install that is active, as it is at this moment. */
export interface RunnableInstall {
  readonly id: InstallId;
  readonly community: CommunityId;
  readonly extension: ExtensionId;
  readonly version: string;
  readonly contentHash: string;
  /** Of its signature file in the object store; absent: unsigned. */
  readonly signature?: string;
  readonly granted: Grants;
  /** JSON, without secrets. */
  readonly settings: string;
  readonly manifest: Manifest;
  readonly trust: TrustState;
  readonly revision: number;
}

/** What of it the check needs. */
export type CheckedInstall = Pick<
  RunnableInstall,
  "id" | "community" | "version" | "contentHash" | "signature" | "granted" | "manifest"
> & {
  readonly extension: string;
};

export interface Runnables {
  /** `undefined`: not installed, not active or in quarantine. @throws {ext.integrity} {store.unavailable} */
  active(community: CommunityId, extension: string): Promise<RunnableInstall | undefined>;
  /**
   * @param policy the community's policy if it was read for this very call
   * @throws {ext.integrity} {install.blocked} {store.unavailable}
   */
  runnable(install: CheckedInstall, policy?: CommunityPolicy): Promise<void>;
  /** Nothing of it runs until `packages.retry`, an upgrade or a rollback. */
  quarantine(id: string, reason: string, hint: string): Promise<void>;
  /** The canonical tar of a bundle, hashed again. @throws {ext.integrity} */
  bundle(contentHash: string): Promise<Uint8Array>;
  /** What pages of a version may reach: what every community that runs it allows. @throws {ext.not_found} */
  uiPolicy(extension: string, contentHash: string): Promise<{ connect: string[]; img: string[] }>;
}

export function createRunnables(context: InstallsContext): Runnables {
  const { rows, shelf, today, trust, gate, clock, log } = context;
  const verdicts = new Map<string, number>();

  async function quarantine(id: string, reason: string, hint: string): Promise<void> {
    const isNew = await retryConflicts("the package", async () => {
      const place = (await rows.ids.get([id]))?.value;
      const found = place === undefined ? undefined : await rows.installs.get(placeOf(place));
      if (found === undefined || found.value.id !== id || found.value.quarantine !== undefined) return false;
      const held = { ...found.value, quarantine: { reason, hint, at: toTime(clock) } };
      const events = installEventsOf({ before: found.value, after: held, by: undefined });
      await context.commit(held.community, [rows.installs.toPut(found.key, held, found.revision)], events);
      return true;
    });
    if (isNew) log("error", "install.quarantined", { install: id, reason });
  }

  /** Every install whose current version has these bytes. */
  async function quarantineBytes(contentHash: string, detail: string): Promise<void> {
    for (const [community, extension] of await shelf.owners(objectKeyOf(contentHash), "install")) {
      const row = community === undefined || extension === undefined ? undefined : (await rows.installs.get([community, extension]))?.value;
      if (row?.current.contentHash === contentHash) await quarantine(row.id, detail, integrityHint);
    }
  }

  /**
   * Altered bytes are found by whoever reads them first, and hold for everybody.
   * @param id of the install that wants them: a record that was altered names bytes that no reference knows to be its own
   */
  async function guarded<T>(contentHash: string, work: () => Promise<T>, id?: string): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!hasCode(error, "ext.integrity")) throw error;
      const detail = String(error.params["detail"] ?? error.message);
      await quarantineBytes(contentHash, detail);
      if (id !== undefined) await quarantine(id, detail, integrityHint);
      throw error;
    }
  }

  function toRunnable(row: InstallRow, manifest: Manifest, revision: number): RunnableInstall {
    const { id, community, extension, current, granted, settings } = row;
    const { version, contentHash, signature, trust: state } = current;
    const signed = signature === undefined ? {} : { signature };
    return {
      id,
      community,
      extension,
      version,
      contentHash,
      ...signed,
      granted,
      settings: JSON.stringify(settings),
      manifest,
      trust: state,
      revision,
    };
  }

  async function active(community: CommunityId, extension: string): Promise<RunnableInstall | undefined> {
    const found = await rows.installs.get([community, extension]);
    if (found === undefined) return undefined;
    const { isActive, consented, quarantine: held, current } = found.value;
    if (!isActive || !consented || held !== undefined) return undefined;
    const { manifest } = await guarded(current.contentHash, () => shelf.open(current.contentHash), found.value.id);
    return toRunnable(found.value, manifest, found.revision);
  }

  /** Quarantines the one install whose record does not fit its bundle. @throws {ext.integrity} */
  async function refuseRecord({ id, extension }: CheckedInstall, detail: string): Promise<never> {
    await quarantine(id, detail, integrityHint);
    throw new AppError("ext.integrity", { extension, detail });
  }

  /** At every call: it is cheap, and what is granted may be another thing than a moment ago. */
  async function judgeRecord(install: CheckedInstall): Promise<void> {
    const { manifest, extension, version, granted } = install;
    if (manifest.name !== extension || manifest.version !== version)
      await refuseRecord(install, "the record names another package than the bundle");
    const beyond = beyondDeclared(granted, declaredGrants(manifest));
    if (beyond !== undefined) await refuseRecord(install, `the record grants ${beyond}, which the bundle does not declare`);
  }

  /** @returns until when the verdict holds */
  async function judge(install: CheckedInstall, policy: CommunityPolicy): Promise<number> {
    const { extension, contentHash } = install;
    const effective = effectiveOf(policy);
    const required = effective.values.trust !== "allow_unsigned";
    const judged = await guarded(
      contentHash,
      async () => {
        if (!(await shelf.has(contentHash))) throw new AppError("ext.integrity", { extension, detail: "the stored bytes are gone" });
        return today.judge(install, required);
      },
      install.id,
    );
    const { code, text } = judged.state.reason ?? { code: "", text: "" };
    if (tamperingCodes.includes(code)) return refuseRecord(install, text);
    const refusal = mayTrust(effective, judged.state);
    if (refusal === undefined) return Math.min(judged.until, clock.now() + rememberMs);
    const { key = "trust", who = "" } = refusal.params;
    const detail = refusal.code.startsWith("trust.") ? text || "there is no signature" : new AppError(refusal.code, refusal.params).message;
    throw new AppError("install.blocked", { rule: key, detail, who });
  }

  async function runnable(install: CheckedInstall, policy?: CommunityPolicy): Promise<void> {
    await judgeRecord(install);
    const [{ revision }, now] = await Promise.all([trust.current(), policy ?? gate.policy(install.community)]);
    const key = [install.id, install.contentHash, install.signature ?? "", revision, now.revision].join(" ");
    const until = verdicts.get(key);
    if (until !== undefined && clock.now() <= until) return;
    verdicts.delete(key);
    const fresh = await judge(install, now);
    verdicts.set(key, fresh);
    const oldest = verdicts.keys().next();
    if (verdicts.size > rememberedMax && oldest.done !== true) verdicts.delete(oldest.value);
  }

  async function uiPolicy(extension: string, contentHash: string): Promise<{ connect: string[]; img: string[] }> {
    let answer: { connect: string[]; img: string[] } | undefined;
    for (const [community, name] of await shelf.owners(objectKeyOf(contentHash), "install")) {
      const row = name === extension && community !== undefined ? (await rows.installs.get([community, extension]))?.value : undefined;
      if (row === undefined) continue;
      const policy = await gate.policy(row.community);
      const install = await usable(row, policy);
      if (install?.contentHash !== contentHash || install.manifest.ui === undefined) continue;
      const { uiHosts } = grantedPolicy(effectiveOf(policy), install.granted);
      const { connect = [], img = [] } = install.manifest.ui.csp ?? {};
      const before = answer ?? { connect, img };
      answer = { connect: intersectPatterns(before.connect, uiHosts), img: intersectPatterns(before.img, uiHosts) };
    }
    if (answer === undefined) throw new AppError("ext.not_found", { extension });
    return answer;
  }

  async function usable({ community, extension }: InstallRow, policy: CommunityPolicy): Promise<RunnableInstall | undefined> {
    try {
      const install = await active(community, extension);
      if (install !== undefined) await runnable(install, policy);
      return install;
    } catch (error) {
      if (!hasCode(error, "ext.integrity", "install.blocked")) throw error;
      return undefined;
    }
  }

  return {
    active,
    runnable,
    quarantine,
    bundle: (contentHash) => guarded(contentHash, () => shelf.tar(contentHash)),
    uiPolicy,
  };
}
