/**
 * Claims of a cluster: one message a claim, first writer wins by expected sequence 0, gone by its own TTL.
 *
 * Invariant: a claim is given only on the leader's acknowledgement; a timeout is `store.unavailable` and the caller refuses, because the
 * message may have arrived. The expiry is in the value too: the server's TTL has whole seconds and removes a little late.
 */
import { createHash } from "node:crypto";
import { AppError } from "@althing/contract";
import { jetstreamManager, type JetStreamManager, type StreamConfig } from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { checkClaim } from "./claim-check.ts";
import { checkServerVersion, natsFailure, wrongLastSequence, type PublishAnswer } from "./jetstream-failure.ts";
import { createJetStreamLink, type JetStreamLink } from "./jetstream-link.ts";
import { checkStreamName, headerNames } from "./jetstream-names.ts";
import { openStreamAs } from "./jetstream-stream.ts";
import type { ClaimStore } from "./types.ts";

export interface JetStreamClaimsOptions {
  /** Stays the caller's: closing the claims leaves it open. */
  readonly connection: NatsConnection;
  readonly stream: string;
  /** Copies in the cluster; of an existing stream raised in place, never lowered. */
  readonly replicas: number;
  /** Of one question to the server; default 2,000. */
  readonly timeoutMs?: number;
  readonly clock?: { now(): number };
}

export function claimStreamConfig(stream: string, replicas: number): Partial<StreamConfig> & { name: string } {
  return {
    name: stream,
    subjects: [`claim.${stream}.*`],
    storage: "file",
    retention: "limits",
    discard: "new",
    max_msgs_per_subject: 1,
    num_replicas: replicas,
    allow_atomic: false,
    allow_direct: false,
    allow_msg_ttl: true,
    deny_delete: true,
    deny_purge: true,
  };
}

interface Opened {
  readonly manager: JetStreamManager;
  readonly asking: JetStreamLink;
}

/** The stream is made or checked at the first claim; its failure is that claim's, and the next one tries again. */
export function openJetStreamClaims(options: JetStreamClaimsOptions): ClaimStore {
  const { connection } = options;
  const stream = checkStreamName(options.stream);
  const timeoutMs = options.timeoutMs ?? 2_000;
  const clock = options.clock ?? Date;
  let closed = false;
  let opening: Promise<Opened> | undefined;
  let link: JetStreamLink | undefined;

  const open = async (): Promise<Opened> => {
    checkServerVersion(connection.info?.version);
    link ??= createJetStreamLink({ connection, stream, timeoutMs });
    const wanted = claimStreamConfig(stream, options.replicas);
    const manager = await jetstreamManager(connection, { timeout: timeoutMs, checkAPI: false });
    await openStreamAs(connection, wanted, { timeoutMs });
    return { manager, asking: link };
  };

  const claim = async ({ manager, asking }: Opened, key: string, expiresAtMs: number): Promise<boolean> => {
    const subject = `claim.${stream}.${createHash("sha256").update(key).digest("hex")}`;
    let expect = 0;
    for (let tries = 0; tries < 5; tries += 1) {
      const nowMs = clock.now();
      const header = headers();
      header.set(headerNames.expect, String(expect));
      header.set(headerNames.ttl, `${Math.max(1, Math.ceil((expiresAtMs - nowMs) / 1000))}s`);
      const reply = await asking.taken(() => asking.request(subject, String(expiresAtMs), header));
      const answer = reply.json<PublishAnswer>();
      if (answer.error === undefined) return true;
      if (!wrongLastSequence.includes(answer.error.err_code ?? 0))
        throw new AppError("store.unavailable", { detail: answer.error.description ?? "no acknowledgement" });
      const held = await asking.once(() => manager.streams.getMessage(stream, { last_by_subj: subject }));
      if (held !== null && Number(new TextDecoder().decode(held.data)) > nowMs) return false;
      expect = held?.seq ?? 0;
    }
    // Others took and lost it all the while.
    throw new AppError("store.unavailable", { detail: "too many writers want this claim" });
  };

  return {
    async claim(key, expiresAtMs) {
      if (closed) throw new AppError("store.unavailable", { detail: "it is closed" });
      checkClaim(key, expiresAtMs);
      try {
        opening ??= open();
        return await claim(
          await opening.catch((error: unknown) => {
            opening = undefined;
            throw error;
          }),
          key,
          expiresAtMs,
        );
      } catch (error) {
        throw natsFailure(stream, error);
      }
    },
    async close() {
      closed = true;
      link?.close();
    },
  };
}
