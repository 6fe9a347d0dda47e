/**
 * Coming in without an invitation: at once where a community is open, on request where it approves.
 *
 * Invariant: extensions are asked before the act, everything that decides is read again in it; a request holds what was answered and goes, with the answers,
 * 30 days after it was decided.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  endpointIdSchema,
  type CommunityId,
  type CommunityJoinRequest,
  type CommunityMember,
  type CommunityName,
  type EndpointId,
} from "@althing/contract";
import type { Rec, Write } from "@althing/store";
import type { AgendaEntry } from "../agenda.ts";
import { withGuards } from "../authority.ts";
import type { CommunityRow, MemberRow } from "../collections.ts";
import { registrationOf, type Door } from "./door.ts";
import type { JoinRequestRow } from "./membership-collections.ts";
import { isoTime, type InCommunity, type JoiningDeps } from "./membership-deps.ts";
import { isActiveUser, memberView, type MembershipRules } from "./membership-rules.ts";
import { checkAccepted, checkAnswers, readWelcome, type Reply } from "./welcome.ts";

interface OfPerson extends InCommunity {
  readonly endpoint: EndpointId;
}
export interface Joined {
  readonly state: "joined" | "requested";
  readonly community: CommunityId;
  readonly name: CommunityName;
  readonly member?: CommunityMember;
}

export interface Joining {
  /** @throws {community.not_found} {community.not_open} {community.already_member} {community.full} {community.requests_full} and of welcome and filters */
  join(caller: Caller, input: InCommunity & Reply): Promise<Joined>;
  /** @throws {auth.forbidden} */
  requests(
    caller: Caller,
    input: InCommunity & { readonly after?: EndpointId | undefined; readonly limit: number },
  ): Promise<{ requests: CommunityJoinRequest[]; next?: EndpointId }>;
  /** @throws {community.request_not_found} {user.not_found} {community.role_beyond_own} */
  approve(caller: Caller, input: OfPerson & { readonly roles: readonly string[] }): Promise<CommunityMember>;
  /** @throws {community.request_not_found} */
  decline(caller: Caller, input: OfPerson & { readonly answer: string }): Promise<void>;
  /** One's own. @throws {community.request_not_found} */
  withdrawRequest(caller: Caller, input: OfPerson): Promise<void>;
  /** What whoever joins has answered: checked, then shown to the community's extensions. @returns the answers as they left them */
  welcomed(caller: Caller, community: CommunityId, reply: Reply): Promise<Reply>;
  /** The rules as accepted now. @throws {welcome.rules_not_accepted} they changed since */
  acceptance(community: CommunityId, reply: Reply): Promise<MemberRow["rules"]>;
  /** Writes that keep the answers of somebody who came in without a decision, for those who approve. */
  toKeepAnswers(community: CommunityId, caller: Caller, reply: Reply): Promise<readonly Write[]>;
}

export function createJoining(deps: JoiningDeps, rules: MembershipRules, door: Door): Joining {
  const { collections, memberships, authority, events, agenda, modules, filters, clock, limits, store } = deps;

  const purgeEntry = (community: CommunityId, endpoint: string, purgeAt: string): AgendaEntry => ({
    ...{ kind: "join-request.purge", community, id: endpoint, atMs: Date.parse(purgeAt) },
  });
  const toForget = (community: CommunityId, endpoint: string, row: JoinRequestRow | undefined): Write[] =>
    row?.purgeAt === undefined ? [] : [agenda.toRemove(purgeEntry(community, endpoint, row.purgeAt))];

  agenda.on("join-request.purge", async (entry) => {
    const record = await memberships.requests.get([entry.community, entry.id]);
    const isDue = record?.value.purgeAt !== undefined && Date.parse(record.value.purgeAt) <= clock.now();
    await store.batch([
      agenda.toRemove(entry),
      ...(isDue ? [memberships.requests.toDelete([entry.community, entry.id], record.revision)] : []),
    ]);
  });

  /** The request as decided, and its entry in the agenda. */
  function settled(community: CommunityId, { key, value, revision }: Rec<JoinRequestRow>, change: Partial<JoinRequestRow>): Write[] {
    const endpoint = key[1] ?? "";
    const purgeAt = isoTime(clock.now() + limits.joinAnswersKeptMs);
    return [
      memberships.requests.toPut(key, { ...value, ...change, decidedAt: isoTime(clock.now()), purgeAt }, revision),
      agenda.toAdd(purgeEntry(community, endpoint, purgeAt)),
    ];
  }

  async function openRequest(community: CommunityId, endpoint: EndpointId): Promise<Rec<JoinRequestRow>> {
    const record = await memberships.requests.get([community, endpoint]);
    if (record?.value.state !== "open") throw new AppError("community.request_not_found");
    return record;
  }

  /** @throws {community.not_open} */
  function requireAsking(row: CommunityRow): "open" | "approval" {
    const registration = registrationOf(row, deps);
    if (registration === "open" || registration === "approval") return registration;
    throw new AppError("community.not_open", { registration });
  }

  async function checkRoom(community: CommunityId): Promise<void> {
    let open = 0;
    let after: readonly [string, ...string[]] | undefined;
    do {
      const page = await memberships.requests.list({ prefix: [community], limit: 1_000, ...(after === undefined ? {} : { after }) });
      open += page.records.filter(({ value }) => value.state === "open").length;
      after = page.next;
    } while (after !== undefined);
    const limit = limits.communityJoinRequestsMax;
    if (open >= limit) throw new AppError("community.requests_full", { limit });
  }

  async function welcomed(caller: Caller, community: CommunityId, reply: Reply): Promise<Reply> {
    const welcome = await readWelcome(modules, community);
    checkAccepted(welcome, reply);
    checkAnswers(welcome, reply);
    const { answers } = await filters.run(community, "member.before_join", caller, {
      handle: caller.handle,
      answers: { ...reply.answers },
    });
    return { ...reply, answers };
  }

  async function acceptance(community: CommunityId, reply: Reply): Promise<MemberRow["rules"]> {
    const welcome = await readWelcome(modules, community);
    checkAccepted(welcome, reply);
    return welcome.rulesVersion === "" ? undefined : { version: welcome.rulesVersion, at: isoTime(clock.now()) };
  }

  async function toKeepAnswers(community: CommunityId, caller: Caller, { answers }: Reply): Promise<readonly Write[]> {
    const { endpoint, handle, signPub } = caller;
    const before = await memberships.requests.get([community, endpoint]);
    const forgotten = toForget(community, endpoint, before?.value);
    const key = [community, endpoint] as const;
    if (Object.keys(answers).length === 0)
      return before === undefined ? [] : [...forgotten, memberships.requests.toDelete(key, before.revision)];
    const value: JoinRequestRow = { handle, signPub, state: "joined", answers: { ...answers }, createdAt: isoTime(clock.now()) };
    const kept = settled(community, { key, value, revision: before?.revision ?? 0 }, {});
    const written = new Set(kept.map(({ key: at }) => at.join("/")));
    return [...forgotten.filter(({ key: at }) => !written.has(at.join("/"))), ...kept];
  }

  async function ask(community: Rec<CommunityRow>, caller: Caller, reply: Reply, accepted: MemberRow["rules"]): Promise<Write[]> {
    const { id } = community.value;
    const { endpoint, handle, signPub } = caller;
    if (await collections.members.get([id, endpoint])) throw new AppError("community.already_member", { handle });
    if (await memberships.erasures.get([id, endpoint])) throw new AppError("erasure.running");
    const before = await memberships.requests.get([id, endpoint]);
    if (before?.value.state !== "open") await checkRoom(id);
    const createdAt = before?.value.state === "open" ? before.value.createdAt : isoTime(clock.now());
    const row: JoinRequestRow = {
      ...{ handle, signPub, state: "open", answers: { ...reply.answers }, createdAt },
      ...(accepted === undefined ? {} : { rules: accepted }),
    };
    return [memberships.requests.toPut([id, endpoint], row, before?.revision ?? 0), ...toForget(id, endpoint, before?.value)];
  }

  return {
    welcomed,
    acceptance,
    toKeepAnswers,

    async join(caller, { community: ref, ...given }) {
      const row = await door.visible(caller, ref);
      const { id, name } = row;
      // Whom it does not let in reaches no extension either.
      requireAsking(row);
      if (await collections.members.get([id, caller.endpoint])) throw new AppError("community.already_member", { handle: caller.handle });
      const reply = await welcomed(caller, id, given);
      return events.act<Joined>(id, async () => {
        const community = await collections.communities.get([id]);
        if (community === undefined) throw new AppError("community.not_found", { community: ref });
        const registration = requireAsking(community.value);
        const accepted = await acceptance(id, reply);
        if (registration === "approval") {
          const writes = await ask(community, caller, reply, accepted);
          // Held to the row, so that a community that closes meanwhile takes no request.
          const held = collections.communities.toCheck([id], community.revision);
          return { writes: [held, ...writes], events: [], result: { state: "requested", community: id, name } };
        }
        const admitted = await rules.admit(community, {
          ...{ newcomer: caller, roles: ["member"], by: "open", actor: { kind: "member", endpoint: caller.endpoint } },
          ...(accepted === undefined ? {} : { rules: accepted }),
        });
        return {
          writes: [...admitted.writes, ...(await toKeepAnswers(id, caller, reply))],
          events: admitted.events,
          result: { state: "joined", community: id, name, member: memberView(caller.endpoint, admitted.row) },
        };
      });
    },

    async requests(caller, { community, after, limit }) {
      const { id } = (await authority.require(caller, community, "members.invite")).community.value;
      const page = await memberships.requests.list({ prefix: [id], limit, ...(after === undefined ? {} : { after: [id, after] }) });
      const next = endpointIdSchema.safeParse(page.next?.[1]);
      return {
        requests: page.records.map(({ key, value: { handle, state, answers, createdAt, decidedAt, answer } }) => ({
          ...{ endpoint: endpointIdSchema.parse(key[1]), handle, state, answers, createdAt },
          ...(decidedAt === undefined ? {} : { decidedAt }),
          ...(answer === undefined ? {} : { answer }),
        })),
        ...(next.success ? { next: next.data } : {}),
      };
    },

    async approve(caller, { community, endpoint, roles }) {
      const { id } = (await authority.require(caller, community, "members.invite")).community.value;
      return events.act(id, async () => {
        const standing = await authority.require(caller, id, "members.invite");
        const request = await openRequest(id, endpoint);
        const { handle, signPub, rules: accepted } = request.value;
        if (!(await isActiveUser(deps, caller, endpoint))) throw new AppError("user.not_found", { user: handle });
        const giver = { endpoint: caller.endpoint, permissions: standing.permissions };
        await rules.mayGive(caller, giver, standing.community.value, roles);
        const admitted = await rules.admit(standing.community, {
          ...{ newcomer: { endpoint, handle, signPub }, roles, by: "approval", actor: { kind: "member", endpoint: caller.endpoint } },
          ...(accepted === undefined ? {} : { rules: accepted }),
        });
        return {
          writes: withGuards(standing, [...admitted.writes, ...settled(id, request, { state: "approved" })]),
          events: admitted.events,
          result: memberView(endpoint, admitted.row),
        };
      });
    },

    async decline(caller, { community, endpoint, answer }) {
      const { id } = (await authority.require(caller, community, "members.invite")).community.value;
      await events.act(id, async () => {
        const standing = await authority.require(caller, id, "members.invite");
        const request = await openRequest(id, endpoint);
        const said = answer === "" ? {} : { answer };
        return {
          writes: withGuards(standing, settled(id, request, { state: "declined", ...said })),
          events: [],
          result: undefined,
        };
      });
    },

    async withdrawRequest(caller, { community, endpoint }) {
      const { id } = await door.visible(caller, community);
      if (endpoint !== caller.endpoint)
        throw new AppError("auth.forbidden", { permission: "the request of somebody else", who: "Nobody; that person" });
      await events.act(id, async () => {
        const request = await openRequest(id, endpoint);
        return { writes: [memberships.requests.toDelete(request.key, request.revision)], events: [], result: undefined };
      });
    },
  };
}
