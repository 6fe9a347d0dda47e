/**
 * Wants everything of a node that cannot reach a majority, again and again: a read, a write, a new connection, a publication, and its word on itself.
 *
 * Invariant: that node alone is asked, and a wish that takes long holds up no other: what was asked when the majority was just lost may wait for
 * seconds to be refused. It writes down what came of it and judges nothing.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { AlthingClient } from "@althing/client";
import type { TestNode } from "@althing/testkit";
import type { HeldConnection } from "./held-connection.ts";
import type { ActOutcome, Wanted, Wish } from "./history.ts";

export interface AloneDeps {
  readonly node: TestNode;
  /** Of somebody who may read and write; for this node alone. */
  readonly client: AlthingClient;
  readonly write: (client: AlthingClient) => Promise<ActOutcome>;
  readonly held: HeldConnection;
  readonly note: (wanted: Wanted) => void;
}

const everyMs = 250;
/** Under way at once, of one kind. */
const pendingMax = 16;

/** @returns ends it, and resolves when what is under way is over */
export function askAlone({ node, client, write, held, note }: AloneDeps): () => Promise<void> {
  let isOver = false;
  async function want(what: Wish, ask: () => Promise<{ readonly isServed: boolean; readonly said?: string }>): Promise<void> {
    const pending = new Set<Promise<void>>();
    const askOnce = async (): Promise<void> => {
      const beganMs = performance.now();
      const answer = await ask().catch((error: unknown) => ({ isServed: false, said: String(error) }));
      note({ node: node.name, what, beganMs, endedMs: performance.now(), ...answer });
    };
    while (!isOver) {
      if (pending.size < pendingMax) {
        const one = askOnce();
        pending.add(one);
        void one.finally(() => pending.delete(one));
      }
      await sleep(everyMs);
    }
    await Promise.all(pending);
  }
  const loops = [
    want("read", () => client.me().then(() => ({ isServed: true }))),
    want("write", async () => ({ isServed: (await write(client)) === "acknowledged" })),
    want("connect", async () => ({ isServed: await held.connectAgain() })),
    want("publish", async () => ({ isServed: await held.publish() })),
    want("health", async () => {
      const answer = await fetch(`${node.url}/healthz`, { signal: AbortSignal.timeout(2_000) });
      return { isServed: answer.status === 200, said: await answer.text() };
    }),
  ];
  return async () => {
    isOver = true;
    await Promise.all(loops);
  };
}
