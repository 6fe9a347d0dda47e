/**
 * Where things lie in the state stream, and what its configuration must be.
 *
 * One stream holds all collections, because JetStream's atomic batch ends at the stream. Subjects under `state.<stream>`:
 * `v.<collection>.<segment>…` a record, `r.<hash>` the outcome of a request id, `c` the carrier of checks, `m` the schema version.
 * A segment keeps A–Z a–z 0–9 `_` `-`, every other byte is `=` and two hexadecimal digits: no wildcard, dot or space is left.
 * A key whose subject would pass 1,000 bytes (NATS allows 4,096 for a whole protocol line) is named by its hash and carries
 * itself in a header.
 */
import { createHash } from "node:crypto";
import { AppError } from "@althing/contract";
import type { StreamConfig } from "@nats-io/jetstream";

export const headerNames = {
  expect: "Nats-Expected-Last-Subject-Sequence",
  expectSubject: "Nats-Expected-Last-Subject-Sequence-Subject",
  ttl: "Nats-TTL",
  batchId: "Nats-Batch-Id",
  batchSequence: "Nats-Batch-Sequence",
  batchCommit: "Nats-Batch-Commit",
  /** Of one write or batch: by it a write is known again after a timeout. */
  write: "Althing-Write",
  /** base64url of the full key, when the subject is a hash. */
  key: "Althing-Key",
} as const;

/** Protocol-line budget of a subject. */
const subjectMaxBytes = 1_000;
const plainToken = /^[A-Za-z0-9_-]+$/;
const hashed = "==";

/** @throws TypeError the name cannot be that of a stream */
export function checkStreamName(stream: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(stream)) throw new TypeError(`${JSON.stringify(stream)} is no stream name`);
  return stream;
}

/** `bytes`: one character a byte. */
function toToken(bytes: string): string {
  if (plainToken.test(bytes)) return bytes;
  return bytes.replace(/[^A-Za-z0-9_-]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

function fromToken(token: string): string {
  return token.includes("=") ? token.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))) : token;
}

export interface SubjectNames {
  readonly all: string;
  readonly checks: string;
  readonly meta: string;
  request(requestId: string): string;
  /** `carried`: the header value that must go with a hashed subject. */
  record(fullKey: string): { subject: string; carried?: string };
  /** The full key, or undefined when the subject is not a record's. */
  fullKeyOf(subject: string, carried: string | undefined): string | undefined;
}

export function createSubjectNames(stream: string): SubjectNames {
  const base = `state.${stream}`;
  const records = `${base}.v.`;
  return {
    all: `${base}.>`,
    checks: `${base}.c`,
    meta: `${base}.m`,
    request: (requestId) => `${base}.r.${createHash("sha256").update(requestId).digest("hex")}`,
    record(fullKey) {
      const subject = records + fullKey.slice(0, -1).split("\0").map(toToken).join(".");
      if (subject.length <= subjectMaxBytes) return { subject };
      const bytes = Buffer.from(fullKey, "latin1");
      const collection = fullKey.slice(0, fullKey.indexOf("\0"));
      return {
        subject: `${records}${collection}.${hashed}.${createHash("sha256").update(bytes).digest("hex")}`,
        carried: bytes.toString("base64url"),
      };
    },
    fullKeyOf(subject, carried) {
      if (!subject.startsWith(records)) return undefined;
      const tokens = subject.slice(records.length).split(".");
      if (tokens[1] === hashed) return carried === undefined ? undefined : Buffer.from(carried, "base64url").toString("latin1");
      return `${tokens.map(fromToken).join("\0")}\0`;
    },
  };
}

export function stateStreamConfig(stream: string, replicas: number): Partial<StreamConfig> & { name: string } {
  return {
    name: stream,
    subjects: [createSubjectNames(stream).all],
    storage: "file",
    retention: "limits",
    discard: "new",
    max_msgs_per_subject: 1,
    num_replicas: replicas,
    allow_atomic: true,
    // Direct reads may be answered by a replica that lags: every read goes through the leader.
    allow_direct: false,
    allow_msg_ttl: true,
    deny_delete: true,
    deny_purge: true,
  };
}

const mustBe = [
  "storage",
  "retention",
  "discard",
  "max_msgs_per_subject",
  "allow_atomic",
  "allow_direct",
  "allow_msg_ttl",
  "deny_delete",
] as const;

/** @throws {store.corrupt} the stream exists and is not one of ours */
export function checkStreamConfig(observed: StreamConfig, expected: Partial<StreamConfig>): void {
  const path = `stream ${observed.name}`;
  if (observed.subjects.length !== 1 || observed.subjects[0] !== expected.subjects?.[0]) {
    throw new AppError("store.corrupt", { path, detail: `it holds the subjects ${observed.subjects.join(" ").slice(0, 200)}` });
  }
  for (const name of mustBe) {
    if ((observed[name] ?? false) !== expected[name])
      throw new AppError("store.corrupt", { path, detail: `${name} is ${String(observed[name])}, not ${String(expected[name])}` });
  }
}
