/**
 * How many servers really keep each stream: what the posture says, whatever the settings ask for.
 */
import { AppError } from "@althing/contract";
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";

/** @returns the smallest number of copies of any stream of the account; 1 when there is none. @throws {nats.unavailable} */
export async function fewestReplicas(nats: NatsConnection): Promise<number> {
  try {
    const manager = await jetstreamManager(nats, { timeout: 5_000, checkAPI: false });
    const counts = (await manager.streams.list().next()).map(({ config }) => config.num_replicas);
    return counts.length === 0 ? 1 : Math.min(...counts);
  } catch (cause) {
    throw new AppError("nats.unavailable", { detail: "JetStream does not report its streams" }, { cause });
  }
}
