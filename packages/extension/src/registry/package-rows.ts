/**
 * The registry's records.
 *
 * Invariant: keys are made so that every look-up is a `get` or a prefix list; a package's record holds what a catalogue shows, so a page of the catalogue
 * is one list. `ext-names` says to whom a name belongs, published or installed; the other two exist for published packages only.
 */
import { packageVersionSchema, type PackageVersion } from "@althing/contract";
import type { Collection, Store } from "@althing/store";
import semver from "semver";
import { z } from "zod";

/** `ext-names/<name>` */
const nameSchema = z.object({ signer: z.string(), publisherId: z.string(), boundAt: z.string(), boundBy: z.string() });
export type NameRow = z.infer<typeof nameSchema>;

/** `ext-packages/<name>` */
const packageRowSchema = z.object({ latest: packageVersionSchema, versions: z.int().positive() });
export type PackageRow = z.infer<typeof packageRowSchema>;

/** `ext-versions/<name>/<version>` */
const versionRowSchema = packageVersionSchema.extend({ signature: z.string().length(64) });
export type VersionRow = z.infer<typeof versionRowSchema>;

/** `ext-registry-pins/<sha256 of the address>`: what was last seen of a static registry. */
const pinRowSchema = z.object({
  url: z.string(),
  version: z.int().positive(),
  digest: z.string().length(64),
  signer: z.string(),
  seenAt: z.string(),
});
export type PinRow = z.infer<typeof pinRowSchema>;

export interface PackageRows {
  readonly names: Collection<NameRow>;
  readonly packages: Collection<PackageRow>;
  readonly versions: Collection<VersionRow>;
  readonly pins: Collection<PinRow>;
}

export function openPackageRows(store: Store): PackageRows {
  return {
    names: store.collection({ name: "ext-names", schema: nameSchema }),
    packages: store.collection({ name: "ext-packages", schema: packageRowSchema }),
    versions: store.collection({ name: "ext-versions", schema: versionRowSchema }),
    pins: store.collection({ name: "ext-registry-pins", schema: pinRowSchema }),
  };
}

/** The record's key is no part of what is shown. */
export function toPackageVersion({ signature: _signature, ...shown }: VersionRow): PackageVersion {
  return shown;
}

interface Choice {
  readonly version: string;
  readonly yanked?: string | boolean | undefined;
}

/** The version to take when none is named: the highest that is neither yanked nor a pre-release, else the highest that is not yanked. */
export function newestOf<T extends Choice>(versions: readonly T[]): T | undefined {
  const usable = versions.filter(({ yanked }) => yanked === undefined || yanked === false);
  const highest = (of: readonly T[]) => of.toSorted((a, b) => semver.rcompare(a.version, b.version))[0];
  return highest(usable.filter(({ version }) => semver.prerelease(version) === null)) ?? highest(usable);
}

/** What a catalogue shows of a package; it has a latest version even if all are yanked. */
export function latestOf<T extends Choice>(versions: readonly [T, ...T[]]): T {
  return newestOf(versions) ?? versions.toSorted((a, b) => semver.rcompare(a.version, b.version))[0] ?? versions[0];
}

/** Every version of a package, newest first. */
export async function publishedVersions({ versions }: PackageRows, name: string): Promise<VersionRow[]> {
  const found: VersionRow[] = [];
  let after: readonly [string, ...string[]] | undefined;
  do {
    const page = await versions.list({ prefix: [name], limit: 1_000, ...(after === undefined ? {} : { after }) });
    for (const { value } of page.records) found.push(value);
    after = page.next;
  } while (after !== undefined);
  return found.toSorted((a, b) => semver.rcompare(a.version, b.version));
}
