/**
 * The topics of a community's public log: what each tells, and which of its fields name a person.
 *
 * Invariant: this is the one catalogue; events are checked against it when they are written, hooks are checked against it when a package is read, and the
 * docs are made of it. A field that names a person is personal: it enters the chain as a salted digest and can be erased (docs/architecture/events.md).
 * `subject` and `summary` never name a person. Topics below `ext.` are the extensions' own and not listed.
 */
import { z } from "zod";
import { endpointIdSchema } from "./ids.ts";

export interface TopicRow {
  readonly tells: string;
  readonly data: z.ZodObject;
  /** Fields of `data` that hold an endpoint id. */
  readonly personal: readonly string[];
}

const short = z.string().max(200);
const id = z.string().max(64);
const person = endpointIdSchema;
const names = z.array(z.string().max(100)).max(100);
const packageData = z.strictObject({ install: id, extension: short, version: z.string().max(64) });
const proposal = z.strictObject({ proposal: id });
const none = z.strictObject({});
const permissions = z.array(z.string().max(256)).max(100);

export const eventTopics = {
  // --- community ---
  "community.founded": { tells: "The community was founded.", data: z.strictObject({ name: short }), personal: [] },
  "community.changed": { tells: "Settings of the community changed.", data: z.strictObject({ fields: names }), personal: [] },
  "member.joined": {
    tells: "Somebody became a member.",
    data: z.strictObject({ member: person, roles: names, by: z.enum(["added", "invitation", "approval", "open", "founding"]) }),
    personal: ["member"],
  },
  "member.left": { tells: "A member left.", data: z.strictObject({ member: person }), personal: ["member"] },
  "member.removed": { tells: "A member was removed.", data: z.strictObject({ member: person }), personal: ["member"] },
  "member.erased": { tells: "Somebody's traces were erased; the fields that named them are redacted.", data: none, personal: [] },
  "member.roles_changed": {
    tells: "A member has other roles.",
    data: z.strictObject({ member: person, roles: names }),
    personal: ["member"],
  },
  "role.created": { tells: "A role was made.", data: z.strictObject({ role: short, permissions }), personal: [] },
  "role.changed": { tells: "A role holds other permissions.", data: z.strictObject({ role: short, permissions }), personal: [] },
  "role.removed": { tells: "A role was removed.", data: z.strictObject({ role: short }), personal: [] },

  // --- plugins ---
  "policy.changed": { tells: "The plugin policy changed.", data: z.strictObject({ keys: names }), personal: [] },
  "module.changed": {
    tells: "A module was enabled, disabled or set otherwise.",
    data: z.strictObject({ module: short, enabled: z.boolean() }),
    personal: [],
  },
  "package.installed": { tells: "A package was installed; it does nothing yet.", data: packageData, personal: [] },
  "package.activated": { tells: "A package began to run.", data: packageData, personal: [] },
  "package.deactivated": { tells: "A package was switched off.", data: packageData, personal: [] },
  "package.consented": { tells: "What a package may do was granted anew.", data: packageData, personal: [] },
  "package.upgraded": { tells: "A package went to another version.", data: packageData, personal: [] },
  "package.rolled_back": { tells: "A package went back to an earlier version.", data: packageData, personal: [] },
  "package.quarantined": { tells: "A package was taken out of service.", data: packageData, personal: [] },
  "package.removed": { tells: "A package was removed.", data: packageData, personal: [] },

  // --- rooms ---
  "room.created": { tells: "A room of the community was founded.", data: z.strictObject({ room: id }), personal: [] },
  "room.deleted": { tells: "A room of the community was deleted.", data: z.strictObject({ room: id }), personal: [] },

  // --- proposals ---
  "proposal.created": { tells: "A proposal was drafted.", data: proposal, personal: [] },
  "proposal.changed": { tells: "A proposal has a new version.", data: proposal.extend({ version: z.int() }), personal: [] },
  "proposal.discussion_opened": { tells: "A proposal is up for discussion.", data: proposal, personal: [] },
  "proposal.amendment_proposed": { tells: "Somebody proposed an amendment.", data: proposal.extend({ amendment: id }), personal: [] },
  "proposal.amendment_decided": {
    tells: "An amendment was taken or turned down.",
    data: proposal.extend({ amendment: id, accepted: z.boolean() }),
    personal: [],
  },
  "proposal.voting_opened": {
    tells: "The vote on a proposal began.",
    data: proposal.extend({ method: short, closesAt: z.iso.datetime() }),
    personal: [],
  },
  "proposal.closing_soon": {
    tells: "The vote on a proposal ends soon.",
    data: proposal.extend({ closesAt: z.iso.datetime() }),
    personal: [],
  },
  "proposal.extended": { tells: "The vote on a proposal ends later.", data: proposal.extend({ closesAt: z.iso.datetime() }), personal: [] },
  "proposal.voting_closed": { tells: "A secret vote ended; its ballots wait for the trustee.", data: proposal, personal: [] },
  "proposal.decided": { tells: "A proposal was decided.", data: proposal.extend({ outcome: short, winners: names }), personal: [] },
  "proposal.withdrawn": { tells: "A proposal was withdrawn.", data: proposal, personal: [] },
  "comment.created": { tells: "Somebody commented on a proposal.", data: proposal.extend({ comment: id }), personal: [] },
  "comment.changed": { tells: "A comment was edited.", data: proposal.extend({ comment: id }), personal: [] },
  "comment.removed": { tells: "A comment was removed.", data: proposal.extend({ comment: id }), personal: [] },
  "comment.restored": { tells: "A removed comment is back, after an appeal.", data: proposal.extend({ comment: id }), personal: [] },

  // --- votes ---
  "vote.cast": { tells: "Somebody voted, or changed their vote; never what they chose.", data: proposal, personal: [] },
  "vote.withdrawn": { tells: "Somebody took their vote back.", data: proposal, personal: [] },
  "vote.opened": { tells: "The trustee opened the secret ballots.", data: proposal.extend({ ballots: z.int() }), personal: [] },
  "vote.voided": { tells: "Secret ballots were not opened in time; the vote was declared void.", data: proposal, personal: [] },
  "delegation.given": {
    tells: "A member lets another vote for them.",
    data: z.strictObject({ to: person, topic: short.optional() }),
    personal: ["to"],
  },
  "delegation.revoked": { tells: "A delegation ended.", data: z.strictObject({ topic: short.optional() }), personal: [] },

  // --- moderation ---
  "moderation.acted": {
    tells: "A moderator acted; the ledger has the reason.",
    data: z.strictObject({ action: id, kind: short, member: person.optional(), digest: z.string().length(64) }),
    personal: ["member"],
  },
  "moderation.lifted": { tells: "A mute or removal ended before or at its time.", data: z.strictObject({ action: id }), personal: [] },
  "moderation.appealed": { tells: "Somebody appealed against an action.", data: z.strictObject({ action: id }), personal: [] },
  "moderation.appeal_decided": { tells: "An appeal was decided.", data: z.strictObject({ action: id, upheld: z.boolean() }), personal: [] },

  // --- announcements ---
  "announcement.posted": { tells: "An announcement was pinned.", data: z.strictObject({ announcement: id }), personal: [] },
  "announcement.changed": { tells: "An announcement was edited.", data: z.strictObject({ announcement: id }), personal: [] },
  "announcement.removed": { tells: "An announcement was taken down.", data: z.strictObject({ announcement: id }), personal: [] },
  "announcement.digest": {
    tells: "The digest of the week was made.",
    data: z.strictObject({ announcement: id, events: z.int() }),
    personal: [],
  },
} as const satisfies Record<string, TopicRow>;

export type EventTopic = keyof typeof eventTopics;
export type EventData<T extends EventTopic> = z.input<(typeof eventTopics)[T]["data"]>;
/** What an extension emits: `ext.<extension id>.<name>`. */
export type ExtensionTopic = `ext.${string}`;
