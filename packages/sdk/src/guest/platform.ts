/**
 * The smaller host functions: log, secrets, metrics, events, rooms, members, proposals, schedule.
 *
 * Invariant: arguments are checked before they cross into the component's ABI, and every refusal is a HostError. Each but `log` needs the capability
 * that its comment names.
 */
import { callHost, requireArgument, requireText } from "./host-error.ts";
import type { LogLevel, MetricsKind } from "./bindings.ts";
import { host } from "./host-port.ts";

const write = (level: LogLevel) => (message: string) => host().log.write(level, String(message));
type Write = (message: string) => void;

/** The execution log; admins of the community and the author read it. Never log secrets. */
export const log: { readonly debug: Write; readonly info: Write; readonly warn: Write; readonly error: Write } = {
  debug: write("debug"),
  info: write("info"),
  warn: write("warn"),
  error: write("error"),
};

/** Needs `secrets.get`. */
export const secrets: { get(name: string): string } = {
  /** Throws HostError `secret.not_found` when an admin has not set it. */
  get(name: string): string {
    requireText(name, "secrets.get", "name");
    return callHost(() => host().secrets.get(name));
  },
};

export type Labels = Readonly<Record<string, string>>;

type RecordMetric = (name: string, value: number, labels?: Labels) => void;

function recorder(kind: MetricsKind, call: string): RecordMetric {
  return (name, value, labels = {}) => {
    requireText(name, call, "name");
    requireArgument(typeof value === "number", call, "value must be a number");
    const fields = Object.entries(labels).map(([label, text]) => ({ name: label, value: String(text) }));
    callHost(() => host().metrics.record(kind, name, fields, value));
  };
}

/** Needs `metrics`. */
export const metrics: { readonly counter: RecordMetric; readonly gauge: RecordMetric; readonly histogram: RecordMetric } = {
  counter: recorder("counter", "metrics.counter"),
  gauge: recorder("gauge", "metrics.gauge"),
  histogram: recorder("histogram", "metrics.histogram"),
};

/** Needs `events.emit`. */
export const events: { emit(topic: string, subject: string, data: unknown): string } = {
  /** Emits `ext.<extension>.<topic>`; returns the event's id. `data` must be JSON. */
  emit(topic: string, subject: string, data: unknown): string {
    requireText(topic, "events.emit", "topic");
    requireText(subject, "events.emit", "subject");
    const text = JSON.stringify(data);
    requireArgument(typeof text === "string", "events.emit", "data must be a value that JSON can say");
    return callHost(() => host().events.emit(topic, subject, text));
  },
};

/** Needs `rooms.post`. */
export const rooms: { post(room: string, message: string): string } = {
  /** Posts as the extension into a room that invited it; returns the message's id. */
  post(room: string, message: string): string {
    requireText(room, "rooms.post", "room");
    requireText(message, "rooms.post", "text");
    return callHost(() => host().rooms.post(room, message));
  },
};

export interface PageOptions {
  readonly after?: string;
  /** 1–100; default 100. */
  readonly limit?: number;
}

function pageArguments(options: PageOptions, call: string): [string | null, number] {
  const { after, limit = 100 } = options;
  requireArgument(Number.isInteger(limit) && limit >= 1 && limit <= 100, call, "limit must be 1–100");
  return [after ?? null, limit];
}

export interface Member {
  readonly id: string;
  readonly handle: string;
  readonly roles: readonly string[];
  /** RFC 3339. */
  readonly since: string;
}

export interface MemberPage {
  readonly members: readonly Member[];
  readonly next: string | undefined;
}

function listMembers(options: PageOptions = {}): MemberPage {
  const [after, limit] = pageArguments(options, "members.list");
  const page = callHost(() => host().members.listMembers(after, limit));
  return { members: page.members, next: page.next ?? undefined };
}

function* eachMember(): Generator<Member> {
  let after: string | undefined;
  do {
    const page = listMembers(after === undefined ? {} : { after });
    yield* page.members;
    after = page.next;
  } while (after !== undefined);
}

/** Needs `members.read`. */
export const members: { list(options?: PageOptions): MemberPage; each(): Generator<Member> } = { list: listMembers, each: eachMember };

/** Needs `proposals.read`. */
export const proposals: { get(id: string): unknown; list(options?: PageOptions): unknown } = {
  get(id: string): unknown {
    requireText(id, "proposals.get", "id");
    const proposal: unknown = JSON.parse(callHost(() => host().proposals.get(id)));
    return proposal;
  },
  /** One page, as the platform's API gives it. */
  list(options: PageOptions = {}): unknown {
    const [after, limit] = pageArguments(options, "proposals.list");
    const page: unknown = JSON.parse(callHost(() => host().proposals.listProposals(after, limit)));
    return page;
  },
};

/** Needs `schedule.manage`. */
export const schedule: { postpone(job: string, until: Date): void } = {
  /** The declared job does not run before `until`; its schedule goes on from there. */
  postpone(job: string, until: Date): void {
    requireText(job, "schedule.postpone", "job");
    requireArgument(until instanceof Date && !Number.isNaN(until.getTime()), "schedule.postpone", "until must be a date");
    callHost(() => host().schedule.postpone(job, until.toISOString()));
  },
};
