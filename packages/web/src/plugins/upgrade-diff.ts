/**
 * What is different between two versions of a package beside its grants: settings, secrets, limits, addresses and pages.
 *
 * Invariant: compared by what the manifests say, name by name, so nothing that changed is left out because it looks alike; grants are compared by the hub,
 * which knows what a pattern covers.
 */
import type { ManifestView } from "./manifest-view.ts";

export const diffParts = ["settings", "secrets", "limits", "endpoints", "pages"] as const;
export type DiffPart = (typeof diffParts)[number];

export interface PartChange {
  readonly part: DiffPart;
  readonly change: "added" | "removed" | "changed";
  readonly name: string;
  /** Of a limit. */
  readonly before?: number | undefined;
  readonly after?: number | undefined;
}

type Named = ReadonlyMap<string, unknown>;

function propertiesOf({ settings }: ManifestView): Named {
  const properties = settings?.["properties"];
  return new Map(typeof properties === "object" && properties !== null ? Object.entries(properties) : []);
}

const namedBy = {
  settings: propertiesOf,
  secrets: ({ secrets }) => new Map(secrets.map((secret) => [secret.name, secret])),
  limits: ({ limits }) => new Map(Object.entries(limits).filter(([, value]) => value !== undefined)),
  endpoints: ({ endpoints }) => new Map(endpoints.map((one) => [`${one.method} ${one.path}`, one])),
  pages: ({ ui }) => new Map((ui?.nav ?? []).map((one) => [`${one.label} (${one.path})`, one])),
} as const satisfies Record<DiffPart, (view: ManifestView) => Named>;

const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

function changesOf(part: DiffPart, before: Named, after: Named): PartChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names.flatMap((name): PartChange[] => {
    const [old, next] = [before.get(name), after.get(name)];
    if (JSON.stringify(old) === JSON.stringify(next)) return [];
    const change = old === undefined ? "added" : next === undefined ? "removed" : "changed";
    return [{ part, change, name, ...(part === "limits" ? { before: numberOf(old), after: numberOf(next) } : {}) }];
  });
}

export function diffManifests(before: ManifestView, after: ManifestView): readonly PartChange[] {
  return diffParts.flatMap((part) => changesOf(part, namedBy[part](before), namedBy[part](after)));
}
