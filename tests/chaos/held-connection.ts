/**
 * A bare connection to one node's messaging server, held by somebody until that server ends it.
 *
 * Invariant: what is written down is an answer of that server to this connection, asked for at that moment: a socket that is merely open serves nobody.
 * Below the client library on purpose, which would leave a node that hangs and come back to it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { AlthingClient } from "@althing/client";
import type { TestNode } from "@althing/testkit";
import { nkeyAuthenticator } from "@nats-io/nats-core";
import { createUser } from "@nats-io/nkeys";
import { connect, type NatsConnection } from "@nats-io/transport-node";

export interface HeldConnection {
  /** Asks the server until it or the caller ends the connection. @param onServed told when the question was put to which an answer came */
  ask(onServed: (beganMs: number) => void): Promise<void>;
  close(): Promise<void>;
}

const answerMs = 1_000;
const everyMs = 100;

/** @param client of the person, for this node alone @throws while the node does not know the session yet */
export async function holdConnection(node: TestNode, client: AlthingClient): Promise<HeldConnection> {
  const pair = createUser();
  const session = await client.call("session.open", { body: { nkey: pair.getPublicKey() } });
  const connection: NatsConnection = await connect({
    servers: node.nats.replace("nats://", ""),
    reconnect: false,
    ignoreClusterUpdates: true,
    authenticator: nkeyAuthenticator(pair.getSeed()),
    inboxPrefix: `_INBOX.${session.inbox}`,
    timeout: 2_000,
  });
  return {
    async ask(onServed) {
      while (!connection.isClosed()) {
        const beganMs = performance.now();
        const isServed = await Promise.race([connection.flush().then(() => true), sleep(answerMs, false, { ref: false })]).catch(
          () => false,
        );
        if (isServed) onServed(beganMs);
        await sleep(everyMs);
      }
    },
    close: () => connection.close(),
  };
}
