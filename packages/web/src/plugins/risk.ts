/**
 * How much harm a package could do with what it asks for, as three grades, each with its reasons.
 *
 * Invariant: the grade is the highest of its reasons, and every reason is shown; nothing is weighed in secret. It speaks of what the grants make
 * possible, not of what the author wants, and it is no replacement for reading them. The same rules stand on the page in words.
 *
 * | grade | reasons |
 * |---|---|
 * | high | no signature that this instance trusts · sends to a whole family of hosts · can read about members, proposals or secrets and send out · answers strangers and sends out · stops things when it fails |
 * | medium | sends to named hosts · sees members or proposals · is given secrets · posts into rooms · is told what happens · changes or refuses what people do · works by itself · answers strangers · its pages reach hosts |
 * | low | nothing of these |
 */
import type { Grants } from "@althing/contract";

export const riskGrades = ["low", "medium", "high"] as const;
export type RiskGrade = (typeof riskGrades)[number];

export const riskWhys = [
  "untrusted",
  "manyHosts",
  "readsAndSends",
  "strangersAndSends",
  "strictFilter",
  "sends",
  "readsPeople",
  "secrets",
  "posts",
  "told",
  "filters",
  "alone",
  "strangers",
  "pages",
] as const;
export type RiskWhy = (typeof riskWhys)[number];

export interface RiskReason {
  readonly grade: "medium" | "high";
  readonly why: RiskWhy;
}

export interface Risk {
  readonly grade: RiskGrade;
  /** The gravest first. */
  readonly reasons: readonly RiskReason[];
}

export interface RiskFacts {
  /** Signed by somebody this instance trusts. */
  readonly isTrusted: boolean;
  /** Has a filter that refuses what people do when it fails. */
  readonly hasStrictFilter: boolean;
}

export function rateRisk(asked: Grants, { isTrusted, hasStrictFilter }: RiskFacts): Risk {
  const may = (name: string): boolean => asked.capabilities.includes(name);
  const hosts = [...asked.egress, ...asked.uiHosts];
  const sends = (may("http.fetch") && asked.egress.length > 0) || asked.uiHosts.length > 0;
  const readsPeople = may("members.read") || may("proposals.read");
  const isPublic = asked.publicEndpoints.length > 0;
  const found: readonly (readonly [RiskReason["grade"], RiskWhy, boolean])[] = [
    ["high", "untrusted", !isTrusted],
    ["high", "manyHosts", sends && hosts.some((host) => host.startsWith("*."))],
    ["high", "readsAndSends", sends && (readsPeople || may("secrets.get") || asked.events.length > 0 || asked.filters.length > 0)],
    ["high", "strangersAndSends", sends && isPublic],
    ["high", "strictFilter", hasStrictFilter && asked.filters.length > 0],
    ["medium", "sends", may("http.fetch") && asked.egress.length > 0],
    ["medium", "readsPeople", readsPeople],
    ["medium", "secrets", may("secrets.get")],
    ["medium", "posts", may("rooms.post") || may("events.emit")],
    ["medium", "told", asked.events.length > 0],
    ["medium", "filters", asked.filters.length > 0],
    ["medium", "alone", asked.jobs.length > 0],
    ["medium", "strangers", isPublic],
    ["medium", "pages", asked.uiHosts.length > 0],
  ];
  const reasons = found.flatMap(([grade, why, holds]) => (holds ? [{ grade, why }] : []));
  return { grade: reasons[0]?.grade ?? "low", reasons };
}
