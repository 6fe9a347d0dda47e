import { postureSchema, type Health, type Posture } from "@althing/contract";
import { describe, expect, test } from "vitest";
import { judgeHealth, judges } from "./posture.ts";

const fine: Posture = {
  auth: "enforce",
  acl: { state: "live", revision: 7 },
  tls: "on",
  cluster: { size: 3, quorum: true, replicas: 3, heard: 3 },
  store: { kind: "sqlite", ready: true, schema: 0 },
  at_rest: "on",
  signing: "trust-bundle",
  fsync: "always",
  sandbox: "permission-model",
  private_hosts: 0,
};
const health = (posture: Posture, rest: Partial<Health> = {}): Health => ({
  status: "ready",
  version: "1",
  node: "n1",
  claimable: false,
  posture,
  ...rest,
});

describe("doctor", () => {
  test("has a word for every field of the posture", () =>
    expect(Object.keys(judges).toSorted()).toEqual(Object.keys(postureSchema.shape).toSorted()));

  test("finds nothing to mend in a good posture", () =>
    expect(judgeHealth(health(fine)).filter((finding) => finding.grade !== "good")).toEqual([]));

  test("calls every broken promise bad, with a remedy", () => {
    const broken: readonly Partial<Posture>[] = [
      { auth: "off" },
      { acl: { state: "fenced", revision: 7 } },
      { acl: { state: "unmanaged", revision: 7 } },
      { cluster: { size: 3, quorum: false, replicas: 1, heard: 1 } },
      { store: { kind: "sqlite", ready: false, schema: 0 } },
      { fsync: "interval" },
    ];
    for (const change of broken) {
      const bad = judgeHealth(health({ ...fine, ...change })).filter((finding) => finding.grade === "bad");
      expect(bad, JSON.stringify(change)).toHaveLength(1);
      expect(bad[0]?.meaning.length).toBeGreaterThan(20);
    }
    expect(judgeHealth(health(fine, { status: "unavailable", reason: "why" }))[0]).toMatchObject({
      grade: "bad",
      observed: "unavailable: why",
    });
    const one = judgeHealth(health({ ...fine, cluster: { size: 3, quorum: true, replicas: 1, heard: 3 } }));
    expect(one.filter(({ grade }) => grade !== "good")).toMatchObject([
      { name: "cluster", grade: "warn", observed: expect.stringContaining("replicas 1") },
    ]);
    expect(judgeHealth(health(fine, { claimable: true }))[1]).toMatchObject({ grade: "warn" });
  });
});
