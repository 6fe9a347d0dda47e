/**
 * Names on NATS. The hub alone knows the key of the opaque names; everybody else gets subjects from the API.
 *
 * Invariant: a user may publish to `r.<shard>.<name>` of its persisted rooms (or `s.<shard>.<name>` of those that keep nothing), subscribe to
 * `s.<shard>.<name>` and `_INBOX.<inbox>.>`, and to nothing else; no `$JS`, no `$SYS`, no request subjects.
 */
export const subjects = {
  /** Input of a persisted room; the stream stores it and republishes to `output`. */
  input: (shard: number, name: string) => `r.${shard}.${name}`,
  /** Output of every room; also the input of one that keeps nothing. */
  output: (shard: number, name: string) => `s.${shard}.${name}`,
  inputPattern: "r.*.*",
  republishSource: "r.*.*",
  republishTarget: "s.{{wildcard(1)}}.{{wildcard(2)}}",
  inboxPrefix: (inbox: string) => `_INBOX.${inbox}`,
  inboxPattern: (inbox: string) => `_INBOX.${inbox}.>`,
  notice: (inbox: string) => `_INBOX.${inbox}.notice`,
  hubBeat: "h.beat",
  /** Public events: for the hubs' account only. */
  event: (community: string, topic: string) => `events.${community}.${topic}`,
  eventsOf: (community: string) => `events.${community}.>`,
  eventPattern: "events.*.>",
} as const;

/** Opaque names of streams: they are directory names on disk. */
export const streams = { rooms: "R0", state: "S0", claims: "C0", objects: "B0", events: "E0", blobs: "F0" } as const;

/** Headers of a republished message: the acknowledgement and gap check of a room. */
export const echoHeaders = {
  sequence: "Nats-Sequence",
  lastSequence: "Nats-Last-Sequence",
  stream: "Nats-Stream",
  subject: "Nats-Subject",
} as const;

/** The first segment of every string an identity signs, so that no signature can be used as another. */
export const signKinds = {
  keycard: "althing/keycard/v1",
  epoch: "althing/epoch/v1",
  invite: "althing/invite/v1",
  frame: "althing/frame/v1",
  safety: "althing/safety/v1",
} as const;
export type SignKind = keyof typeof signKinds;
