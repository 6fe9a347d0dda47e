/**
 * A bare connection to one node's messaging server, held by somebody until that server ends it, and the attempts to make it anew.
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
  /** Settles when the server has ended it, or the caller. */
  readonly ended: Promise<void>;
  /** Does the server still read what is written to it, as a publication is? */
  publish(): Promise<boolean>;
  /** Does the server admit the same session once more, and answer it? */
  connectAgain(): Promise<boolean>;
  /** Asks the server until it ends the connection, and then for another one, until the caller ends it. @param onServed told when that was begun which succeeded */
  ask(onServed: (beganMs: number) => void): Promise<void>;
  close(): Promise<void>;
}

const answerMs = 1_000;
const everyMs = 100;
const againMs = 300;

/** @throws while the node does not know the session yet */
export async function holdConnection(node: TestNode, client: AlthingClient): Promise<HeldConnection> {
  const pair = createUser();
  const session = await client.call("session.open", { body: { nkey: pair.getPublicKey() } });
  const open = (): Promise<NatsConnection> =>
    connect({
      servers: node.nats.replace("nats://", ""),
      reconnect: false,
      ignoreClusterUpdates: true,
      authenticator: nkeyAuthenticator(pair.getSeed()),
      inboxPrefix: `_INBOX.${session.inbox}`,
      timeout: 2_000,
    });
  const connection = await open();
  const ended = connection.closed().then(() => undefined);
  let isOver = false;
  const publish = async (): Promise<boolean> => !connection.isClosed() && answers(connection);
  async function connectAgain(): Promise<boolean> {
    try {
      const second = await open();
      const isServed = await answers(second);
      await second.close();
      return isServed;
    } catch {
      return false;
    }
  }
  return {
    ...{ ended, publish, connectAgain },
    async ask(onServed) {
      while (!isOver) {
        const isClosed = connection.isClosed();
        const beganMs = performance.now();
        if (await (isClosed ? connectAgain() : publish())) onServed(beganMs);
        await sleep(isClosed ? againMs : everyMs);
      }
    },
    close() {
      isOver = true;
      return connection.close();
    },
  };
}

async function answers(connection: NatsConnection): Promise<boolean> {
  return Promise.race([connection.flush().then(() => true), sleep(answerMs, false, { ref: false })]).catch(() => false);
}
