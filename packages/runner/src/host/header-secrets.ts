/**
 * `{{secret:NAME}}` in header values of `http.fetch`, so that a guest can use a secret without seeing it.
 *
 * Invariant: a secret goes only to hosts on its own list, judged by the host that is really asked (the one the fetcher parsed), and only into header
 * values: an address is written to logs on the way, and a body can be echoed by services that show what they were sent.
 * No error names a value.
 */
import { AppError } from "@althing/contract";
import { matchesPattern } from "@althing/extension/fetcher";
import type { KnownSecrets } from "./known-secrets.ts";

const placeholder = /\{\{secret:([A-Za-z0-9_.-]{1,64})\}\}/g;
/** Of one request; the broker takes no more. */
const namesMax = 10;

export interface UsableSecret {
  readonly name: string;
  readonly value: string;
  readonly hosts: readonly string[];
}

export type Field = readonly [name: string, value: string];

/** Names in the order of their first use. @throws {capability.bad_argument} more than 10 */
export function secretNames(fields: readonly Field[]): string[] {
  const names = new Set(fields.flatMap(([, value]) => [...value.matchAll(placeholder)].map((match) => match[1] ?? "")));
  if (names.size > namesMax) {
    throw new AppError("capability.bad_argument", { call: "http.fetch", detail: `more than ${namesMax} secrets in one request` });
  }
  return [...names];
}

/**
 * @param host as the fetcher uses it
 * @throws {secret.not_found} {capability.denied} the secret may not go to this host
 */
export function substituteSecrets(
  fields: readonly Field[],
  host: string,
  secrets: readonly UsableSecret[],
  known: KnownSecrets,
): readonly Field[] {
  const byName = new Map(secrets.map((secret) => [secret.name, secret]));
  const valueFor = (name: string): string => {
    const secret = byName.get(name);
    if (secret === undefined) throw new AppError("secret.not_found", { name });
    if (!secret.hosts.some((pattern) => matchesPattern(pattern, host))) {
      throw new AppError("capability.denied", { capability: `secret ${name}`, detail: `it may not be sent to ${host}` });
    }
    known.remember(name, secret.value);
    return secret.value;
  };
  return fields.map(([name, value]) => [name, value.replace(placeholder, (_whole, secret: string) => valueFor(secret))]);
}
