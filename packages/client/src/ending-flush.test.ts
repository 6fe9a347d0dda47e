import { startNats, startTcpGate, tempDir } from "@althing/testkit";
import { connect } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { endFlushes } from "./ending-flush.ts";

it("a flush fails when the connection is lost before its answer, while it waits and ever after; before that it is answered", async () => {
  await using temp = await tempDir();
  await using server = await startNats({ dir: temp.path });
  await using gate = await startTcpGate({ target: Number(new URL(server.url).port) });
  const connection = await connect({ servers: `127.0.0.1:${gate.port}`, reconnect: false, noAsyncTraces: true });
  endFlushes(connection);
  await connection.flush();
  gate.set("hung");
  const waiting = expect(connection.flush()).rejects.toMatchObject({ code: "client.unreachable" });
  gate.set("dead");
  await waiting;
  await expect(connection.flush()).rejects.toMatchObject({ code: "client.unreachable" });
});
