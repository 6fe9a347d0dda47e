/**
 * The posture in words: every protection, whether it holds, and what to do where it does not.
 *
 * Invariant: each field of the contract's posture has a line (the type says so); what is open comes first, and each line names why and how to mend it.
 */
import type { Posture } from "@althing/contract";
import type { PostureText } from "./posture-texts.ts";

export type Level = "good" | "note" | "bad";

export interface PostureLine {
  readonly field: string;
  readonly level: Level;
  readonly what: string;
  readonly state: string;
  /** What that means, and how to mend it. */
  readonly why: string;
}

type Judged = Omit<PostureLine, "field" | "what">;
type Judge = (posture: Posture, t: PostureText) => Judged;

const judges: { readonly [F in keyof Posture]: Judge } = {
  auth: ({ auth }, t) =>
    auth === "enforce"
      ? { level: "good", state: t("auth.on"), why: t("auth.onWhy") }
      : { level: "bad", state: t("auth.off"), why: t("auth.offWhy") },
  acl: ({ acl: { state, revision } }, t) => {
    if (state === "live") return { level: "good", state: t("acl.live", { revision }), why: t("acl.liveWhy") };
    if (state === "fenced") return { level: "bad", state: t("acl.fenced"), why: t("acl.fencedWhy") };
    return { level: "bad", state: t("acl.unmanaged"), why: t("acl.unmanagedWhy") };
  },
  tls: ({ tls }, t) => {
    if (tls === "on") return { level: "good", state: t("tls.on"), why: t("tls.onWhy") };
    if (tls === "behind-proxy") return { level: "good", state: t("tls.proxy"), why: t("tls.proxyWhy") };
    return { level: "note", state: t("tls.off"), why: t("tls.offWhy") };
  },
  store: ({ store: { ready, kind } }, t) =>
    ready
      ? { level: "good", state: t("store.ready", { kind }), why: t("store.readyWhy") }
      : { level: "bad", state: t("store.notReady"), why: t("store.notReadyWhy") },
  fsync: ({ fsync }, t) =>
    fsync === "always"
      ? { level: "good", state: t("fsync.always"), why: t("fsync.alwaysWhy") }
      : { level: "note", state: t("fsync.interval"), why: t("fsync.intervalWhy") },
  at_rest: ({ at_rest: atRest }, t) =>
    atRest === "on"
      ? { level: "good", state: t("rest.on"), why: t("rest.onWhy") }
      : { level: "note", state: t("rest.off"), why: t("rest.offWhy") },
  cluster: ({ cluster: { size, quorum, replicas, heard } }, t) => {
    if (size === 1) return { level: "note", state: t("cluster.single"), why: t("cluster.singleWhy") };
    if (quorum && replicas === 1) return { level: "note", state: t("cluster.quorum", { heard, size }), why: t("cluster.oneCopyWhy") };
    if (quorum) return { level: "good", state: t("cluster.quorum", { heard, size }), why: t("cluster.quorumWhy", { replicas }) };
    return { level: "bad", state: t("cluster.lost", { heard, size }), why: t("cluster.lostWhy") };
  },
  signing: ({ signing }, t) =>
    signing === "trust-bundle"
      ? { level: "good", state: t("signing.required"), why: t("signing.requiredWhy") }
      : { level: "good", state: t("signing.none"), why: t("signing.noneWhy") },
  sandbox: ({ sandbox }, t) =>
    sandbox === "none"
      ? { level: "good", state: t("sandbox.none"), why: t("sandbox.noneWhy") }
      : { level: "good", state: sandbox, why: t("sandbox.containedWhy") },
  private_hosts: ({ private_hosts: hosts }, t) =>
    hosts === 0
      ? { level: "good", state: t("hosts.none"), why: t("hosts.noneWhy") }
      : { level: "note", state: t("hosts.some", { count: hosts }), why: t("hosts.someWhy") },
};

const names: { readonly [F in keyof Posture]: (t: PostureText) => string } = {
  auth: (t) => t("auth.what"),
  acl: (t) => t("acl.what"),
  tls: (t) => t("tls.what"),
  store: (t) => t("store.what"),
  fsync: (t) => t("fsync.what"),
  at_rest: (t) => t("rest.what"),
  cluster: (t) => t("cluster.what"),
  signing: (t) => t("signing.what"),
  sandbox: (t) => t("sandbox.what"),
  private_hosts: (t) => t("hosts.what"),
};

const rank: Readonly<Record<Level, number>> = { bad: 0, note: 1, good: 2 };

/** Open ones first, then notes. */
export function postureLines(posture: Posture, t: PostureText): readonly PostureLine[] {
  const nameOf = new Map(Object.entries(names));
  return Object.entries(judges)
    .map(([field, judge]) => ({ field, what: nameOf.get(field)?.(t) ?? field, ...judge(posture, t) }))
    .toSorted((one, other) => rank[one.level] - rank[other.level]);
}
