/**
 * Communities on request, where the instance's mode is `approval`: a user asks, an admin of the instance decides.
 *
 * Invariant: one request a person; it ends in the batch that founds the community, so that it founds one however many admins approve at once. Who is asked
 * for owns it; who approves holds nothing there.
 */
import type { Caller } from "@althing/bus";
import { AppError, endpointIdSchema, type Community, type CommunityName, type EndpointId, type FoundingRequest } from "@althing/contract";
import { authorizeFounding, authorizeInstance } from "@althing/policy";
import { retryConflicts, type Rec } from "@althing/store";
import type { Communities } from "../communities.ts";
import type { FoundingRow } from "./membership-collections.ts";
import { isoTime, type ActDeps } from "./membership-deps.ts";
import { isActiveUser } from "./membership-rules.ts";

interface OfFounder {
  readonly endpoint: EndpointId;
}

export interface Founding {
  /** @throws {auth.forbidden} {founding.not_needed} {founding.pending} {community.name_taken} {community.single} */
  ask(
    caller: Caller,
    input: { readonly name: CommunityName; readonly displayName?: string | undefined; readonly reason: string },
  ): Promise<FoundingRequest>;
  list(
    caller: Caller,
    input: { readonly after?: EndpointId | undefined; readonly limit: number },
  ): Promise<{ requests: FoundingRequest[]; next?: EndpointId }>;
  /** @throws {auth.forbidden} {founding.not_found} {user.not_found} and what founding throws */
  approve(caller: Caller, input: OfFounder): Promise<Community>;
  /** @throws {auth.forbidden} {founding.not_found} */
  decline(caller: Caller, input: OfFounder & { readonly answer: string }): Promise<FoundingRequest>;
  /** One's own. @throws {auth.forbidden} {founding.not_found} */
  withdraw(caller: Caller, input: OfFounder): Promise<void>;
}

export function createFounding(deps: ActDeps, communities: Pick<Communities, "found" | "get">): Founding {
  const { collections, memberships, clock, platform } = deps;
  const rows = memberships.founding;

  function requireAdmin({ role }: Caller): void {
    const { allowed, who } = authorizeInstance(role, "active", "communities.manage");
    if (!allowed) throw new AppError("auth.forbidden", { permission: "communities.manage", who });
  }

  async function openRequest(endpoint: EndpointId): Promise<Rec<FoundingRow>> {
    const record = await rows.get([endpoint]);
    if (record?.value.state !== "open") throw new AppError("founding.not_found");
    return record;
  }

  return {
    ask: (caller, { name, displayName, reason }) =>
      retryConflicts("your request", async () => {
        const { allowed, onRequest, who } = authorizeFounding(caller.role, platform.platformMode);
        if (allowed) throw new AppError("founding.not_needed");
        if (!onRequest) throw new AppError("auth.forbidden", { permission: "communities.create", who });
        const before = await rows.get([caller.endpoint]);
        if (before?.value.state === "open") throw new AppError("founding.pending", { name: before.value.name });
        if (await collections.names.get([name])) throw new AppError("community.name_taken", { name });
        const isFull =
          platform.communityMode === "single_community" && (await collections.communities.list({ limit: 1 })).records.length > 0;
        if (isFull) throw new AppError("community.single");
        const { handle, signPub, endpoint } = caller;
        const row: FoundingRow = {
          ...{ handle, signPub, name, displayName: displayName ?? name, reason },
          ...{ state: "open", createdAt: isoTime(clock.now()) },
        };
        await rows.put([endpoint], row, before?.revision ?? 0);
        return viewOf(endpoint, row);
      }),

    async list(caller, { after, limit }) {
      if (!authorizeInstance(caller.role, "active", "communities.manage").allowed) {
        const own = await rows.get([caller.endpoint]);
        return { requests: own === undefined ? [] : [viewOf(caller.endpoint, own.value)] };
      }
      const page = await rows.list({ limit, ...(after === undefined ? {} : { after: [after] }) });
      const next = endpointIdSchema.safeParse(page.next?.[0]);
      return {
        requests: page.records.map(({ key, value }) => viewOf(endpointIdSchema.parse(key[0]), value)),
        ...(next.success ? { next: next.data } : {}),
      };
    },

    async approve(caller, { endpoint }) {
      requireAdmin(caller);
      const { name, displayName, handle, signPub } = (await openRequest(endpoint)).value;
      if (!(await isActiveUser(deps, caller, endpoint))) throw new AppError("user.not_found", { user: handle });
      const community = await communities.found({ endpoint, handle, signPub }, { name, displayName }, async () => {
        const request = await openRequest(endpoint);
        return [rows.toDelete([endpoint], request.revision)];
      });
      return communities.get(caller, { community });
    },

    decline: (caller, { endpoint, answer }) =>
      retryConflicts("the request", async () => {
        requireAdmin(caller);
        const { value, revision } = await openRequest(endpoint);
        const row: FoundingRow = {
          ...{ ...value, state: "declined", decidedAt: isoTime(clock.now()) },
          ...(answer === "" ? {} : { answer }),
        };
        await rows.put([endpoint], row, revision);
        return viewOf(endpoint, row);
      }),

    withdraw: (caller, { endpoint }) =>
      retryConflicts("your request", async () => {
        if (endpoint !== caller.endpoint)
          throw new AppError("auth.forbidden", { permission: "the request of somebody else", who: "Nobody; that person" });
        const record = await rows.get([endpoint]);
        if (record === undefined) throw new AppError("founding.not_found");
        await rows.delete([endpoint], record.revision);
      }),
  };
}

function viewOf(endpoint: EndpointId, { signPub: _signPub, ...row }: FoundingRow): FoundingRequest {
  const { decidedAt, answer, ...rest } = row;
  return {
    ...rest,
    endpoint,
    ...(decidedAt === undefined ? {} : { decidedAt }),
    ...(answer === undefined ? {} : { answer }),
  };
}
