/**
 * Which session keys are connected, on every server of the instance.
 *
 * Invariant: the servers themselves are asked, on the system account, and each answers for its own connections; silence of one leaves its keys out, so who
 * asks must not take a missing key for a dead session that is only moments old. Asked rarely: an answer names every connection of a server.
 */
import { AppError } from "@althing/contract";
import type { NatsConnection } from "@nats-io/nats-core";
import { z } from "zod";

const answerSchema = z.object({
  data: z.object({ connections: z.array(z.looseObject({ authorized_user: z.string().optional() })).default([]) }),
});

const patienceMs = 1_500;
/** After the last answer: then all have answered that will. */
const silenceMs = 250;
/** More than one server may hold of ours. */
const connectionsMax = 65_536;

/**
 * @param system connection to the system account
 * @returns nkeys
 * @throws {nats.unavailable} no server answered
 */
export async function readConnectedKeys(system: NatsConnection): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  let answers = 0;
  try {
    const found = await system.requestMany("$SYS.REQ.SERVER.PING.CONNZ", JSON.stringify({ auth: true, limit: connectionsMax }), {
      strategy: "stall",
      stall: silenceMs,
      maxWait: patienceMs,
    });
    for await (const message of found) {
      answers += 1;
      for (const { authorized_user: key } of answerSchema.parse(message.json()).data.connections) if (key !== undefined) keys.add(key);
    }
  } catch (cause) {
    if (answers === 0) throw new AppError("nats.unavailable", { detail: "the servers do not say who is connected" }, { cause });
  }
  if (answers === 0) throw new AppError("nats.unavailable", { detail: "the servers do not say who is connected" });
  return keys;
}
