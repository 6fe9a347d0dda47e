/**
 * Each event of the public log as a plain sentence.
 *
 * Invariant: every topic of the catalogue has a line (the type says so); a topic that is not known here, an extension's, shows the summary it came with.
 * Names people gave are set apart, so that tricks with writing direction stay inside them.
 */
import { eventTopics, type EventTopic, type PublicEvent } from "@althing/contract";
import type { OverviewText } from "./texts.ts";

export interface EventNames {
  /** Handle of an endpoint id. */
  handleOf(endpoint: string): string;
  /** Title of a proposal; `undefined`: nobody knows it here. */
  titleOf(proposal: string): string | undefined;
}

interface Said {
  readonly actor: string;
  readonly t: OverviewText;
  /** A field as text; empty when it is not there. */
  text(field: string): string;
  person(field: string): string;
  /** The proposal it is about. */
  readonly title: string;
}

type Line = (said: Said) => string;

const firstStrongIsolate = "\u2068";
const popIsolate = "\u2069";

export function apart(text: string): string {
  return `${firstStrongIsolate}${text}${popIsolate}`;
}

const outcomeLine: Line = ({ t, title, text }) => {
  const outcome = text("outcome");
  if (outcome === "passed" || outcome === "elected") return t("line.decidedPassed", { title });
  return outcome === "failed" || outcome === "rejected"
    ? t("line.decidedFailed", { title })
    : t("line.decidedOther", { title, outcome: outcome.replaceAll("_", " ") });
};

const moderationLine: Line = ({ t, actor, text, person }) => {
  const member = person("member");
  switch (text("kind")) {
    case "warning":
      return t("line.moderationWarning", { actor, member });
    case "mute":
      return t("line.moderationMute", { actor, member });
    case "comment_removal":
      return t("line.moderationComment", { actor });
    case "member_removal":
      return t("line.moderationMember", { actor, member });
    default:
      return t("line.moderationOther", { actor });
  }
};

const lines: { readonly [T in EventTopic]: Line } = {
  "community.founded": ({ t, actor }) => t("line.communityFounded", { actor }),
  "community.changed": ({ t, actor }) => t("line.communityChanged", { actor }),
  "member.joined": ({ t, person }) => t("line.memberJoined", { member: person("member") }),
  "member.left": ({ t, person }) => t("line.memberLeft", { member: person("member") }),
  "member.removed": ({ t, actor, person }) => t("line.memberRemoved", { actor, member: person("member") }),
  "member.erased": ({ t }) => t("line.memberErased"),
  "member.roles_changed": ({ t, actor, person, text }) => t("line.memberRoles", { actor, member: person("member"), roles: text("roles") }),
  "role.created": ({ t, actor, text }) => t("line.roleCreated", { actor, role: text("role") }),
  "role.changed": ({ t, actor, text }) => t("line.roleChanged", { actor, role: text("role") }),
  "role.removed": ({ t, actor, text }) => t("line.roleRemoved", { actor, role: text("role") }),
  "policy.changed": ({ t, actor }) => t("line.policyChanged", { actor }),
  "module.changed": ({ t, actor, text }) =>
    text("enabled") === "true"
      ? t("line.moduleOn", { actor, module: text("module") })
      : t("line.moduleOff", { actor, module: text("module") }),
  "package.installed": ({ t, actor, text }) =>
    t("line.packageInstalled", { actor, extension: text("extension"), version: text("version") }),
  "package.activated": ({ t, actor, text }) => t("line.packageActivated", { actor, extension: text("extension") }),
  "package.deactivated": ({ t, actor, text }) => t("line.packageDeactivated", { actor, extension: text("extension") }),
  "package.consented": ({ t, actor, text }) => t("line.packageConsented", { actor, extension: text("extension") }),
  "package.upgraded": ({ t, actor, text }) => t("line.packageUpgraded", { actor, extension: text("extension"), version: text("version") }),
  "package.rolled_back": ({ t, actor, text }) =>
    t("line.packageRolledBack", { actor, extension: text("extension"), version: text("version") }),
  "package.quarantined": ({ t, text }) => t("line.packageQuarantined", { extension: text("extension") }),
  "package.removed": ({ t, actor, text }) => t("line.packageRemoved", { actor, extension: text("extension") }),
  "room.created": ({ t, actor }) => t("line.roomCreated", { actor }),
  "room.deleted": ({ t, actor }) => t("line.roomDeleted", { actor }),
  "proposal.created": ({ t, actor, title }) => t("line.proposalCreated", { actor, title }),
  "proposal.changed": ({ t, actor, title, text }) => t("line.proposalChanged", { actor, title, version: text("version") }),
  "proposal.discussion_opened": ({ t, title }) => t("line.proposalDiscussion", { title }),
  "proposal.amendment_proposed": ({ t, actor, title }) => t("line.amendmentProposed", { actor, title }),
  "proposal.amendment_decided": ({ t, title, text }) =>
    text("accepted") === "true" ? t("line.amendmentTaken", { title }) : t("line.amendmentDeclined", { title }),
  "proposal.voting_opened": ({ t, title }) => t("line.votingOpened", { title }),
  "proposal.closing_soon": ({ t, title }) => t("line.closingSoon", { title }),
  "proposal.extended": ({ t, title }) => t("line.extended", { title }),
  "proposal.voting_closed": ({ t, title }) => t("line.votingClosed", { title }),
  "proposal.decided": outcomeLine,
  "proposal.withdrawn": ({ t, title }) => t("line.withdrawn", { title }),
  "comment.created": ({ t, actor, title }) => t("line.commentCreated", { actor, title }),
  "comment.changed": ({ t, actor, title }) => t("line.commentChanged", { actor, title }),
  "comment.removed": ({ t, title }) => t("line.commentRemoved", { title }),
  "comment.restored": ({ t, title }) => t("line.commentRestored", { title }),
  "vote.cast": ({ t, actor, title }) => t("line.voteCast", { actor, title }),
  "vote.withdrawn": ({ t, actor, title }) => t("line.voteWithdrawn", { actor, title }),
  "vote.opened": ({ t, title }) => t("line.voteOpened", { title }),
  "vote.voided": ({ t, title }) => t("line.voteVoided", { title }),
  "delegation.given": ({ t, actor, person, text }) =>
    text("topic") === ""
      ? t("line.delegationGiven", { actor, to: person("to") })
      : t("line.delegationTopic", { actor, to: person("to"), topic: apart(text("topic")) }),
  "delegation.revoked": ({ t, actor }) => t("line.delegationRevoked", { actor }),
  "moderation.acted": moderationLine,
  "moderation.lifted": ({ t }) => t("line.moderationLifted"),
  "moderation.appealed": ({ t, actor }) => t("line.moderationAppealed", { actor }),
  "moderation.appeal_decided": ({ t, text }) => (text("upheld") === "true" ? t("line.appealUpheld") : t("line.appealOverturned")),
  "announcement.posted": ({ t, actor }) => t("line.announcementPosted", { actor }),
  "announcement.changed": ({ t, actor }) => t("line.announcementChanged", { actor }),
  "announcement.removed": ({ t, actor }) => t("line.announcementRemoved", { actor }),
  "announcement.digest": ({ t }) => t("line.announcementDigest"),
};

function isTopic(topic: string): topic is EventTopic {
  return Object.hasOwn(eventTopics, topic);
}

const extensionActor = /^ext:(.+)$/;

/** Whose act it was, by name. @param actor as the event says: endpoint id, `system`, `ext:<id>`, null once erased */
export function actorName(actor: string | null, names: EventNames, t: OverviewText): string {
  if (actor === null) return t("who.somebody");
  if (actor === "system") return t("who.instance");
  const extension = extensionActor.exec(actor)?.[1];
  return extension === undefined ? apart(names.handleOf(actor)) : t("who.extension", { extension });
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The event in one sentence. */
export function eventLine(event: PublicEvent, names: EventNames, t: OverviewText): string {
  const { data, topic } = event;
  const actor = actorName(event.actor, names, t);
  if (!isTopic(topic)) return t("line.other", { actor, summary: apart(event.summary) });
  const proposal = textOf(data["proposal"]);
  const title = names.titleOf(proposal);
  return lines[topic]({
    actor,
    t,
    text: (field) => textOf(data[field]),
    person: (field) => {
      const endpoint = textOf(data[field]);
      return endpoint === "" ? t("who.somebody") : apart(names.handleOf(endpoint));
    },
    title: title === undefined ? t("who.aProposal") : `“${apart(title)}”`,
  });
}

/** People an event names, for looking up their handles. */
export function peopleOf({ actor, data, topic }: Pick<PublicEvent, "actor" | "data" | "topic">): readonly string[] {
  const personal = isTopic(topic) ? eventTopics[topic].personal.map((field) => textOf(data[field])) : [];
  return [actor ?? "", ...personal].filter((one) => one !== "" && one !== "system" && !one.startsWith("ext:"));
}

/** Groups of topics that can be asked for, by their first word. */
export const eventGroups = [
  "community",
  "member",
  "role",
  "policy",
  "module",
  "package",
  "room",
  "proposal",
  "comment",
  "vote",
  "delegation",
  "moderation",
  "announcement",
  "ext",
] as const;
export type EventGroup = (typeof eventGroups)[number];

export function groupOf(topic: string): EventGroup | undefined {
  const first = topic.slice(0, topic.indexOf("."));
  return eventGroups.find((group) => group === first);
}
