/**
 * Finds a stream, makes it where it may be made, and gives it the copies that are asked for.
 *
 * Invariant: an existing stream keeps everything but its number of copies, which is raised in place and never lowered: fewer copies is a decision that a
 * setting read at a start must not take. Two nodes that make it at the same time make one: the server takes the same configuration twice.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@althing/contract";
import { jetstreamManager, type StreamConfig, type StreamInfo } from "@nats-io/jetstream";
import { errors, type NatsConnection } from "@nats-io/nats-core";
import { isNobodyThere, isStreamNotFound } from "./jetstream-failure.ts";
import { checkStreamConfig } from "./jetstream-names.ts";

type NamedConfig = Partial<StreamConfig> & { name: string };

export interface FindStreamOptions {
  /** Of all questions together. */
  readonly timeoutMs: number;
  /** false: a missing stream is `store.corrupt`. Default true. */
  readonly mayCreate?: boolean;
}

/** A question that was asked while the stream had no leader is answered by nobody, and answered the next time. */
const tryMs = 1_000;
const againMs = 50;

/**
 * What the server says of the stream, which is made when it is missing.
 *
 * A cluster takes a stream's making before any server has it: until its leader has, it is asked for again, whoever made it.
 *
 * @throws {store.corrupt} it is missing and may not be made
 * @throws {store.unavailable} it was made, and no server had it in time; and what the server answers
 */
export async function findStream(connection: NatsConnection, wanted: NamedConfig, options: FindStreamOptions): Promise<StreamInfo> {
  const manager = await jetstreamManager(connection, { timeout: Math.min(options.timeoutMs, tryMs), checkAPI: false });
  const startedMs = performance.now();
  let isMade = false;
  for (;;) {
    try {
      return await manager.streams.info(wanted.name);
    } catch (error) {
      const isMissing = isStreamNotFound(error);
      if (isMissing && options.mayCreate === false)
        throw new AppError("store.corrupt", { path: `stream ${wanted.name}`, detail: "it is not there" });
      if (!isMissing && !mayPass(error)) throw error;
      if (performance.now() - startedMs > options.timeoutMs) {
        // What was made a moment ago is not lost: no backup has to be restored.
        throw isMissing && isMade ? new AppError("store.unavailable", { detail: `stream ${wanted.name} is being made` }) : error;
      }
      if (isMissing && !isMade) isMade = await make();
      else await sleep(againMs);
    }
  }

  /** @returns false: whether it was made is not known */
  async function make(): Promise<boolean> {
    try {
      await manager.streams.add(wanted);
      return true;
    } catch (error) {
      if (!mayPass(error)) throw error;
      return false;
    }
  }
}

const mayPass = (error: unknown): boolean => error instanceof errors.TimeoutError || isNobodyThere(error);

/** @throws {store.corrupt} it is missing, or another's; and what the server answers */
export async function openStreamAs(connection: NatsConnection, wanted: NamedConfig, options: FindStreamOptions): Promise<StreamInfo> {
  const info = await findStream(connection, wanted, options);
  checkStreamConfig(info.config, wanted);
  if (info.config.num_replicas >= (wanted.num_replicas ?? 1)) return info;
  const manager = await jetstreamManager(connection, { timeout: options.timeoutMs, checkAPI: false });
  return manager.streams.update(wanted.name, { ...info.config, num_replicas: wanted.num_replicas ?? 1 });
}
