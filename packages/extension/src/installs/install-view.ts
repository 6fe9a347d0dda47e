/**
 * An install as it is shown: its record, what its manifest says, and whether it may run today.
 *
 * Invariant: `blocked` is computed at each reading from today's policy and today's trust, never stored; a bundle that cannot be read any more
 * does not hide the install, since somebody has to see why it stands still.
 */
import { AppError, hasCode, type EffectivePolicy, type Install } from "@althing/contract";
import { mayTrust } from "@althing/policy";
import type { Manifest } from "../manifest/index.ts";
import { declaredGrants, diffGrants, noGrants } from "./grants.ts";
import type { InstallsContext } from "./installs-deps.ts";
import type { Arrival, FoundInstall, InstallRow } from "./install-rows.ts";

export type Blocked = NonNullable<Install["blocked"]>;

const operator = "An admin of the instance";

/** Why today's trust or policy does not let these bytes run; `undefined`: they may. */
export async function blockOf({ today }: InstallsContext, effective: EffectivePolicy, arrival: Arrival): Promise<Blocked | undefined> {
  try {
    const { state } = await today.judge(arrival, effective.values.trust !== "allow_unsigned");
    const refusal = mayTrust(effective, state);
    if (refusal === undefined) return undefined;
    const { params, code } = refusal;
    const text = code.startsWith("trust.") ? (state.reason?.text ?? "there is no signature") : new AppError(code, params).message;
    return { rule: params["key"] ?? "trust", text, who: params["who"] ?? operator };
  } catch (error) {
    if (!hasCode(error, "ext.integrity", "trust.bundle_invalid", "manifest.invalid")) throw error;
    return { rule: error.code === "trust.bundle_invalid" ? "trust" : "integrity", text: error.message, who: operator };
  }
}

export function stateOf({ quarantine, consented, isActive, pending }: InstallRow): Install["state"] {
  if (quarantine !== undefined) return "quarantined";
  if (!consented) return "installed";
  if (isActive) return "active";
  return pending === undefined ? "inactive" : "awaiting-consent";
}

/** `undefined` when the bundle is gone or altered; `blocked` then says so. */
export async function manifestOf({ shelf }: InstallsContext, contentHash: string): Promise<Manifest | undefined> {
  try {
    return (await shelf.open(contentHash)).manifest;
  } catch (error) {
    if (!hasCode(error, "ext.integrity", "manifest.invalid")) throw error;
    return undefined;
  }
}

function uiUrlOf(base: string | undefined, { extension, current }: InstallRow, manifest: Manifest | undefined): { uiUrl?: string } {
  if (base === undefined || manifest?.ui === undefined) return {};
  return { uiUrl: `${base.replace(/\/$/, "")}/ext-ui/${extension}/${current.contentHash}/${manifest.ui.entry}` };
}

async function pendingOf(
  context: InstallsContext,
  { pending }: InstallRow,
  declared: Install["declared"],
): Promise<{ pending?: NonNullable<Install["pending"]> }> {
  if (pending === undefined) return {};
  const manifest = await manifestOf(context, pending.contentHash);
  const { version, contentHash, at, trust } = pending;
  const diff = diffGrants(declared, manifest === undefined ? noGrants : declaredGrants(manifest));
  return { pending: { version, contentHash, at, diff, manifest: { ...manifest }, trust } };
}

export async function toInstall(context: InstallsContext, { row, revision }: FoundInstall, effective: EffectivePolicy): Promise<Install> {
  const { id, community, extension, current, quarantine, granted, settings, createdAt, createdBy } = row;
  const [manifest, blocked, secrets] = await Promise.all([
    manifestOf(context, current.contentHash),
    blockOf(context, effective, current),
    context.vault.list(row),
  ]);
  const declared = manifest === undefined ? noGrants : declaredGrants(manifest);
  return {
    id,
    community,
    extension,
    displayName: manifest?.displayName ?? extension,
    version: current.version,
    contentHash: current.contentHash,
    state: stateOf(row),
    ...(blocked === undefined ? {} : { blocked }),
    ...(quarantine === undefined ? {} : { quarantine }),
    granted,
    declared,
    ...(await pendingOf(context, row, declared)),
    settings,
    secrets: secrets.map(({ name, setAt, expiresAt, hosts }) => ({
      name,
      setAt,
      ...(expiresAt === undefined ? {} : { expiresAt }),
      hosts: [...hosts],
    })),
    manifest: { ...manifest },
    trust: current.trust,
    source: current.source,
    ...uiUrlOf(context.uiBase, row, manifest),
    createdAt,
    createdBy,
    revision,
  };
}
