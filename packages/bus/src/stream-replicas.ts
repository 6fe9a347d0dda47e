/** Raises the copies of streams that were made with fewer. How many of them are whole is another question, which only their servers answer. */
import { AppError } from "@althing/contract";
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";

export interface RaisedStream {
  readonly stream: string;
  readonly from: number;
}

/**
 * Configures every stream of the account that has fewer than `replicas` copies to have that many; lowers none.
 * @returns those that were changed
 * @throws {nats.unavailable} JetStream does not answer, or too few servers are there
 */
export async function raiseReplicas(nats: NatsConnection, replicas: number): Promise<RaisedStream[]> {
  try {
    const manager = await jetstreamManager(nats, { timeout: 5_000, checkAPI: false });
    const raised: RaisedStream[] = [];
    for (const { config } of await manager.streams.list().next()) {
      if (config.num_replicas >= replicas) continue;
      await manager.streams.update(config.name, { ...config, num_replicas: replicas });
      raised.push({ stream: config.name, from: config.num_replicas });
    }
    return raised;
  } catch (cause) {
    throw new AppError("nats.unavailable", { detail: "JetStream does not give its streams more copies" }, { cause });
  }
}
