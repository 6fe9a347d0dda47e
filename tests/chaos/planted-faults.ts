/**
 * Rounds in which something is broken on purpose and nobody says so: they pass when the judge finds it.
 *
 * Invariant: what is planted goes all the way, through cluster, clients and notes; that the judge can read histories which are wrong is tried without a cluster
 * (check-history.test.ts), and would not show that such a history is ever written.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestNode } from "@althing/testkit";
import { jetstreamManager } from "@nats-io/jetstream";
import { nkeyAuthenticator } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import type { Scenario } from "./scenarios.ts";

const roomsStream = "R0";

/** As the hub of that node, which may do everything: one message of the rooms is gone from all copies. */
async function deleteMessage(node: TestNode): Promise<void> {
  const seed = await readFile(join(node.data, "keys", "hub.nkey"));
  const connection = await connect({
    servers: node.nats.replace("nats://", ""),
    authenticator: nkeyAuthenticator(new TextEncoder().encode(seed.toString("utf8").trim())),
  });
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const { state } = await manager.streams.info(roomsStream);
    if (!(await manager.streams.deleteMessage(roomsStream, state.last_seq, false))) throw new Error("the message was not deleted");
  } finally {
    await connection.close();
  }
}

export const plantedFaults: readonly Scenario[] = [
  {
    name: "planted: a confirmed message is gone",
    expects: ["lost"],
    async run({ victims: [node] }) {
      await sleep(1_500);
      if (node !== undefined) await deleteMessage(node);
      await sleep(500);
    },
  },
  {
    name: "planted: a node drops people unharmed",
    expects: ["dropped"],
    async run({ victims: [node] }) {
      const pid = await node?.natsPid();
      if (pid === undefined) throw new Error("the messaging server does not run");
      process.kill(pid, "SIGKILL");
      await sleep(3_000);
    },
  },
  {
    name: "planted: a node serves while it is alone",
    expects: ["served-alone", "acknowledged-alone"],
    async run({ load, victims: [node] }) {
      if (node === undefined) return;
      const over = load.minority(node);
      await sleep(4_000);
      await over();
    },
  },
  { name: "planted: somebody revoked is served", expects: ["served-after-revocation"], pretendsRevocation: true, run: () => sleep(4_000) },
];
