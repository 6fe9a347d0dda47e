/**
 * NATS in a browser: the session key, and the connection over the hub's own WebSocket.
 *
 * Invariant: loaded by `platform-web.ts` when a session is first needed and by nothing else, because nats.js and its cryptography weigh more than the
 * rest of this library together.
 */
import { nkeyAuthenticator, wsconnect } from "@nats-io/nats-core";
import { createUser } from "@nats-io/nkeys";
import type { BusConnectionResult, BusTarget, SessionKey } from "./platform-types.ts";
import { busSocketUrl } from "./target.ts";

export function createSessionKey(): SessionKey {
  const pair = createUser();
  const nkey = pair.getPublicKey();
  const stock = nkeyAuthenticator(pair.getSeed());
  return {
    nkey,
    authenticator: (nonce) => {
      const answer = stock(nonce);
      return { nkey, sig: answer !== undefined && "sig" in answer ? String(answer.sig) : "" };
    },
  };
}

export async function connectBus(target: BusTarget): Promise<BusConnectionResult> {
  const url = busSocketUrl(target.apiUrl);
  const connection = await wsconnect({
    servers: url,
    reconnect: false,
    ignoreClusterUpdates: true,
    inboxPrefix: target.inboxPrefix,
    authenticator: target.key.authenticator,
    timeout: target.timeoutMs,
    pingInterval: target.pingMs,
    maxPingOut: 2,
    noAsyncTraces: true,
  });
  return { connection, url };
}
