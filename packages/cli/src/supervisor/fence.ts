/**
 * Installs the fence: the access list that admits the hub alone.
 *
 * Invariant: temp + fsync + rename, then SIGHUP, so that nats-server reads either list whole and never half a file; it works
 * without the hub, because that is when it is needed. NATS keeps connections that the new list no longer names from staying:
 * their users are gone, so it closes them (docs/architecture/supervision.md).
 */
import { open, readFile, rename } from "node:fs/promises";
import { reloadNats, type NatsKeeper } from "./nats-keeper.ts";

export interface FenceFiles {
  readonly aclFile: string;
  readonly fenceFile: string;
}

export async function installFence({ aclFile, fenceFile }: FenceFiles, nats: Pick<NatsKeeper, "pid">): Promise<void> {
  const fence = await readFile(fenceFile);
  const draft = `${aclFile}.fence`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(fence);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, aclFile);
  await reloadNats(nats);
}
