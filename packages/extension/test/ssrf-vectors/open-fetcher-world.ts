/**
 * The fetcher under test and the public internet it sees, which is one web server on loopback.
 *
 * Invariant: the fetcher resolves and judges a public address; only the last step of a connection, with the product's own TLS, is led to
 * loopback. Everything opened is closed by `close()`.
 */
import type { RequestListener } from "node:http";
import type { Socket } from "node:net";
import { tempDir } from "@althing/testkit";
import {
  createConnect,
  createGuardedFetcher,
  type GuardedFetcher,
  type GuardedFetcherOptions,
  type GuardedRequest,
} from "../../src/fetcher/index.ts";
import { makeTestAuthority, type ServerIdentity, type TestAuthority } from "./make-test-authority.ts";
import { startRawTls, startSite, type TestSite } from "./start-site.ts";

/** Public by the table. */
export const publicAddress = "93.184.215.14";

export interface FetcherWorld {
  readonly dir: string;
  readonly authority: TestAuthority;
  /** For registry.example.org and other.example.org. */
  readonly identity: ServerIdentity;
  site(listener: RequestListener): Promise<TestSite>;
  /** Answers byte for byte once the request has begun to come. */
  rawSite(answer: (socket: Socket) => void): Promise<TestSite>;
  /** A fetcher for which every name is public and leads to the site. */
  fetcherFor(target: Pick<TestSite, "port">, options?: Partial<GuardedFetcherOptions>): GuardedFetcher;
  close(): Promise<void>;
}

export async function openFetcherWorld(): Promise<FetcherWorld> {
  const dir = await tempDir();
  const authority = await makeTestAuthority(dir.path, "authority");
  const identity = await authority.issue("site", "DNS:registry.example.org,DNS:other.example.org,IP:127.0.0.1");
  const closers: (() => void | Promise<void>)[] = [];
  const closing = (site: TestSite): TestSite => {
    closers.push(site.close);
    return site;
  };
  return {
    dir: dir.path,
    authority,
    identity,
    site: async (listener) => closing(await startSite(identity, listener)),
    rawSite: async (answer) => closing(await startRawTls(identity, (socket) => socket.once("data", () => answer(socket)))),
    fetcherFor(target, options = {}) {
      const toAddress = createConnect({ extraAuthorities: [authority.cert] });
      const fetcher = createGuardedFetcher({
        clock: Date,
        resolver: { resolve: async () => [publicAddress] },
        connect: (pinned, signal) => {
          if (pinned.address !== publicAddress) throw new Error(`a connection to ${pinned.address}, which was never vetted`);
          return toAddress({ ...pinned, address: "127.0.0.1", port: target.port }, signal);
        },
        ownAddresses: () => [],
        ...options,
      });
      closers.push(fetcher.close);
      return fetcher;
    },
    async close() {
      for (const close of closers) await close();
      await dir.remove();
    },
  };
}

/** A call for the use `registry` on registry.example.org. */
export const registry = (path: string, more: Partial<GuardedRequest> = {}): GuardedRequest => ({
  use: "registry",
  url: `https://registry.example.org${path}`,
  allowlist: null,
  ...more,
});

/** A call for the use `egress` on the same host, which is granted. */
export const egress = (path: string, more: Partial<GuardedRequest> = {}): GuardedRequest => ({
  ...registry(path),
  use: "egress",
  allowlist: ["registry.example.org"],
  ...more,
});
