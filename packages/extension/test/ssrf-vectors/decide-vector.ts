/**
 * Puts one case to the fetcher and says what it decided.
 *
 * Invariant: cases that speak of fetching run through the whole fetcher, from the address to the answer; only the resolver and the last step of
 * the connection are replaced, and what they were asked for is part of the decision.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect as connectTcp, type AddressInfo } from "node:net";
import { isAppError } from "@althing/contract";
import {
  checkPattern,
  classifyAddress,
  createGuardedFetcher,
  matchesPattern,
  type PinnedTarget,
  type UrlRules,
} from "../../src/fetcher/index.ts";

interface CasePolicy {
  readonly schemes?: UrlRules["schemes"];
  readonly http_hosts?: readonly string[];
  readonly ports?: readonly number[];
  readonly allowlist?: readonly string[] | null;
  readonly own_addresses?: readonly string[];
  readonly max_redirects?: number;
  readonly cross_host?: boolean;
}

/** A case as the files have it; which fields it has depends on its kind. */
export interface SsrfCase {
  readonly id: string;
  readonly verdict: "allow" | "deny" | "either";
  readonly why: string;
  readonly policy?: CasePolicy;
  readonly dns?: Readonly<Record<string, readonly string[]>>;
  readonly address?: string;
  readonly url?: string;
  readonly whatwg?: { readonly hostname: string } | null;
  readonly host?: string;
  readonly answers?: readonly string[];
  readonly lookups?: readonly (readonly string[])[];
  readonly must_connect_to?: string;
  readonly max_lookups?: number;
  readonly start?: string;
  readonly hops?: readonly { readonly status: number; readonly location: string }[];
  readonly denied_at_hop?: number;
  readonly pattern?: string;
}

export interface Decision {
  readonly verdict: "allow" | "deny";
  /** Code and rule of a refusal. */
  readonly reason?: string;
  /** Hop of the refusal, 0 for the first address. */
  readonly hop?: number;
  readonly lookups: readonly string[];
  readonly connections: readonly PinnedTarget[];
}

type Lookup = (host: string, call: number) => readonly string[];

export interface VectorWorld {
  decide(kind: string, entry: SsrfCase, rules?: Partial<UrlRules>): Promise<Decision>;
  close(): Promise<void>;
}

const plain = (isAllowed: boolean): Decision => ({ verdict: isAllowed ? "allow" : "deny", lookups: [], connections: [] });

/** Codes that mean "this may not be fetched"; others would be a failure of the test's own server. */
const refusals = /^fetch\.(?:url_forbidden|host_not_allowed|private_address|dns_failed|redirect_refused)$/;

export async function openVectorWorld(): Promise<VectorWorld> {
  let script: readonly { readonly status: number; readonly location: string }[] = [];
  const server: Server = createServer((_request, response) => {
    const [hop, ...rest] = script;
    script = rest;
    if (hop) response.writeHead(hop.status, { location: Buffer.from(hop.location, "utf8").toString("latin1") });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;

  async function fetchOnce(url: string, policy: CasePolicy, lookup: Lookup, rules: Partial<UrlRules>): Promise<Decision> {
    const lookups: string[] = [];
    const connections: PinnedTarget[] = [];
    const fetcher = createGuardedFetcher({
      clock: Date,
      resolver: {
        async resolve(host) {
          lookups.push(host);
          return lookup(host, lookups.filter((name) => name === host).length);
        },
      },
      async connect(target) {
        connections.push(target);
        const socket = connectTcp(port, "127.0.0.1");
        await once(socket, "connect");
        return socket;
      },
      ownAddresses: () => policy.own_addresses ?? [],
      rules: {
        registry: {
          ipLiterals: "classify",
          ...(policy.schemes ? { schemes: policy.schemes } : {}),
          ...(policy.http_hosts ? { httpHosts: policy.http_hosts } : {}),
          ...(policy.ports ? { ports: policy.ports } : {}),
          ...(policy.max_redirects === undefined ? {} : { maxRedirects: policy.max_redirects }),
          ...(policy.cross_host === undefined ? {} : { crossHostRedirects: policy.cross_host }),
          ...rules,
        },
      },
    });
    try {
      const response = await fetcher.fetch({ use: "registry", url, allowlist: policy.allowlist ?? null });
      response.discard();
      return { verdict: "allow", lookups, connections };
    } catch (error) {
      if (!isAppError(error) || !refusals.test(error.code)) throw error;
      return { verdict: "deny", reason: `${error.code} ${error.params["rule"]}`, hop: Number(error.params["hop"]), lookups, connections };
    } finally {
      fetcher.close();
    }
  }

  return {
    async decide(kind, entry, rules = {}) {
      const { policy = {}, dns = {} } = entry;
      const fromDns: Lookup = (host) => dns[host] ?? [];
      script = entry.hops ?? [];
      switch (kind) {
        case "address":
          return plain(classifyAddress(entry.address ?? "") === "public");
        case "pattern":
          return plain(checkPattern(entry.pattern ?? "").ok);
        case "match":
          return plain(matchesPattern(entry.pattern ?? "", entry.host ?? ""));
        case "url":
          return fetchOnce(entry.url ?? "", policy, fromDns, rules);
        case "redirect":
          return fetchOnce(entry.start ?? "", policy, fromDns, rules);
        case "answers":
          return fetchOnce(`https://${entry.host}/`, policy, () => entry.answers ?? [], rules);
        case "rebind":
          return fetchOnce(`https://${entry.host}/`, policy, (_host, call) => entry.lookups?.[call - 1] ?? [], rules);
        default:
          throw new Error(`no kind of case: ${kind}`);
      }
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
