/**
 * What the fields of the posture mean, when one is red, and how to mend it.
 *
 * Invariant: every field of the contract's posture has a row here (a test compares), so that `doctor` never shows a state it cannot explain.
 * `note` is a fact to know and no fault; `warn` deserves a look; `bad` breaks a promise.
 */
import type { Health, Posture } from "@althing/contract";

export type Grade = "good" | "note" | "warn" | "bad";

export interface Finding {
  readonly name: string;
  readonly grade: Grade;
  readonly observed: string;
  /** What it means, for `warn` and `bad` also what to do. */
  readonly meaning: string;
}

type Judge = (posture: Posture) => Omit<Finding, "name">;

const good = (observed: string, meaning: string) => ({ grade: "good" as const, observed, meaning });
const note = (observed: string, meaning: string) => ({ grade: "note" as const, observed, meaning });
const warn = (observed: string, meaning: string) => ({ grade: "warn" as const, observed, meaning });
const bad = (observed: string, meaning: string) => ({ grade: "bad" as const, observed, meaning });

const aclStates: Readonly<Record<Posture["acl"]["state"], (revision: string) => ReturnType<Judge>>> = {
  live: (revision) => good(`live, ${revision}`, "joins, leaves and revocations reach NATS at once"),
  fenced: (revision) =>
    bad(
      `fenced, ${revision}`,
      "nobody but the hub is admitted to NATS: the hub was silent or is starting; if it stays, see logs/hub.log and start the instance again",
    ),
  unmanaged: (revision) =>
    bad(`unmanaged, ${revision}`, "the hub does not write the access list of this nats-server; let `althing up` run nats-server"),
};

export const judges: { readonly [Field in keyof Posture]: Judge } = {
  auth: (p) =>
    p.auth === "enforce"
      ? good("enforce", "every request is signed and checked")
      : bad("off", "requests are not authenticated; remove auth = off and start again"),
  acl: (p) => aclStates[p.acl.state](`revision ${p.acl.revision}`),
  tls: (p) =>
    p.tls === "off-loopback"
      ? note("off, loopback only", "nobody but this machine can connect; give --tls-cert and --tls-key, or --behind-proxy, to serve others")
      : good(p.tls, p.tls === "on" ? "connections are encrypted by the hub" : "a reverse proxy encrypts; it must be the only way in"),
  cluster: (p) => {
    const observed = `size ${p.cluster.size}, heard ${p.cluster.heard}, replicas ${p.cluster.replicas}`;
    if (!p.cluster.quorum)
      return bad(observed, "this node hears no majority and refuses everything; start the other nodes or mend the network between them");
    if (p.cluster.size > 1 && p.cluster.replicas === 1)
      return warn(
        observed,
        "something has one copy and is lost with its node, state and logins perhaps; `althing cluster scale --replicas 3` gives everything three",
      );
    return p.cluster.size === 1
      ? note(observed, "one node: an outage of this machine is an outage of the instance")
      : good(observed, "a majority is heard");
  },
  store: (p) =>
    p.store.ready
      ? good(`${p.store.kind}, schema ${p.store.schema}`, "the store answers")
      : bad(`${p.store.kind}, not ready`, "the store does not answer; see logs/hub.log, check the disk, start again"),
  at_rest: (p) =>
    p.at_rest === "on"
      ? good("on", "disks hold ciphertext only")
      : note(
          "off",
          "rooms are end-to-end encrypted all the same; names and memberships are readable on this disk: `althing at-rest enable`, or encrypt the disk",
        ),
  signing: (p) =>
    p.signing === "trust-bundle"
      ? good("trust-bundle", "packages are verified")
      : note("none", "no extension plane in this version: nothing is installed"),
  fsync: (p) =>
    p.fsync === "always"
      ? good("always", "an acknowledged write survives a power failure")
      : bad("interval", "acknowledged messages can be lost at a power failure; let `althing up` write the configuration of nats-server"),
  sandbox: (p) =>
    p.sandbox === "none"
      ? note("none", "no extension plane in this version: no foreign code runs")
      : good(p.sandbox, "foreign code is confined"),
  private_hosts: (p) =>
    p.private_hosts === 0
      ? good("0", "extensions reach no private address")
      : warn(String(p.private_hosts), "extensions may reach this many private hosts; remove those you do not need"),
};

export function judgeHealth(health: Health): Finding[] {
  const status: Finding = {
    name: "status",
    ...(health.status === "ready"
      ? good(`ready, version ${health.version}, node ${health.node}`, "requests are served")
      : bad(
          `${health.status}${health.reason === undefined ? "" : `: ${health.reason}`}`,
          "requests are refused; see logs/hub.log for the reason",
        )),
  };
  const admin: Finding = {
    name: "admin",
    ...(health.claimable
      ? warn("none yet", "whoever has the one-time link becomes admin: use it, or `althing bootstrap`")
      : good("there is one", "the instance is claimed")),
  };
  const fields = (Object.keys(judges) as (keyof Posture)[]).map((name): Finding => ({ name, ...judges[name](health.posture) }));
  return [status, admin, ...fields];
}
