/**
 * What a manifest declares, what was granted of it, and the difference between two.
 *
 * Invariant: consent is a diff. Only what was declared can be granted; an upgrade gets what the old version was granted and still declares, and anything
 * that the old version did not declare is new and waits. Host patterns and topics are compared by what they cover, all else by name.
 */
import { AppError, type Grants } from "@althing/contract";
import { coversPattern, intersectPatterns } from "@althing/policy";
import { checkPattern } from "../fetcher/index.ts";
import type { Manifest } from "../manifest/index.ts";

export const noGrants: Grants = { capabilities: [], egress: [], events: [], filters: [], jobs: [], publicEndpoints: [], uiHosts: [] };
const kinds = ["capabilities", "egress", "events", "filters", "jobs", "publicEndpoints", "uiHosts"] as const satisfies (keyof Grants)[];
type Kind = (typeof kinds)[number];

export function declaredGrants(manifest: Manifest): Grants {
  const { capabilities, egress, events, filters, jobs, endpoints, ui } = manifest;
  return {
    capabilities: capabilities.map(({ name }) => name),
    egress: egress.map(({ host }) => host),
    events: [...events],
    filters: filters.map(({ point }) => point),
    jobs: jobs.map(({ name }) => name),
    publicEndpoints: endpoints.filter((endpoint) => endpoint.public === true).map(({ method, path }) => `${method} ${path}`),
    uiHosts: [...new Set([...(ui?.csp?.connect ?? []), ...(ui?.csp?.img ?? [])])],
  };
}

/** Is the topic, or all below a prefix, inside one of the patterns? */
export function coversTopic(outer: readonly string[], topic: string): boolean {
  return outer.some((pattern) => pattern === topic || (pattern.endsWith(".*") && topic.startsWith(pattern.slice(0, -1))));
}

const isCovered = (kind: Kind, outer: readonly string[], item: string): boolean => {
  if (kind === "egress" || kind === "uiHosts") return coversPattern(outer, item);
  return kind === "events" ? coversTopic(outer, item) : outer.includes(item);
};

function mapKinds(of: (kind: Kind) => string[]): Grants {
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

/** What of `granted` the declaration still covers, and what of the declaration `granted` covers. */
export function narrowGrants(granted: Grants, declared: Grants): Grants {
  return mapKinds((kind) => {
    if (kind === "egress" || kind === "uiHosts") return intersectPatterns(granted[kind], declared[kind]);
    const kept = granted[kind].filter((item) => isCovered(kind, declared[kind], item));
    const narrower = declared[kind].filter((item) => isCovered(kind, granted[kind], item));
    return [...new Set([...kept, ...narrower])];
  });
}

export interface GrantsDiff {
  readonly added: Grants;
  readonly removed: Grants;
  readonly addsNothing: boolean;
}

export function diffGrants(before: Grants, after: Grants): GrantsDiff {
  const beyond = (from: Grants, to: Grants) => mapKinds((kind) => to[kind].filter((item) => !isCovered(kind, from[kind], item)));
  const added = beyond(before, after);
  return { added, removed: beyond(after, before), addsNothing: kinds.every((kind) => added[kind].length === 0) };
}

/** The first thing granted that is not declared. */
export function beyondDeclared(granted: Grants, declared: Grants): string | undefined {
  for (const kind of kinds) {
    const found = granted[kind].find((item) => !isCovered(kind, declared[kind], item));
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * What an admin grants: kinds that are left out are granted as declared.
 * @throws {install.grant_beyond_declared}
 */
export function readGrant(grant: { readonly [K in Kind]?: string[] | undefined } | undefined, declared: Grants): Grants {
  const granted = mapKinds((kind) => [...new Set(grant?.[kind] ?? declared[kind])]);
  const isPattern = (host: string) => declared.egress.includes(host) || declared.uiHosts.includes(host) || checkPattern(host).ok;
  const observed = beyondDeclared(granted, declared) ?? [...granted.egress, ...granted.uiHosts].find((host) => !isPattern(host));
  if (observed !== undefined) throw new AppError("install.grant_beyond_declared", { observed: observed.slice(0, 255) });
  return granted;
}
