/**
 * What the supervisor needs of a nats-server, whether it started it (own-nats.ts) or the operator did (external-nats.ts).
 */
import type { FromHub } from "@althing/contract";

export type Prepared = Extract<FromHub, { type: "prepared" }>;

export interface NatsKeeper {
  /** Does it go on when the supervisor ends? Then the fence stays behind. */
  readonly outlives: boolean;
  /** Serving now: started unless it runs, or found. @returns its process id @throws {nats.start_failed} {nats.unavailable} {nats.acl_unmanaged} */
  bring(files: Prepared): Promise<number>;
  /** The process to signal; `undefined` when there is none. @throws {nats.acl_unmanaged} one runs and it is not known which */
  pid(): Promise<number | undefined>;
  /** Ends it at once. @returns whether that was possible: one of the operator's is never ended */
  kill(): boolean;
  /** Ends it in order. */
  end(): Promise<void>;
}

/** Has it read its configuration again, the access list with it; no process is no error: the next one reads it. */
export async function reloadNats(nats: Pick<NatsKeeper, "pid">): Promise<void> {
  const pid = await nats.pid();
  if (pid !== undefined) process.kill(pid, "SIGHUP");
}
