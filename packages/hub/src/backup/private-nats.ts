/** A nats-server for one task: on loopback, for the hub's keys alone, on a JetStream folder that nobody else has open (guarded-nats.ts). */
import { jetStreamCipher } from "@althing/bus";
import { atRestKeyVariable } from "@althing/contract";
import { startGuardedNats, type GuardedNats, type GuardedNatsOptions } from "../guarded-nats.ts";

export interface PrivateNatsOptions extends Pick<GuardedNatsOptions, "program" | "folder" | "keys"> {
  readonly storeDir: string;
  /** What its files are encrypted with; plain ones are encrypted at the start. */
  readonly natsKey?: string;
  /** What they were encrypted with until now: they are encrypted anew at the start. */
  readonly previousNatsKey?: string;
}

export type PrivateNats = GuardedNats;

/** A large folder is read before anything is answered. */
const startTimeoutMs = 120_000;
/** nats-server reads it of its environment, and it is in no file and no argument. */
const previousKeyVariable = `${atRestKeyVariable}_BEFORE`;

/** @throws {nats.start_failed} {nats.unavailable} {nats.version} */
export function startPrivateNats({ storeDir, natsKey, previousNatsKey, ...task }: PrivateNatsOptions): Promise<PrivateNats> {
  const { hubPublic, sysPublic } = task.keys;
  const cipher = natsKey === undefined ? "" : `, ${jetStreamCipher}`;
  const previous = previousNatsKey === undefined ? "" : `, prev_encryption_key: $${previousKeyVariable}`;
  return startGuardedNats({
    ...task,
    name: "althing-copy",
    startTimeoutMs,
    lines: [
      `jetstream { store_dir: ${JSON.stringify(storeDir)}${cipher}${previous} }`,
      `accounts { SYS: { users: [ { nkey: ${sysPublic} } ] }, A: { jetstream: enabled, users: [ { nkey: ${hubPublic} } ] } }`,
    ],
    env: {
      ...(natsKey === undefined ? {} : { [atRestKeyVariable]: natsKey }),
      ...(previousNatsKey === undefined ? {} : { [previousKeyVariable]: previousNatsKey }),
    },
  });
}
