/**
 * What a package may do, in words for the person who decides about it.
 *
 * Invariant: everything that a grant covers is said, nothing is summed up away; an author's reasons are marked as theirs and are one line each, so that
 * no package can write a line that looks like ours.
 */
import type { Grants, Install, TrustState } from "@althing/contract";
import { capabilities, checkManifest, type Manifest } from "@althing/extension/manifest";
import { safeLine } from "../terminal-text.ts";

const quoted = (text: string): string => `"${safeLine(text)}"`;
const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
const section = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : [title, ...indented(lines)]);

/** A manifest that a server sent, where it still fits this version's schema. Its schedules were judged there. */
export function manifestOf(value: unknown): Manifest | undefined {
  return checkManifest(value, { checkCron: () => undefined }).manifest;
}

function capabilityWords(name: string): string {
  return Object.entries(capabilities).find(([known]) => known === name)?.[1] ?? "a capability that this version does not know";
}

function endpointWords({ method, path, permission, public: isPublic }: Manifest["endpoints"][number]): string {
  const who = isPublic === true ? "anybody, without signing in" : permission === undefined ? "members" : `members with ${permission}`;
  return `${method} ${path}: ${who}`;
}

function scheduleWords(schedule: Manifest["jobs"][number]["schedule"]): string {
  return typeof schedule === "string" ? schedule : `cron ${schedule.cron} (${schedule.timeZone})`;
}

function filterWords({ point, mode }: Manifest["filters"][number]): string {
  return `${point}: it may change or refuse; when it fails, ${mode === "fail_closed" ? "the act is refused" : "it is skipped"}`;
}

function settingsWords({ settings }: Manifest): string[] {
  const properties = Object.entries(settings?.properties ?? {});
  return properties.map(([name, node]) => {
    const isSecret = node.type === "string" && node.secret === true;
    const isRequired = settings?.required?.includes(name) === true && node.default === undefined;
    const title = node.title === undefined ? "" : `, ${quoted(node.title)}`;
    return `${name}: ${isSecret ? "secret" : node.type}${title}${isRequired ? ", needed" : ""}`;
  });
}

function limitWords({ limits }: Manifest): string[] {
  return Object.entries(limits ?? {}).map(([name, value]) => `${name} ${String(value)}`);
}

/** What it is, and everything that it asks for. */
export function manifestWords(manifest: Manifest): string[] {
  const { name, version, displayName, publisher, stage, license, description, ui } = manifest;
  return [
    `${safeLine(displayName)} (${name}) ${version}`,
    ...indented([
      `by ${safeLine(publisher.name)} (${safeLine(publisher.id)}), ${stage}${license === undefined ? "" : `, ${safeLine(license)}`}`,
      ...(description === undefined ? [] : [quoted(description)]),
    ]),
    ...section(
      "asks to be granted",
      manifest.capabilities.map((asked) => `${asked.name}: ${capabilityWords(asked.name)}; its author says ${quoted(asked.reason)}`),
    ),
    ...section(
      "asks to send to",
      manifest.egress.map(({ host, reason }) => `${host}; its author says ${quoted(reason)}`),
    ),
    ...section("answers", manifest.endpoints.map(endpointWords)),
    ...section("is told of", manifest.events),
    ...section("filters", manifest.filters.map(filterWords)),
    ...section(
      "runs by itself",
      manifest.jobs.map((job) => `${job.name}: ${scheduleWords(job.schedule)}`),
    ),
    ...section(
      "shows pages",
      ui === undefined ? [] : [`${ui.entry}${ui.nav.map((entry) => `, ${quoted(entry.label)} at ${entry.path}`).join("")}`],
    ),
    ...section("its pages may reach", [...new Set([...(ui?.csp?.connect ?? []), ...(ui?.csp?.img ?? [])])]),
    ...section("has settings", settingsWords(manifest)),
    ...section("asks for limits", limitWords(manifest)),
    ...(asksForNothing(manifest) ? ["asks for no grants"] : []),
  ];
}

function asksForNothing({ capabilities: asked, egress, events, filters, jobs, endpoints }: Manifest): boolean {
  return asked.length + egress.length + events.length + filters.length + jobs.length === 0 && !endpoints.some((one) => one.public === true);
}

const kinds = {
  capabilities: (item: string) => `${item}: ${capabilityWords(item)}`,
  egress: (item: string) => `send to ${item}`,
  events: (item: string) => `be told of ${item}`,
  filters: (item: string) => `filter at ${item}`,
  jobs: (item: string) => `run the job ${item} by itself`,
  publicEndpoints: (item: string) => `answer ${item} to anybody, without signing in`,
  uiHosts: (item: string) => `reach ${item} from its pages`,
} satisfies Record<keyof Grants, (item: string) => string>;

/** One line a grant. */
export function grantsWords(grants: Grants): string[] {
  return (Object.keys(kinds) as (keyof Grants)[]).flatMap((kind) => grants[kind].map((item) => safeLine(kinds[kind](item))));
}

/** What an upgrade adds and gives up. */
export function diffWords({ added, removed }: { readonly added: Grants; readonly removed: Grants }): string[] {
  const lines = [
    ...grantsWords(added).map((line) => `+ it will be able to ${line}`),
    ...grantsWords(removed).map((line) => `- it will no longer ${line}`),
  ];
  return lines.length === 0 ? ["it asks for the same as before"] : lines;
}

/** Who signed it, and whether this instance trusts them today. */
export function trustWords({ verified, signer, chain, reason, required }: TrustState): string {
  if (verified) {
    const how = signer?.kind === "certificate" ? `certificate, ${chain.length} in the chain` : "publisher's key";
    return `signed by ${safeLine(signer?.publisherId ?? "?")} (${how}), whom this instance trusts`;
  }
  const why = safeLine(reason?.text ?? "there is no signature");
  return `NOT VERIFIED: ${why}${required ? "" : " (this community's policy tolerates it)"}`;
}

/** An install as it is shown before somebody consents to it. */
export function askedWords(install: Install): string[] {
  const { pending, trust, manifest } = install;
  if (pending !== undefined) {
    return [
      `${safeLine(install.displayName)} (${install.extension}) ${install.version} → ${pending.version}`,
      ...indented(diffWords(pending.diff)),
      trustWords(trust),
    ];
  }
  const known = manifestOf(manifest);
  const words = known === undefined ? section("asks to be granted", grantsWords(install.declared)) : manifestWords(known);
  return [...words, trustWords(trust)];
}
