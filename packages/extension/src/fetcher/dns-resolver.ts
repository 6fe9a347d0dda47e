/**
 * Resolves a name to all its addresses, in a way that can be given up.
 *
 * Invariant: one call is one look-up; nothing is cached here, and the caller never asks twice for one connection. Not `dns.lookup`: it
 * occupies one of four threads of the process until the system gives up, which lets a slow name server of a stranger stop file access and
 * hashing for everyone, and it cannot be cancelled. A resolver of its own for each look-up, because `cancel()` ends all of a resolver's
 * queries. Search domains and mDNS are never consulted: the name asked for is the name meant. Source for the grace: RFC 8305 §3.
 */
import { Resolver as DnsClient } from "node:dns/promises";
import { openHostsFile } from "./hosts-file.ts";

export interface HostResolver {
  /**
   * All IPv4 and IPv6 addresses of an absolute name, aliases followed; none when it has none.
   *
   * @throws {Error} neither query was answered; `code` is c-ares' (`ETIMEOUT`, `ESERVFAIL`, `ECANCELLED`, …)
   */
  resolve(host: string, signal: AbortSignal): Promise<readonly string[]>;
}

export interface DnsResolverOptions {
  /** Name servers as `address` or `address:port`; default: the system's. */
  readonly servers?: readonly string[];
  /** `null`: no hosts file. Default `/etc/hosts`. */
  readonly hostsFile?: string | null;
  /** Wait for one server's answer before asking again. */
  readonly attemptTimeoutMs?: number;
  /** How long the second address family may take after the first has answered. */
  readonly familyGraceMs?: number;
}

const emptyCodes: ReadonlySet<string> = new Set(["ENODATA", "ENOTFOUND"]);

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

interface FamilyAnswer {
  readonly addresses: readonly string[];
  readonly error?: unknown;
}

async function answerOf(query: Promise<string[]>): Promise<FamilyAnswer> {
  try {
    return { addresses: await query };
  } catch (error) {
    return emptyCodes.has(codeOf(error)) ? { addresses: [] } : { addresses: [], error };
  }
}

/** Both answers, or one with addresses and what the other gave within the grace. */
async function bothFamilies(client: DnsClient, host: string, graceMs: number): Promise<FamilyAnswer[]> {
  const queries = [answerOf(client.resolve4(host)), answerOf(client.resolve6(host))];
  const first = await Promise.race(queries);
  if (first.addresses.length === 0) return Promise.all(queries);
  const { promise: grace, resolve: endGrace } = Promise.withResolvers<void>();
  const timer = setTimeout(endGrace, graceMs);
  const answers = await Promise.race([Promise.all(queries), grace]);
  clearTimeout(timer);
  return answers ?? [first];
}

/**
 * The resolver of the product: the hosts file first, then DNS over c-ares.
 *
 * @example
 * const addresses = await createDnsResolver().resolve("registry.example.org", AbortSignal.timeout(2_000));
 */
export function createDnsResolver(options: DnsResolverOptions = {}): HostResolver {
  const { servers, hostsFile = "/etc/hosts", attemptTimeoutMs = 700, familyGraceMs = 250 } = options;
  const hosts = hostsFile === null ? undefined : openHostsFile(hostsFile);
  return {
    async resolve(host, signal) {
      signal.throwIfAborted();
      const listed = (await hosts?.addressesOf(host)) ?? [];
      if (listed.length > 0) return listed;
      signal.throwIfAborted();
      const client = new DnsClient({ timeout: attemptTimeoutMs, tries: 2 });
      if (servers) client.setServers([...servers]);
      const cancel = () => client.cancel();
      signal.addEventListener("abort", cancel, { once: true });
      try {
        const answers = await bothFamilies(client, host, familyGraceMs);
        const addresses = answers.flatMap((answer) => answer.addresses);
        const failed = answers.find((answer) => answer.error !== undefined);
        if (addresses.length === 0 && failed) throw failed.error;
        return addresses;
      } finally {
        signal.removeEventListener("abort", cancel);
        client.cancel();
      }
    },
  };
}
