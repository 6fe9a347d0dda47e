/**
 * How installs and their numbers look on a terminal.
 *
 * Invariant: why a package does not run is said wherever the package is shown, with the rule and who can change it.
 */
import type { Install } from "@althing/contract";
import { grantsWords, trustWords } from "../ext/in-words.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";

/** Why it does not run although it should; empty when nothing stands in its way. */
export function troubleOf({ blocked, quarantine, pending }: Install): string[] {
  return [
    ...(blocked === undefined
      ? []
      : [`blocked by policy (${safeLine(blocked.rule)}): ${safeLine(blocked.text)}; ${safeLine(blocked.who)} can change that`]),
    ...(quarantine === undefined
      ? []
      : [`in quarantine since ${quarantine.at}: ${safeLine(quarantine.reason)}; ${safeLine(quarantine.hint)}`]),
    ...(pending === undefined ? [] : [`${pending.version} waits for consent`]),
  ];
}

/** One line, and why it does not run. */
export function installText(install: Install): string {
  const { extension, version, state } = install;
  return [`${extension} ${version} is ${state}`, ...troubleOf(install)].join("\n");
}

export function installRow(install: Install): string[] {
  const { extension, version, state, trust } = install;
  return [extension, version, state, trust.verified ? "signed" : "NOT VERIFIED", troubleOf(install).join("; ")];
}

export function installDetails(install: Install): string {
  const { id, extension, displayName, version, state, contentHash, trust, source, uiUrl, settings, secrets, granted } = install;
  const rows = [
    ["package", `${extension} ${version} (${safeLine(displayName)})`],
    ["install", id],
    ["state", state],
    ["content", contentHash],
    ["signature", trustWords(trust)],
    ["source", source.kind === "registry" ? safeLine(source.url) : "uploaded"],
    ...(uiUrl === undefined ? [] : [["pages", safeLine(uiUrl)]]),
    ["settings", safeLine(JSON.stringify(settings))],
    ["secrets", secrets.map(({ name, hosts }) => `${name}${hosts.length === 0 ? "" : ` (to ${hosts.join(", ")})`}`).join(", ") || "none"],
  ];
  const grants = grantsWords(granted);
  return [
    table(rows),
    "may",
    ...(grants.length === 0 ? ["  do nothing beyond answering members"] : grants.map((line) => `  ${line}`)),
    ...troubleOf(install),
  ].join("\n");
}

const steps = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

/** `1.2 M`; three digits are enough to compare. */
export function shortNumber(value: number): string {
  const step = steps.find(([size]) => value >= size);
  if (step === undefined) return String(Math.round(value));
  const scaled = value / step[0];
  return `${scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${step[1]}`;
}
