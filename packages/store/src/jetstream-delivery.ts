/** The ephemeral consumers that an index reads a stream by, and what their deliveries say of themselves. */
import { AckPolicy, DeliverPolicy, ReplayPolicy, type ConsumerConfig } from "@nats-io/jetstream";
import { nanos } from "@nats-io/nats-core";

/** Sequences in the reply subject of a delivered message; two layouts, with and without domain and account. */
export function parseDelivery(reply: string): { stream: number; consumer: number; pending: number } {
  const tokens = reply.split(".");
  const at = tokens.length === 9 ? 5 : 7;
  return { stream: Number(tokens[at]), consumer: Number(tokens[at + 1]), pending: Number(tokens[at + 3]) };
}

const readConfig = (name: string, filter: string, from: number) =>
  ({
    name,
    filter_subject: filter,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: from,
    ack_policy: AckPolicy.None,
    replay_policy: ReplayPolicy.Instant,
    max_deliver: 1,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: nanos(30_000),
  }) as const;

/** Pushed, beginning with the message of sequence `from`. */
export function followConfig(name: string, inbox: string, filter: string, heartbeatMs: number, from: number): ConsumerConfig {
  return { ...readConfig(name, filter, from), deliver_subject: inbox, flow_control: true, idle_heartbeat: nanos(heartbeatMs) };
}

/** Asked for piece by piece, beginning with the message of sequence `from`. */
export function pulledConfig(name: string, filter: string, from: number): ConsumerConfig {
  return readConfig(name, filter, from);
}
