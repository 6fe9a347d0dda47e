/**
 * The two ways in which a runner and its hubs know each other, each as one: how the hub is asked, and who may ask.
 *
 * Invariant: beside its hub a runner has the boot token for both directions; with hubs on other machines it has certificates for both and no token. Of
 * several hubs any may give a bundle or judge a page, since they share their state; a host call goes to the hub that made the call and to no
 * address that is none of theirs.
 */
import { AppError, isAppError, type RunnerPeers } from "@althing/contract";
import { createPeerConnector, hostOf, peerServerOptions, readPeerTls } from "@althing/extension/peer-tls";
import { checkPeer, checkToken, type CallerCheck } from "./caller-check.ts";
import { connectTimeoutMs, createHubClient, type HubClient } from "./hub-client.ts";

export interface HubWay {
  readonly hub: HubClient;
  readonly checkCaller: CallerCheck;
  /** Of the internal listener; absent on loopback. */
  readonly tls?: ReturnType<typeof peerServerOptions>;
}

export interface HubWayOptions {
  readonly hubUrl?: string | undefined;
  readonly token?: string | undefined;
  readonly peers?: RunnerPeers | undefined;
}

interface KnownHub {
  readonly origin: string;
  readonly client: HubClient;
}

/** @param hubs at least one */
export function createHubGroup(hubs: readonly KnownHub[]): HubClient {
  /** The one that answered last comes first. */
  let order = [...hubs];

  /** From the first that can: one that is away, or has not got what was asked for, is passed over. */
  async function fromAny<T>(ask: (client: HubClient) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const hub of order) {
      try {
        const answer = await ask(hub.client);
        if (order[0] !== hub) order = [hub, ...order.filter((other) => other !== hub)];
        return answer;
      } catch (error) {
        failure = error;
        if (!isAppError(error)) break;
      }
    }
    throw failure;
  }

  return {
    bundle: (contentHash, use) => fromAny((client) => client.bundle(contentHash, use)),
    uiPolicy: (extension, contentHash) => fromAny((client) => client.uiPolicy(extension, contentHash)),
    async broker(head, call, signal) {
      const { origin } = new URL(head.broker.url);
      const hub = hubs.find((known) => known.origin === origin);
      if (hub === undefined) throw new AppError("ext.unavailable", { detail: `${origin} is no hub of this runner's` });
      return hub.client.broker(head, call, signal);
    },
    close: async () => void (await Promise.all(hubs.map(({ client }) => client.close()))),
  };
}

/** @throws {config.invalid} {data.mode} */
export async function openHubWay({ hubUrl, token, peers }: HubWayOptions): Promise<HubWay> {
  if (peers !== undefined) {
    const tls = await readPeerTls(peers, Date.now());
    const connector = createPeerConnector(tls, connectTimeoutMs);
    const hubs = peers.hubUrls.map((url) => ({ origin: new URL(url).origin, client: createHubClient({ hubUrl: url, connector }) }));
    return { hub: createHubGroup(hubs), checkCaller: checkPeer(peers.hubUrls.map(hostOf)), tls: peerServerOptions(tls) };
  }
  if (hubUrl === undefined || token === undefined) throw new TypeError("a runner needs a hub: hubUrl and token, or peers");
  return { hub: createHubClient({ hubUrl, token }), checkCaller: checkToken(token) };
}
