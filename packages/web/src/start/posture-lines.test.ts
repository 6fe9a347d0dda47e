import { postureSchema, type Posture } from "@althing/contract";
import { describe, expect, test } from "vitest";
import { postureLines } from "./posture-lines.ts";

const sound: Posture = {
  auth: "enforce",
  acl: { state: "live", revision: 7 },
  tls: "on",
  cluster: { size: 3, quorum: true, replicas: 3, heard: 3 },
  store: { kind: "jetstream", ready: true, schema: 4 },
  at_rest: "on",
  signing: "trust-bundle",
  fsync: "always",
  sandbox: "permission-model",
  private_hosts: 0,
};
const keys = (key: string) => key;
const levelsOf = (posture: Posture) => new Map(postureLines(posture, keys).map(({ field, level }) => [field, level]));

describe("the posture in words", () => {
  test("has one line for every protection", () => {
    expect(
      postureLines(sound, keys)
        .map(({ field }) => field)
        .toSorted(),
    ).toEqual(Object.keys(postureSchema.shape).toSorted());
  });

  test("says that all hold when they do", () => {
    expect([...levelsOf(sound).values()].every((level) => level === "good")).toBe(true);
  });

  test.for([
    ["auth", { auth: "off" }, "bad"],
    ["acl", { acl: { state: "fenced", revision: 1 } }, "bad"],
    ["acl", { acl: { state: "unmanaged", revision: 0 } }, "bad"],
    ["tls", { tls: "off-loopback" }, "note"],
    ["store", { store: { kind: "sqlite", ready: false, schema: 1 } }, "bad"],
    ["fsync", { fsync: "interval" }, "note"],
    ["at_rest", { at_rest: "off" }, "note"],
    ["cluster", { cluster: { size: 1, quorum: true, replicas: 1, heard: 1 } }, "note"],
    ["cluster", { cluster: { size: 3, quorum: false, replicas: 3, heard: 1 } }, "bad"],
    ["private_hosts", { private_hosts: 2 }, "note"],
  ] as const)("%s that does not hold is told, first, with a reason", ([field, change, level]) => {
    const posture: Posture = { ...sound, ...change };
    expect(levelsOf(posture).get(field)).toBe(level);
    const [first] = postureLines(posture, keys);
    expect(first?.field).toBe(field);
    expect(first?.why).toMatch(/^\w+\.\w+Why$/);
  });
});
