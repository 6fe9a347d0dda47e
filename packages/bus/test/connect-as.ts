/** Connections of a session's nkey, without reconnecting. */
import { setTimeout as sleep } from "node:timers/promises";
import { AuthorizationError, type NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { nativeNkeyAuthenticator } from "../src/index.ts";

/** One attempt. */
export function connectAs(url: string, seed: string, inbox: string): Promise<NatsConnection> {
  return connect({
    servers: url,
    authenticator: nativeNkeyAuthenticator(seed),
    inboxPrefix: `_INBOX.${inbox}`,
    reconnect: false,
    ignoreClusterUpdates: true,
  });
}

/** As a client does it: a server that reads its access list again refuses whoever connects at that moment, for whatever session it reads. */
export async function connectAdmitted(url: string, seed: string, inbox: string): Promise<NatsConnection> {
  for (const deadline = performance.now() + 5_000; ; await sleep(20)) {
    try {
      return await connectAs(url, seed, inbox);
    } catch (error) {
      if (!(error instanceof AuthorizationError) || performance.now() > deadline) throw error;
    }
  }
}
