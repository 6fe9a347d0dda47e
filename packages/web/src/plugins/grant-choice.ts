/**
 * What somebody grants of what a package asks for.
 *
 * Invariant: whatever was not refused by name is granted as declared, so a kind of grant that nobody touched is not sent and cannot be narrowed by
 * mistake; nothing is granted that was not shown.
 */
import type { Grants } from "@althing/contract";

export type GrantKind = keyof Grants;
export const grantKinds = [
  "capabilities",
  "egress",
  "uiHosts",
  "events",
  "filters",
  "jobs",
  "publicEndpoints",
] as const satisfies readonly GrantKind[];

export interface GrantItem {
  readonly kind: GrantKind;
  readonly item: string;
}

export const itemKey = ({ kind, item }: GrantItem): string => `${kind} ${item}`;

export function itemsOf(grants: Grants): GrantItem[] {
  return grantKinds.flatMap((kind) => grants[kind].map((item) => ({ kind, item })));
}

function mapKinds(of: (kind: GrantKind) => string[]): Grants {
  return {
    capabilities: of("capabilities"),
    egress: of("egress"),
    events: of("events"),
    filters: of("filters"),
    jobs: of("jobs"),
    publicEndpoints: of("publicEndpoints"),
    uiHosts: of("uiHosts"),
  };
}

export function withoutRefused(declared: Grants, refused: ReadonlySet<string>): Grants {
  return mapKinds((kind) => declared[kind].filter((item) => !refused.has(itemKey({ kind, item }))));
}

/** As it is sent; `undefined`: everything that is declared. */
export function grantToSend(declared: Grants, refused: ReadonlySet<string>): Partial<Grants> | undefined {
  const chosen = withoutRefused(declared, refused);
  const touched = grantKinds.filter((kind) => chosen[kind].length < declared[kind].length);
  return touched.length === 0 ? undefined : Object.fromEntries(touched.map((kind) => [kind, chosen[kind]]));
}

/** What an upgrade will declare, as far as its diff tells: what stays, and what it adds. */
export function declaredAfter(before: Grants, { added, removed }: { readonly added: Grants; readonly removed: Grants }): Grants {
  return mapKinds((kind) => [...new Set([...before[kind].filter((item) => !removed[kind].includes(item)), ...added[kind]])]);
}

/** What is declared and was not granted: refused by somebody before. */
export function refusedBefore(declared: Grants, granted: Grants): Set<string> {
  return new Set(
    itemsOf(declared)
      .filter(({ kind, item }) => !granted[kind].includes(item))
      .map(itemKey),
  );
}
