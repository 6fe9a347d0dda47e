/**
 * The world `althing:extension` as a guest in QuickJS sees it. Written by packages/sdk/src/build/write-bindings.ts from the WIT; do not edit.
 */

export interface EventsFunctions {
  /**
   * Emits `ext.<extension>.<topic>`; returns the event's id. `data` is JSON.
   */
  emit(topic: string, subject: string, data: string): string;
}

export interface HttpRequest {
  method: string;
  url: string;
  headers: Array<WitField>;
  body: Uint8Array;
}
export interface HttpResponse {
  status: number;
  headers: Array<WitField>;
  body: Uint8Array;
}
export interface HttpFunctions {
  fetch(request: HttpRequest): HttpResponse;
}

export interface KvEntry {
  key: string;
  value: Uint8Array;
  revision: number;
}
export interface KvPage {
  entries: Array<KvEntry>;
  next: string | null;
}
export interface KvFunctions {
  get(key: string): KvEntry | null;
  /**
   * `expect`: only if the entry is at this revision; 0 = only if there is none. Returns the new revision.
   */
  put(key: string, value: Uint8Array, expect: number | null, ttlSeconds: number | null): number;
  delete(key: string, expect: number | null): void;
  /**
   * Ordered by key; `after`: the `next` of the page before.
   */
  listEntries(prefix: string, after: string | null, limit: number): KvPage;
}

export type LogLevel = "debug" | "info" | "warn" | "error";
export interface LogFunctions {
  write(level: LogLevel, message: string): void;
}

export interface MembersMember {
  id: string;
  handle: string;
  roles: Array<string>;
  since: string;
}
export interface MembersPage {
  members: Array<MembersMember>;
  next: string | null;
}
export interface MembersFunctions {
  listMembers(after: string | null, limit: number): MembersPage;
}

export type MetricsKind = "counter" | "gauge" | "histogram";
export interface MetricsFunctions {
  record(kind: MetricsKind, name: string, labels: Array<WitField>, value: number): void;
}

export interface ProposalsFunctions {
  /**
   * JSON of one proposal, or of a page of them.
   */
  get(id: string): string;
  listProposals(after: string | null, limit: number): string;
}

export interface RoomsFunctions {
  /**
   * Posts as the extension's own identity into a room that invited it; returns the message's id.
   */
  post(room: string, text: string): string;
}

export interface ScheduleFunctions {
  /**
   * The declared job does not run before this time (RFC 3339, UTC); its schedule goes on from there.
   */
  postpone(job: string, until: string): void;
}

export interface SecretsFunctions {
  get(name: string): string;
}

export interface WitField {
  name: string;
  value: string;
}
/** Who caused the invocation; absent for jobs, events without a person, and public endpoints. */
export interface WitActor {
  id: string;
  handle: string;
  permissions: Array<string>;
}
/** What every invocation knows about itself. */
export interface WitContext {
  requestId: string;
  community: string;
  extension: string;
  version: string;
  actor: WitActor | null;
  /**
   * Settings of this community, JSON; never secrets.
   */
  settings: string;
  /**
   * Milliseconds that the invocation may take.
   */
  timeLimitMs: number;
  /**
   * When the invocation began, RFC 3339 in UTC. Guests have no other clock.
   */
  time: string;
}
export interface WitHttpRequest {
  method: string;
  /**
   * As matched by the manifest, percent-decoded once.
   */
  path: string;
  /**
   * Without the question mark, as sent.
   */
  query: string;
  /**
   * Values of `:name` segments.
   */
  params: Array<WitField>;
  headers: Array<WitField>;
  body: Uint8Array;
}
export interface WitHttpResponse {
  status: number;
  headers: Array<WitField>;
  body: Uint8Array;
}
/** A public event of the community. `data` is JSON. */
export interface WitEvent {
  topic: string;
  index: number;
  id: string;
  time: string;
  actor: string;
  subject: string;
  data: string;
  depth: number;
}
/** A question at a filter point. `payload` is JSON. */
export interface WitFilter {
  point: string;
  payload: string;
}
/** One slot of a declared job. Times are RFC 3339 in UTC. */
export interface WitJob {
  name: string;
  slot: string;
}
export type WitInvocation =
  | {
      tag: "http";
      val: WitHttpRequest;
    }
  | {
      tag: "event";
      val: WitEvent;
    }
  | {
      tag: "filter";
      val: WitFilter;
    }
  | {
      tag: "job";
      val: WitJob;
    };
export type WitOutcome =
  | {
      tag: "response";
      val: WitHttpResponse;
    }
  | {
      /**
       * Event or job: done, with a line for the history.
       */
      tag: "done";
      val: string;
    }
  | {
      /**
       * Filter: go on with this payload (JSON).
       */
      tag: "accept";
      val: string;
    }
  | {
      /**
       * Filter: refuse, with a reason the person sees.
       */
      tag: "refuse";
      val: string;
    };
/** A refused or failed host call. `code` is stable (`capability.denied`, `fetch.timeout`, …). */
export interface WitHostError {
  code: string;
  message: string;
}

/** What the platform offers to a guest, interface by interface. */
export interface HostImports {
  readonly events: EventsFunctions;
  readonly http: HttpFunctions;
  readonly kv: KvFunctions;
  readonly log: LogFunctions;
  readonly members: MembersFunctions;
  readonly metrics: MetricsFunctions;
  readonly proposals: ProposalsFunctions;
  readonly rooms: RoomsFunctions;
  readonly schedule: ScheduleFunctions;
  readonly secrets: SecretsFunctions;
}
