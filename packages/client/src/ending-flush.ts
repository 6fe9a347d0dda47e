/**
 * A flush that ends with its connection.
 *
 * Invariant: whoever waits for a flush hears of it. nats.js answers a flush with the server's PONG alone: where the connection is lost before it, and nats.js does
 * not reconnect by itself, the promise would never settle, and what waits for it (a room that begins to listen, and with it the next connection) neither.
 */
import { AppError } from "@althing/contract";
import type { NatsConnection } from "@nats-io/nats-core";

export function endFlushes(connection: NatsConnection): void {
  const flush = connection.flush.bind(connection);
  const unreachable = (cause?: unknown): never => {
    throw new AppError("client.unreachable", { detail: "the connection of rooms was lost" }, { cause });
  };
  const lost = connection.closed().then(unreachable);
  // Not every connection is flushed when it ends.
  lost.catch(() => undefined);
  connection.flush = () => Promise.race([flush().catch(unreachable), lost]);
}
