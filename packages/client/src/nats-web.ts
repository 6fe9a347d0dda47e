/**
 * NATS in a browser: the session key, and the connection over the hub's own WebSocket.
 *
 * Invariant: loaded by `platform-web.ts` when a session is first needed and by nothing else, because nats.js and its cryptography weigh more than the
 * rest of this library together. An attempt to connect ends, where nats.js would wait for ever and every room with it: a socket that closes before the server said
 * hello, as some proxies do it.
 */
import { nkeyAuthenticator, wsconnect, type NatsConnection } from "@nats-io/nats-core";
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
  const attempt = wsconnect({
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
  const connection = await within(target.timeoutMs + graceMs, attempt);
  return { connection, url };
}

/** nats.js's own timeout comes first, where it comes. */
const graceMs = 500;

/** @throws when nothing came of it; what comes of it later is closed */
async function within(afterMs: number, attempt: Promise<NatsConnection>): Promise<NatsConnection> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isLate = false;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      reject(new Error(`no connection within ${afterMs} ms`));
    }, afterMs);
  });
  attempt.then(
    (connection) => {
      if (isLate) void connection.close();
    },
    () => undefined,
  );
  try {
    return await Promise.race([attempt, late]);
  } finally {
    clearTimeout(timer);
  }
}
