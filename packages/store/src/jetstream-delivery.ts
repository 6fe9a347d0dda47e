/** The ephemeral push consumer that an index reads a stream by, and what its deliveries say of themselves. */
import { AckPolicy, DeliverPolicy, ReplayPolicy, type ConsumerConfig } from "@nats-io/jetstream";
import { nanos } from "@nats-io/nats-core";

/** Sequences in the reply subject of a delivered message; two layouts, with and without domain and account. */
export function parseDelivery(reply: string): { stream: number; consumer: number; pending: number } {
  const tokens = reply.split(".");
  const at = tokens.length === 9 ? 5 : 7;
  return { stream: Number(tokens[at]), consumer: Number(tokens[at + 1]), pending: Number(tokens[at + 3]) };
}

/** @param from the first sequence to deliver; `undefined`: the last message of each subject, then what comes */
export function consumerConfig(name: string, inbox: string, filter: string, heartbeatMs: number, from: number | undefined): ConsumerConfig {
  return {
    name,
    deliver_subject: inbox,
    filter_subject: filter,
    ack_policy: AckPolicy.None,
    replay_policy: ReplayPolicy.Instant,
    max_deliver: 1,
    mem_storage: true,
    num_replicas: 1,
    flow_control: true,
    idle_heartbeat: nanos(heartbeatMs),
    inactive_threshold: nanos(30_000),
    ...(from === undefined
      ? { deliver_policy: DeliverPolicy.LastPerSubject }
      : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from }),
  };
}
