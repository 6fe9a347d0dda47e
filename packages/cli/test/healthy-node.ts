/** What a node of three answers at `/healthz` when all is well, with what a test wants to be otherwise. */
import type { Health } from "@althing/contract";

export const healthOf = (node: string, more: Partial<Health> = {}, cluster: Partial<Health["posture"]["cluster"]> = {}): Health => ({
  ...{ status: "ready", version: "1.2.3", node, claimable: false },
  posture: {
    ...{
      auth: "enforce",
      acl: { state: "live", revision: 1 },
      tls: "on",
      at_rest: "off",
      signing: "none",
      fsync: "always",
      sandbox: "none",
    },
    ...{
      cluster: { size: 3, quorum: true, replicas: 3, heard: 3, ...cluster },
      store: { kind: "jetstream", ready: true, schema: 1 },
      private_hosts: 0,
    },
  },
  ...more,
});
