/**
 * Finds a stream, makes it where it may be made, and gives it the copies that are asked for.
 *
 * Invariant: an existing stream keeps everything but its number of copies, which is raised in place and never lowered: fewer copies is a decision that a
 * setting read at a start must not take. Two nodes that make it at the same time make one: the server takes the same configuration twice.
 */
import { AppError } from "@althing/contract";
import type { JetStreamManager, StreamConfig, StreamInfo } from "@nats-io/jetstream";
import { isStreamNotFound } from "./jetstream-failure.ts";
import { checkStreamConfig } from "./jetstream-names.ts";

/**
 * @param mayCreate false: a missing stream is `store.corrupt`
 * @throws {store.corrupt} it is missing, or another's; and what the server answers
 */
export async function openStreamAs(
  manager: JetStreamManager,
  wanted: Partial<StreamConfig> & { name: string },
  mayCreate = true,
): Promise<StreamInfo> {
  const info = await manager.streams.info(wanted.name).catch((error: unknown) => {
    if (!isStreamNotFound(error)) throw error;
    if (!mayCreate) throw new AppError("store.corrupt", { path: `stream ${wanted.name}`, detail: "it is not there" });
    return manager.streams.add(wanted);
  });
  checkStreamConfig(info.config, wanted);
  if (info.config.num_replicas >= (wanted.num_replicas ?? 1)) return info;
  return manager.streams.update(wanted.name, { ...info.config, num_replicas: wanted.num_replicas ?? 1 });
}
