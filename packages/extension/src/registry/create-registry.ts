/**
 * The instance's registry: published versions of packages, each signed, each for ever the same bytes.
 *
 * Invariant: a version is one batch (record, name, catalogue entry, references of its objects), so of two publishers of one name and version exactly one
 * wins, and a publish that fails leaves no record and no bytes. What was published is never changed, only marked. docs/architecture/registry.md.
 */
import { AppError, extensionIdSchema, limits, type PackageVersion } from "@althing/contract";
import type { Store, Write } from "@althing/store";
import type { ExtensionClock, ExtensionLog, PluginCaller } from "../extension-deps.ts";
import { parseManifest, type CronCheck, type Manifest } from "../manifest/index.ts";
import type { TrustKeeper } from "../trust-keeper/index.ts";
import type { StagedBundle, Upload, Uploads } from "../upload/index.ts";
import { objectKeyOf, sha256Of, type BundleShelf } from "./bundle-shelf.ts";
import { createNameBinding, type NameBinding } from "./name-binding.ts";
import { latestOf, openPackageRows, publishedVersions, toPackageVersion, type PackageRows, type VersionRow } from "./package-rows.ts";
import { prepareComponent, type Preparer } from "./prepare-component.ts";
import { requireInstance } from "./require-instance.ts";
import { retryConflicts } from "@althing/store";
import type { Input, Output } from "./route-input.ts";
import { requireTrust } from "./verify-candidate.ts";

export interface RegistryDeps {
  readonly store: Store;
  readonly shelf: BundleShelf;
  readonly uploads: Uploads;
  readonly trust: TrustKeeper;
  readonly runner: Preparer;
  readonly clock: ExtensionClock;
  readonly log: ExtensionLog;
  readonly checkCron?: CronCheck;
}

export interface Registry {
  /** @throws {auth.forbidden} {upload.malformed} {bundle.malformed} {manifest.invalid} {trust.unsigned} {registry.version_exists} {registry.name_bound} */
  publish(caller: PluginCaller, upload: Upload): Promise<PackageVersion>;
  list(caller: PluginCaller, input: Input<"registry.list">): Promise<Output<"registry.list">>;
  /** @throws {registry.not_found} */
  get(caller: PluginCaller, input: Input<"registry.get">): Promise<Output<"registry.get">>;
  /** @throws {registry.not_found} {ext.integrity} */
  version(caller: PluginCaller, input: Input<"registry.version">): Promise<Output<"registry.version">>;
  /** @throws {auth.forbidden} {registry.not_found} */
  deprecate(caller: PluginCaller, input: Input<"registry.deprecate">): Promise<PackageVersion>;
  /** @throws {auth.forbidden} {registry.not_found} */
  yank(caller: PluginCaller, input: Input<"registry.yank">): Promise<PackageVersion>;
  /** An admin's consent to another signer of a name. @throws {auth.forbidden} {registry.not_found} */
  rebind: NameBinding["rebind"];
}

const notFound = (name: string, version = "") => new AppError("registry.not_found", { name, version });

/** Catalogue pages, read record by record until the page is full. */
async function search(
  { packages }: PackageRows,
  { search: text = "", after, limit }: Input<"registry.list">,
): Promise<Output<"registry.list">> {
  const wanted = text.trim().toLowerCase();
  const found: Output<"registry.list">["packages"] = [];
  let cursor: readonly [string, ...string[]] | undefined = after === undefined ? undefined : [after];
  do {
    const page = await packages.list({ limit: limits.packagesPageMax, ...(cursor === undefined ? {} : { after: cursor }) });
    for (const { value } of page.records) {
      const { name, displayName, description = "", publisher } = value.latest;
      if (![name, displayName, description, publisher.name].some((part) => part.toLowerCase().includes(wanted))) continue;
      if (found.length === limit) return { packages: found, ...nextOf(found) };
      found.push({ name, latest: value.latest, versions: value.versions });
    }
    cursor = page.next;
  } while (cursor !== undefined);
  return { packages: found };
}

function nextOf(found: Output<"registry.list">["packages"]): { next?: string } {
  const last = found.at(-1);
  return last === undefined ? {} : { next: last.name };
}

interface Release {
  readonly manifest: Manifest;
  readonly staged: StagedBundle;
  readonly signature: Uint8Array;
}

function toRow(caller: PluginCaller, { manifest, staged, signature }: Release, trust: PackageVersion["trust"], nowMs: number): VersionRow {
  const { name, version, displayName, description, publisher } = manifest;
  return {
    name: extensionIdSchema.parse(name),
    version,
    contentHash: staged.contentHash,
    bytes: staged.tarBytes,
    publisher,
    displayName,
    ...(description === undefined ? {} : { description }),
    trust,
    source: "publish",
    publishedAt: new Date(nowMs).toISOString(),
    publishedBy: caller.endpoint,
    sbom: staged.hasSbom,
    signature: sha256Of(signature),
  };
}

/** The same bytes are the same version; other bytes never are. @throws {registry.version_exists} */
async function findSame({ versions }: PackageRows, { manifest, staged }: Release): Promise<PackageVersion | undefined> {
  const { name, version } = manifest;
  const row = (await versions.get([name, version]))?.value;
  if (row === undefined) return undefined;
  if (row.contentHash !== staged.contentHash) throw new AppError("registry.version_exists", { name, version, observed: row.contentHash });
  return toPackageVersion(row);
}

/** The part of the deps that writes a version. */
function createPublisher(deps: RegistryDeps, rows: PackageRows, binding: NameBinding) {
  const { store, shelf, trust, runner, clock } = deps;

  async function judge({ manifest, staged, signature }: Release) {
    const { store: trusted } = await trust.current();
    return requireTrust({ manifest, contentHash: staged.contentHash, signature, trust: trusted, required: true, nowMs: clock.now() });
  }

  async function commit(caller: PluginCaller, release: Release, ended: readonly Write[]): Promise<PackageVersion> {
    const { name, version } = release.manifest;
    const same = await findSame(rows, release);
    if (same !== undefined) return same;
    const state = await judge(release);
    const row = toRow(caller, release, state, clock.now());
    const known = await rows.packages.get([name]);
    const all = [row, ...(known === undefined ? [] : await publishedVersions(rows, name))] as const;
    await store.batch([
      ...(await binding.claim(caller, name, state)),
      rows.versions.toPut([name, version], row, 0),
      rows.packages.toPut([name], { latest: toPackageVersion(latestOf(all)), versions: all.length }, known?.revision ?? 0),
      shelf.toRef(objectKeyOf(row.contentHash), ["published", name, version]),
      shelf.toRef(row.signature, ["published", name, version]),
      ...ended,
    ]);
    return toPackageVersion(row);
  }

  return async function publish(caller: PluginCaller, staged: StagedBundle): Promise<PackageVersion> {
    const { checkCron } = deps;
    const manifest = parseManifest(staged.manifestFile, checkCron === undefined ? {} : { checkCron });
    const { contentHash, signature } = staged;
    if (signature === undefined) throw new AppError("trust.unsigned");
    const release = { manifest, staged, signature };
    const state = await judge(release);
    await binding.claim(caller, manifest.name, state);
    const same = await findSame(rows, release);
    if (same !== undefined) return same;
    const lease = await shelf.lease([
      { key: objectKeyOf(contentHash), bytes: () => staged.bytes() },
      { key: sha256Of(signature), bytes: () => signature },
    ]);
    try {
      await prepareComponent(runner, manifest.name, staged, manifest);
      return await retryConflicts("the package", () => commit(caller, release, lease.writes));
    } finally {
      // After a commit there is nothing left to end; after a failure, or when the same bytes were there already, there is.
      await lease.release();
    }
  };
}

/**
 * @example
 * const registry = createRegistry({ store, shelf, uploads, trust, runner, clock: Date, log });
 * await registry.publish(caller, { contentType, bytes });
 */
export function createRegistry(deps: RegistryDeps): Registry {
  const { store, shelf, uploads, clock, log } = deps;
  const rows = openPackageRows(store);
  const binding = createNameBinding(rows.names, clock);
  const release = createPublisher(deps, rows, binding);

  async function mark(
    caller: PluginCaller,
    { name, version, reason, undo }: Input<"registry.yank">,
    field: "deprecated" | "yanked",
  ): Promise<PackageVersion> {
    const marked = await retryConflicts("the package", async () => {
      const [found, known] = await Promise.all([rows.versions.get([name, version]), rows.packages.get([name])]);
      if (found === undefined || known === undefined) throw notFound(name, version);
      if (found.value.publishedBy !== caller.endpoint) requireInstance(caller, "registry.manage");
      const { [field]: _before, ...rest } = found.value;
      const row: VersionRow = undo ? rest : { ...rest, [field]: reason };
      const others = (await publishedVersions(rows, name)).filter((other) => other.version !== version);
      const latest = toPackageVersion(latestOf([row, ...others]));
      await store.batch([
        rows.versions.toPut([name, version], row, found.revision),
        rows.packages.toPut([name], { ...known.value, latest }, known.revision),
      ]);
      return toPackageVersion(row);
    });
    log("info", `registry.${field}`, { name, version, undo, by: caller.endpoint });
    return marked;
  }

  return {
    async publish(caller, upload) {
      requireInstance(caller, "registry.publish");
      const staged = await uploads.receive(upload);
      try {
        const published = await release(caller, staged);
        log("info", "registry.published", { name: published.name, version: published.version, by: caller.endpoint });
        return published;
      } finally {
        await staged.dispose();
      }
    },
    list: (_caller, input) => search(rows, input),
    async get(_caller, { name }) {
      const versions = await publishedVersions(rows, name);
      if (versions.length === 0) throw notFound(name);
      return { versions: versions.map(toPackageVersion) };
    },
    async version(_caller, { name, version }) {
      const row = (await rows.versions.get([name, version]))?.value;
      if (row === undefined) throw notFound(name, version);
      const { manifest } = await shelf.open(row.contentHash);
      return { ...toPackageVersion(row), manifest: { ...manifest } };
    },
    deprecate: (caller, input) => mark(caller, input, "deprecated"),
    yank: (caller, input) => mark(caller, input, "yanked"),
    rebind: (caller, input) => binding.rebind(caller, input),
  };
}
