/**
 * Comments on a proposal: threads of one level, during discussion and vote.
 *
 * Invariant: a removed comment keeps its place without its words, and says who removed it (its author or a manager) and why; nothing vanishes silently.
 */
import type { Caller } from "@althing/bus";
import { AppError, commentBodySchema, faultsOf, type Comment, type CommentRow, type ProposalRow } from "@althing/contract";
import type { Rec } from "@althing/store";
import type { EventDraft } from "../../events/index.ts";
import type { ProposalsDeps } from "./proposal-deps.ts";
import {
  actorOf,
  requirePermission,
  requireState,
  type Condition,
  type OfProposal,
  type Present,
  type ProposalDesk,
} from "./proposal-desk.ts";

interface OfComment extends OfProposal {
  readonly comment: string;
}

export interface Comments {
  /**
   * @throws {auth.forbidden} {proposal.not_found} {proposal.wrong_state} {comment.not_found} {comment.nested} {comment.too_many}
   *   {moderation.muted} {filter.refused} {filter.failed}
   */
  add(caller: Caller, input: OfProposal & { readonly body: string; readonly parent?: string | undefined }): Promise<Comment>;
  list(
    caller: Caller,
    input: OfProposal & { readonly after?: string | undefined; readonly limit: number },
  ): Promise<{ comments: Comment[]; next?: string }>;
  /** @throws {auth.forbidden} {proposal.not_found} {comment.not_found} */
  one(caller: Caller, input: OfComment): Promise<Comment>;
  /** Its author only. @throws {auth.forbidden} {comment.not_found} {comment.removed} {request.precondition_failed} and as `add` */
  edit(caller: Caller, input: OfComment & { readonly body: string }, condition?: Condition): Promise<Comment>;
  /** Removed before: nothing happens. @throws {auth.forbidden} {comment.not_found} {proposal.reason_missing} */
  remove(caller: Caller, input: OfComment & { readonly reason?: string | undefined }): Promise<Comment>;
}

const talking = ["discussion", "voting"] as const;

export function createComments(deps: ProposalsDeps, desk: ProposalDesk): Comments {
  const { filters, restrictions } = deps;
  const { comments, authors } = desk.collections;

  async function find({ id }: Present, { proposal, comment }: Omit<OfComment, "community">): Promise<Rec<CommentRow>> {
    const found = await comments.get([id, proposal, comment]);
    if (found === undefined) throw new AppError("comment.not_found", { comment });
    return found;
  }
  const shown = ({ value, revision }: Rec<CommentRow>): Comment => ({ ...value, revision });

  async function mayTalk({ id, caller }: Present, row: ProposalRow): Promise<void> {
    requireState(row, ...talking);
    await restrictions.check(id, caller.endpoint, "proposals");
  }

  async function mayAdd(present: Present, row: ProposalRow, parent: string | undefined): Promise<void> {
    await mayTalk(present, row);
    const { proposalCommentsMax: limit, commentsPerAuthorMax: ownLimit } = desk.limits;
    if (row.comments >= limit) throw new AppError("comment.too_many", { limit, whose: "everybody's" });
    // Removed ones count here: removing and writing again must not fill the store.
    const own = await authors.list({ prefix: [present.id, present.caller.endpoint, "comment", row.id], limit: ownLimit });
    if (own.records.length >= ownLimit) throw new AppError("comment.too_many", { limit: ownLimit, whose: "yours" });
    if (parent === undefined) return;
    const { value } = await find(present, { proposal: row.id, comment: parent });
    if (value.parent !== undefined) throw new AppError("comment.nested", { comment: parent });
  }

  async function filteredBody({ id, caller }: Present, proposal: string, body: string): Promise<string> {
    const answer = await filters.run(id, "comment.before_create", caller, { proposal, body });
    const parsed = commentBodySchema.safeParse(answer.body);
    if (parsed.success) return parsed.data;
    throw new AppError("request.invalid", { detail: `as a filter left it: ${faultsOf(parsed.error)[0]?.message ?? ""}`.slice(0, 300) });
  }

  async function mayEdit(present: Present, row: ProposalRow, comment: string, { ifMatch }: Condition): Promise<Rec<CommentRow>> {
    const found = await find(present, { proposal: row.id, comment });
    if (found.value.author !== present.caller.endpoint)
      throw new AppError("auth.forbidden", { permission: "authorship of this comment", who: "Nobody" });
    if (found.value.removed !== undefined) throw new AppError("comment.removed");
    if (ifMatch !== undefined && ifMatch !== found.revision)
      throw new AppError("request.precondition_failed", { expected: ifMatch, observed: found.revision });
    await mayTalk(present, row);
    return found;
  }

  const told = (present: Present, row: ProposalRow, topic: CommentTopic, comment: string): EventDraft => ({
    ...{ topic, actor: actorOf(present), subject: `comment/${comment}`, summary: summaries[topic] },
    data: { proposal: row.id, comment },
  });

  return {
    async add(caller, { community, proposal, body, parent }) {
      const asked = await desk.enter(caller, community, "proposals.create");
      await mayAdd(asked, (await desk.find(asked, proposal)).value, parent);
      const words = await filteredBody(asked, proposal, body);
      const id = desk.nextId();
      await desk.change(
        caller,
        { community: asked.id, proposal },
        async (present, row) => {
          await mayAdd(present, row, parent);
          const record: CommentRow = {
            ...{ id, author: caller.endpoint, body: words, at: desk.isoNow() },
            ...(parent === undefined ? {} : { parent }),
          };
          return {
            row: { ...row, comments: row.comments + 1 },
            writes: [
              comments.toPut([present.id, row.id, id], record, 0),
              authors.toPut(desk.named(present.id, caller.endpoint, "comment", row.id, id), {}),
            ],
            events: [told(present, row, "comment.created", id)],
            answer: id,
          };
        },
        "proposals.create",
      );
      return shown(await find(asked, { proposal, comment: id }));
    },

    async list(caller, { community, proposal, after, limit }) {
      const present = await desk.enter(caller, community);
      await desk.find(present, proposal);
      const prefix = [present.id, proposal] as const;
      const page = await comments.list({ prefix, limit, ...(after === undefined ? {} : { after: [...prefix, after] }) });
      const next = page.next?.at(-1);
      return { comments: page.records.map(shown), ...(next === undefined ? {} : { next }) };
    },

    async one(caller, { community, proposal, comment }) {
      const present = await desk.enter(caller, community);
      await desk.find(present, proposal);
      return shown(await find(present, { proposal, comment }));
    },

    async edit(caller, { community, proposal, comment, body }, condition = {}) {
      const asked = await desk.enter(caller, community, "proposals.create");
      await mayEdit(asked, (await desk.find(asked, proposal)).value, comment, condition);
      const words = await filteredBody(asked, proposal, body);
      await desk.change(
        caller,
        { community: asked.id, proposal },
        async (present, row) => {
          const { key, value, revision } = await mayEdit(present, row, comment, condition);
          const record: CommentRow = { ...value, body: words, editedAt: desk.isoNow() };
          return { row, writes: [comments.toPut(key, record, revision)], events: [told(present, row, "comment.changed", comment)] };
        },
        "proposals.create",
      );
      return shown(await find(asked, { proposal, comment }));
    },

    async remove(caller, { community, proposal, comment, reason }) {
      await desk.change(caller, { community, proposal }, async (present, row) => {
        const { key, value, revision } = await find(present, { proposal, comment });
        const isOwn = value.author === caller.endpoint;
        if (!isOwn) requirePermission(present, "proposals.manage");
        if (!isOwn && reason === undefined) throw new AppError("proposal.reason_missing");
        if (value.removed !== undefined) return { row, events: [] };
        const removed = {
          by: isOwn ? ("author" as const) : ("manager" as const),
          at: desk.isoNow(),
          ...(reason === undefined ? {} : { reason }),
        };
        return {
          row: { ...row, comments: Math.max(0, row.comments - 1) },
          writes: [comments.toPut(key, { ...value, body: "", removed }, revision)],
          events: [told(present, row, "comment.removed", comment)],
        };
      });
      const present = await desk.enter(caller, community);
      return shown(await find(present, { proposal, comment }));
    },
  };
}

type CommentTopic = "comment.created" | "comment.changed" | "comment.removed";
const summaries: Readonly<Record<CommentTopic, string>> = {
  "comment.created": "Somebody commented on a proposal",
  "comment.changed": "A comment was edited",
  "comment.removed": "A comment was removed",
};
