/**
 * The operator's exceptions: places on the own network that may be fetched from all the same.
 *
 * Invariant: an exception is exact in use, scheme, host and port, and even then only addresses inside its network pass, so a name that
 * leaves the operator's hands cannot be turned against another machine. It comes from the instance's configuration file alone: nothing that
 * an admin, an author or a guest can send becomes one.
 */
import { AppError, urlHost } from "@althing/contract";
import { parseRange, type AddressRange } from "./classify-address.ts";
import type { FetchUse } from "./fetch-policy.ts";
import { isDnsName, literalOf } from "./host-name.ts";

export interface PrivateHost {
  readonly use: FetchUse;
  readonly scheme: "http" | "https";
  /** A name in lower case, or an address (IPv6 without brackets). */
  readonly host: string;
  readonly port: number;
  /** The network its addresses must lie in, e.g. `10.20.0.0/16`. */
  readonly cidr: string;
}

export interface PrivateHostRule extends PrivateHost {
  readonly range: AddressRange;
}

function canonicalHost(host: string): string | undefined {
  const hostname = URL.parse(`https://${urlHost(host)}/`)?.hostname;
  if (hostname === undefined) return undefined;
  const literal = literalOf(hostname);
  return literal ?? (isDnsName(hostname) ? hostname : undefined);
}

/**
 * Reads the list as the configuration has it.
 *
 * @throws {config.invalid} naming the entry and what is wrong with it
 */
export function readPrivateHosts(entries: readonly PrivateHost[]): readonly PrivateHostRule[] {
  return entries.map((entry, index) => {
    const refuse = (field: keyof PrivateHost, detail: string) =>
      new AppError("config.invalid", {
        key: `privateHosts[${index}].${field}`,
        source: "the configuration",
        observed: String(entry[field]),
        detail,
      });
    if (entry.use !== "registry" && entry.use !== "egress") throw refuse("use", "registry or egress");
    if (entry.scheme !== "http" && entry.scheme !== "https") throw refuse("scheme", "http or https");
    if (canonicalHost(entry.host) !== entry.host) throw refuse("host", "one exact host in lower case, without scheme, port and wildcard");
    if (!Number.isInteger(entry.port) || entry.port < 1 || entry.port > 65_535) throw refuse("port", "a port from 1 to 65535");
    const range = parseRange(entry.cidr);
    if (!range) throw refuse("cidr", "a network as address/prefix with no bits set beyond the prefix");
    return { ...entry, range };
  });
}
