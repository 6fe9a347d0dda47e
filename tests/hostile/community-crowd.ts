/**
 * People who act on a community over HTTP while its hub is killed, and a record of what they know of their acts.
 *
 * Invariant: each act is signed, sent under an Idempotency-Key and sent again under the same key until it is answered. What was answered counts as done or
 * refused, also where a killed hub had done it and the next one answers; what lost its answer (`request.answer_lost`) counts as unknown. One
 * person's acts follow one another, so what they know of their own vote or delegation is a set with one element, or more after an unknown act.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Identity } from "@althing/crypto";
import { callAs, type Answered } from "../../packages/hub/test/serve-hub.ts";

export interface Actor {
  readonly handle: string;
  readonly identity: Identity;
}

export interface CrowdPlace {
  readonly url: string;
  readonly community: string;
  /** Run the community, moderate it, take part in it, come and go. */
  readonly owner: Actor;
  readonly moderator: Actor;
  readonly voters: readonly Actor[];
  readonly roamers: readonly Actor[];
  /** Votes that run. */
  readonly votes: readonly { readonly id: string; readonly choices: readonly unknown[] }[];
  readonly job: { readonly install: string; readonly name: string };
}

export type MadeKind = "proposal" | "comment" | "announcement" | "action";

export interface Made {
  readonly kind: MadeKind;
  /** Stands in the text. */
  readonly tag: string;
  /** As answered; absent: unknown. */
  readonly id: string | undefined;
}

export interface Known {
  readonly made: Made[];
  /** `<proposal> <voter>` and `<from>`: what may be kept, as JSON; `none`. */
  readonly ballots: Map<string, Set<string>>;
  readonly delegations: Map<string, Set<string>>;
  /** `<topic> <endpoint>`: events that there must be, and that there may be besides. */
  readonly told: Map<string, { done: number; unknown: number }>;
  readonly tokensUsed: Set<string>;
  /** Answers that nobody should get. */
  readonly surprises: string[];
  done: number;
  refused: number;
  unknown: number;
  /** Acts that were sent again after they were answered, and got the same answer. */
  repeated: number;
}

export interface Crowd {
  readonly known: Known;
  /** Resolves when so many more acts were answered. */
  answered(count: number): Promise<void>;
  stop(): Promise<void>;
  /** What is under way is given up: for when there is no hub any more. */
  abandon(): Promise<void>;
}

export const none = "none";
const idSchema = z.object({ id: z.string() });
const tokenSchema = z.object({ token: z.string() });

/** What people are rightly told no for here. */
const refusals = new Set([
  ...["vote.not_open", "vote.closed", "ballot.not_found", "delegation.cycle", "delegation.not_found", "delegation.no_vote"],
  ...["moderation.muted", "moderation.not_standing", "comment.removed", "comment.too_many", "proposal.too_many", "announcement.too_many"],
  ...["announcement.not_found", "community.invitations_full", "community.already_member", "community.not_member", "community.not_found"],
  ...["proposal.wrong_state", "job.running"],
]);

interface Act {
  readonly method: "POST" | "PUT" | "DELETE";
  /** Below the community. */
  readonly path: string;
  readonly body?: unknown;
  /** What the log tells of it. */
  readonly topic?: string;
  readonly mayBe?: readonly string[];
}
type Outcome =
  | { readonly is: "done"; readonly answer: Answered }
  | { readonly is: "refused"; readonly code: string }
  | { readonly is: "unknown" };

const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];
const chance = (share: number): boolean => Math.random() < share;

export function startCrowd(place: CrowdPlace): Crowd {
  const known: Known = {
    ...{ made: [], ballots: new Map(), delegations: new Map(), told: new Map(), tokensUsed: new Set(), surprises: [] },
    ...{ done: 0, refused: 0, unknown: 0, repeated: 0 },
  };
  const base = `/api/communities/${place.community}`;
  const tokens: string[] = [];
  let [isOver, isAbandoned] = [false, false];
  let onDone: () => void = () => undefined;

  /** Until the hub says yes, no, or that it does not know. */
  async function insist(actor: Actor, { method, path, body }: Act, key: string): Promise<Answered | undefined> {
    while (!isAbandoned) {
      const headers = { "idempotency-key": key };
      const call = { method, path: path.startsWith("/api/") ? path : `${base}${path}`, headers, ...(body === undefined ? {} : { body }) };
      const answer = await callAs({ url: place.url }, actor.identity, call).catch(() => undefined);
      if (answer?.code === "request.answer_lost") return undefined;
      if (answer !== undefined && answer.status !== 503 && answer.code !== "request.in_progress") return answer;
      await sleep(25);
    }
    return undefined;
  }

  async function act(actor: Actor, wanted: Act): Promise<Outcome> {
    const key = randomUUID();
    const answer = await insist(actor, wanted, key);
    const name = `${wanted.topic} ${actor.identity.endpoint}`;
    const told = known.told.get(name) ?? { done: 0, unknown: 0 };
    if (wanted.topic !== undefined) known.told.set(name, told);
    onDone();
    if (answer === undefined) {
      known.unknown += 1;
      told.unknown += 1;
      return { is: "unknown" };
    }
    if (answer.status >= 300) {
      known.refused += 1;
      const { code = `${answer.status}` } = answer;
      if (!refusals.has(code) && wanted.mayBe?.includes(code) !== true)
        known.surprises.push(`${wanted.method} ${wanted.path}: ${answer.status} ${code}`);
      return { is: "refused", code };
    }
    known.done += 1;
    told.done += 1;
    if (chance(0.05)) await repeat(actor, wanted, key, answer);
    return { is: "done", answer };
  }

  /** As a client does whose answer was lost: the act is not done again. */
  async function repeat(actor: Actor, wanted: Act, key: string, first: Answered): Promise<void> {
    const again = await insist(actor, wanted, key);
    // A killed hub may have done the act and not have remembered its answer.
    if (again === undefined) return;
    known.repeated += 1;
    if (again.text !== first.text) known.surprises.push(`${wanted.path} repeated: ${again.status} ${again.text} after ${first.text}`);
  }

  /** Something new with a name of its own. */
  async function make(actor: Actor, kind: MadeKind, wanted: (tag: string) => Act): Promise<string | undefined> {
    const tag = `${kind}-${randomUUID()}`;
    const outcome = await act(actor, wanted(tag));
    if (outcome.is === "refused") return undefined;
    const id = outcome.is === "done" ? idSchema.parse(outcome.answer.json).id : undefined;
    known.made.push({ kind, tag, id });
    return id;
  }

  /** Something that is set: what is kept afterwards is known, or one of two. */
  async function set(actor: Actor, kept: Map<string, Set<string>>, key: string, value: string, wanted: Act): Promise<void> {
    const outcome = await act(actor, wanted);
    if (outcome.is === "done") kept.set(key, new Set([value]));
    if (outcome.is !== "unknown") return;
    kept.set(key, new Set([...(kept.get(key) ?? [none]), value]));
    // Once more, under a key of its own: what is set twice is the same.
    if (!isOver) await set(actor, kept, key, value, wanted);
  }

  const ofKind = (kind: MadeKind) => known.made.filter((one) => one.kind === kind && one.id !== undefined);
  const someId = (kind: MadeKind) => pick(ofKind(kind))?.id;

  async function vote(voter: Actor): Promise<void> {
    const on = pick(place.votes);
    if (on === undefined) return;
    const key = `${on.id} ${voter.identity.endpoint}`;
    const path = `/proposals/${on.id}/ballot`;
    if (chance(0.1)) return set(voter, known.ballots, key, none, { method: "DELETE", path, topic: "vote.withdrawn" });
    const choice = pick(on.choices);
    await set(voter, known.ballots, key, JSON.stringify(choice), { method: "PUT", path, body: { choice }, topic: "vote.cast" });
  }

  async function delegate(voter: Actor): Promise<void> {
    const { endpoint } = voter.identity;
    if (chance(0.4))
      return set(voter, known.delegations, endpoint, none, { method: "DELETE", path: "/delegations", topic: "delegation.revoked" });
    const to = pick(place.voters.filter((other) => other !== voter))?.identity.endpoint;
    await set(voter, known.delegations, endpoint, to ?? none, {
      method: "PUT",
      path: "/delegations",
      body: { to },
      topic: "delegation.given",
    });
  }

  /** Comments of one's own are removed by nobody else, but by the moderator. */
  async function talk(voter: Actor): Promise<void> {
    const proposal = pick(place.votes)?.id ?? "";
    const path = `/proposals/${proposal}/comments`;
    const id = await make(voter, "comment", (body) => ({ method: "POST", path, body: { body }, topic: "comment.created" }));
    if (id === undefined || !chance(0.2)) return;
    if (chance(0.5)) await act(voter, { method: "POST", path: `${path}/${id}/remove`, body: {}, topic: "comment.removed" });
    else
      await make(place.moderator, "action", (reason) => ({
        ...{ method: "POST", path: "/moderation", topic: "moderation.acted" },
        body: { kind: "comment_removal", proposal, comment: id, reason },
      }));
  }

  async function moderate(): Promise<void> {
    const member = pick(place.voters)?.identity.endpoint;
    const isMute = chance(0.3);
    const body = (reason: string) => ({ kind: isMute ? "mute" : "warning", member, reason, ...(isMute ? { hours: 1 } : {}) });
    const wanted = (tag: string): Act => ({ method: "POST", path: "/moderation", body: body(tag), topic: "moderation.acted" });
    const id = await make(place.moderator, "action", wanted);
    if (id === undefined || !isMute) return;
    await act(place.moderator, { method: "POST", path: `/moderation/${id}/lift`, body: { reason: "enough" }, topic: "moderation.lifted" });
  }

  async function run(): Promise<void> {
    const { owner } = place;
    const dice = Math.random();
    if (dice < 0.3) {
      await make(owner, "announcement", (text) => ({
        method: "POST",
        path: "/announcements",
        body: { text },
        topic: "announcement.posted",
      }));
    } else if (dice < 0.5) {
      const id = someId("announcement");
      if (id !== undefined) await act(owner, { method: "DELETE", path: `/announcements/${id}`, topic: "announcement.removed" });
    } else if (dice < 0.9) {
      const made = await act(owner, { method: "POST", path: "/invitations", body: { uses: 1 } });
      if (made.is === "done") tokens.push(tokenSchema.parse(made.answer.json).token);
    } else {
      const path = `/plugin-packages/${place.job.install}/jobs/${place.job.name}/run`;
      await act(owner, { method: "POST", path, body: {} });
    }
  }

  /** In by an invitation, out again, and the same invitation once more for nothing. */
  async function roam(roamer: Actor): Promise<void> {
    const token = tokens.shift();
    if (token === undefined) return sleep(20);
    const path = "/api/community-invitations/join";
    const joined = await act(roamer, { method: "POST", path, body: { token }, topic: "member.joined", mayBe: ["invitation.invalid"] });
    if (joined.is === "done") {
      if (known.tokensUsed.has(token)) known.surprises.push("an invitation let two people in");
      known.tokensUsed.add(token);
    }
    const out = { method: "DELETE", path: `/members/${roamer.identity.endpoint}`, topic: "member.left" } as const;
    const left = await act(roamer, out);
    if (left.is === "unknown" && !isOver) await act(roamer, out);
    if (joined.is === "done" && chance(0.2)) tokens.push(token);
  }

  const loop = async (once: () => Promise<void>) => {
    while (!isOver) {
      await once();
      await sleep(4);
    }
  };
  const takePart = (voter: Actor) => {
    const dice = Math.random();
    if (dice < 0.55) return vote(voter);
    if (dice < 0.7) return delegate(voter);
    if (dice < 0.95) return talk(voter);
    const wanted = (title: string): Act => ({ method: "POST", path: "/proposals", body: { title }, topic: "proposal.created" });
    return make(voter, "proposal", wanted).then(() => undefined);
  };
  const all = Promise.all([
    ...place.voters.map((voter) => loop(() => takePart(voter))),
    ...place.roamers.map((roamer) => loop(() => roam(roamer))),
    loop(moderate),
    loop(run),
  ]);
  return {
    known,
    answered: (count) =>
      new Promise((resolve, reject) => {
        let left = count;
        onDone = () => {
          left -= 1;
          if (left <= 0) resolve();
        };
        all.catch(reject);
      }),
    async stop() {
      isOver = true;
      await all;
    },
    async abandon() {
      [isOver, isAbandoned] = [true, true];
      await all.catch(() => undefined);
    },
  };
}
