/**
 * The audit log of the instance: who did what to it, with the outcome, as a hash chain.
 *
 * Invariant: nothing listed here is done without an entry. What is about to be done is written down first, beside the chain; when it ended its entry joins the
 * chain and the note goes, in one batch. A hub that was killed in between finds the note when it starts again and says that the outcome is unknown.
 * None of it is what the request committed, so it stands outside of the request's outcome (request-outcome.ts). What concerns a community is in the community's own log; messages, votes and everyday acts of members are in neither.
 */
import { chainStart, hashAuditEntry } from "@althing/crypto";
import {
  auditEntrySchema,
  hasCode,
  isAppError,
  limits,
  type AuditEntry,
  type RouteName,
  type RouteParsed,
  type RouteResult,
} from "@althing/contract";
import type { Collection, Key, Store } from "@althing/store";
import { z } from "zod";
import type { Call, Handler } from "./handlers/handler.ts";
import type { SignedRoute } from "./handlers.ts";
import { createRequestIds } from "./request-id.ts";
import { outsideOutcome } from "./request-outcome.ts";

/** Acts on the instance, and which fields of request and answer say what was done. */
const audited = {
  "claim.post": ["handle"],
  "join.post": ["handle"],
  "invitations.create": [],
  "users.add": ["handle", "signPub", "role"],
  "users.revoke": ["signPub", "handle"],
  "trust.add": ["anchors"],
  "trust.remove": ["id"],
  "instancePolicy.put": ["defaults", "ceilings", "locks"],
  "registry.publish": ["name", "version", "contentHash"],
  "registry.deprecate": ["name", "version", "reason", "undo"],
  "registry.yank": ["name", "version", "reason", "undo"],
  "registry.rebind": ["name", "signer", "publisherId"],
  "communities.create": ["name", "id"],
  "communities.delete": ["community"],
  "founding.approve": ["endpoint"],
  "founding.decline": ["endpoint"],
} as const satisfies Partial<Record<SignedRoute, readonly string[]>>;
type AuditedRoute = keyof typeof audited;

export const auditedRoutes = Object.keys(audited) as readonly AuditedRoute[];

const textMaxChars = 500;
/** Sorts the newest first where lists ascend, so that no index has to be known to begin. */
const indexDigits = 12;
const keyOf = (index: number): Key => [String(index).padStart(indexDigits, "0")];
/** Two hubs, or a start beside them, want the same place at most so often in a row. */
const attemptsMax = 50;

const noteSchema = auditEntrySchema.pick({ id: true, time: true, actor: true, act: true, target: true }).extend({ node: z.string() });
type Note = z.infer<typeof noteSchema>;
type Outcome = Pick<AuditEntry, "outcome" | "code">;

export interface InstanceAudit {
  list(input: RouteParsed<"instance.audit">["query"]): Promise<RouteResult<"instance.audit">>;
  /** The handlers, those of acts on the instance with their entries. */
  around<H extends Readonly<Record<SignedRoute, Handler>>>(handlers: H): Readonly<Record<SignedRoute, Handler>>;
  /** At the start: ends what an earlier process of this node left open, and nothing that this one has begun. */
  closeLost(): Promise<void>;
}

function texts(fields: readonly string[], ...sources: readonly unknown[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const source of sources) {
    if (typeof source !== "object" || source === null) continue;
    for (const field of fields) {
      const value: unknown = Reflect.get(source, field);
      if (value === undefined || value === null) continue;
      const text = typeof value === "string" ? value : JSON.stringify(value);
      found[field] = [...text].slice(0, textMaxChars).join("").toWellFormed();
    }
  }
  return found;
}

/**
 * @param node name of this node; notes of others are not its to close
 * @example
 * const audit = createInstanceAudit({ store, node: "n1", nowMs: Date.now });
 * const handlers = audit.around(createHandlers(bus, plane, streams));
 */
export function createInstanceAudit({
  store,
  node,
  nowMs,
}: {
  readonly store: Store;
  readonly node: string;
  readonly nowMs: () => number;
}): InstanceAudit {
  const entries: Collection<AuditEntry> = store.collection({ name: "instance-audit", schema: auditEntrySchema });
  const notes: Collection<Note> = store.collection({ name: "instance-audit-notes", schema: noteSchema });
  const ids = createRequestIds({ now: nowMs });
  const startedAt = new Date(nowMs()).toISOString();
  /** One after the other, so that acts of one hub do not race for a place. */
  let tail: Promise<unknown> = Promise.resolve();

  async function append({ node: _by, ...note }: Note, outcome: Outcome): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const [last] = (await entries.list({ reverse: true, limit: 1 })).records;
      const open = { ...note, ...outcome, index: (last?.value.index ?? 0) + 1, previous: last?.value.hash ?? chainStart };
      const entry: AuditEntry = { ...open, hash: await hashAuditEntry(open) };
      try {
        await store.batch([entries.toPut(keyOf(entry.index), entry, 0), notes.toDelete([note.id])]);
        return;
      } catch (error) {
        if (!hasCode(error, "store.conflict") || attempt >= attemptsMax) throw error;
      }
    }
  }

  function end(note: Note, outcome: Outcome): Promise<void> {
    const ended = outsideOutcome(() => tail.then(() => append(note, outcome)));
    tail = ended.catch(() => undefined);
    return ended;
  }

  const audit =
    (act: AuditedRoute, handler: Handler): Handler =>
    async (call) => {
      const note: Note = {
        id: ids.next(),
        time: new Date(nowMs()).toISOString(),
        actor: actorOf(act, call),
        act,
        target: texts(audited[act], call.input),
        node,
      };
      await outsideOutcome(() => notes.create([note.id], note));
      let answer: unknown;
      try {
        answer = await handler(call);
      } catch (error) {
        await end(note, isAppError(error) ? { outcome: "refused", code: error.code } : { outcome: "unknown" });
        throw error;
      }
      await end({ ...note, target: texts(audited[act], call.input, answer) }, { outcome: "done" });
      return answer;
    };

  return {
    async list({ before, limit }) {
      const page = await entries.list({
        reverse: true,
        limit: Math.min(limit, limits.auditPageMax),
        ...(before === undefined ? {} : { after: keyOf(before) }),
      });
      const rows = page.records.map(({ value }) => value);
      const last = rows.at(-1);
      return { entries: rows, ...(page.next === undefined || last === undefined ? {} : { next: last.index }) };
    },
    around(handlers) {
      const wrapped = Object.fromEntries(auditedRoutes.map((act) => [act, audit(act, handlers[act])]));
      return { ...handlers, ...wrapped };
    },
    async closeLost() {
      let after: Key | undefined;
      do {
        const page = await notes.list({ limit: 1_000, ...(after === undefined ? {} : { after }) });
        for (const { value } of page.records) if (value.node === node && value.time < startedAt) await end(value, { outcome: "unknown" });
        after = page.next;
      } while (after !== undefined);
    },
  };
}

/** Who comes in by a token is nobody yet; what they are called is in the target. */
function actorOf(act: RouteName, call: Call): AuditEntry["actor"] {
  if (act === "claim.post" || act === "join.post") return null;
  const { endpoint, handle } = call.caller();
  return { endpoint, handle };
}
