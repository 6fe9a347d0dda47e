/**
 * Judges the addresses of one host: all of them, or none is used.
 *
 * Invariant: one address that is not public refuses the whole answer, because a name with a public and a private address is either an attack
 * or a mistake, and picking the good one would leave the choice to the attacker's order. What is returned is exactly what is connected to.
 */
import { AppError } from "@althing/contract";
import type { UrlTarget } from "./check-url.ts";
import { classifyAddress, isInRange, parseAddress, parseRange, type ParsedAddress } from "./classify-address.ts";
import { dnsAnswersMax, type FetchUse } from "./fetch-policy.ts";

export interface VetInput {
  readonly target: UrlTarget;
  readonly answers: readonly string[];
  readonly use: FetchUse;
  /** Addresses and networks of this instance. */
  readonly ownAddresses: readonly string[];
  readonly hop: number;
}

function isOwn(address: ParsedAddress, ownAddresses: readonly string[]): boolean {
  return ownAddresses.some((text) => {
    const range = parseRange(text);
    return range !== undefined && isInRange(address, range);
  });
}

/** The rule that refuses one address; `undefined`: it may be connected to. */
function judge(text: string, { target, ownAddresses }: VetInput): string | undefined {
  const address = parseAddress(text);
  if (!address) return "invalid";
  if (target.exceptions.some(({ range }) => isInRange(address, range))) return undefined;
  const addressClass = classifyAddress(text);
  if (addressClass !== "public") return addressClass;
  if (isOwn(address, ownAddresses)) return "own_address";
  return target.needsException ? "outside_private_host" : undefined;
}

/**
 * @returns the addresses in order, each once
 * @throws {fetch.private_address} one of them is not public, with that address and its class
 * @throws {fetch.dns_failed} there are none, or too many
 */
export function vetAddresses(input: VetInput): readonly string[] {
  const { answers, target, use, hop } = input;
  const fail = (rule: string, detail: string) =>
    new AppError("fetch.dns_failed", { host: target.host, observed: answers.length, detail, rule, use, hop });
  if (answers.length === 0) throw fail("no_answer", "it has no address");
  if (answers.length > dnsAnswersMax) throw fail("answer_count", `it has ${answers.length} addresses, more than ${dnsAnswersMax}`);
  for (const observed of answers) {
    const rule = judge(observed, input);
    if (rule !== undefined) {
      throw new AppError("fetch.private_address", { host: target.host, observed: observed.slice(0, 64), rule, use, hop });
    }
  }
  return [...new Set(answers)];
}
