/**
 * What somebody sees of a community before they are in it, and which communities show themselves at all.
 *
 * Invariant: a community that people cannot join by themselves is told to exist to its members, to holders of its invitations, to those who asked before, and
 * to admins of the instance, nobody else.
 */
import type { Caller } from "@althing/bus";
import { AppError, communityIdSchema, type CommunityDoor, type CommunityId, type Registration } from "@althing/contract";
import { authorizeInstance } from "@althing/policy";
import type { CommunityRow } from "../collections.ts";
import { matcherOf, searchPage } from "../search.ts";
import type { InCommunity, JoiningDeps } from "./membership-deps.ts";
import { readWelcome, type Welcome } from "./welcome.ts";

type Listed = Omit<CommunityDoor, "rules" | "rulesVersion" | "questions" | "request">;

export interface Door {
  /** @throws {community.not_found} */
  door(caller: Caller, input: InCommunity): Promise<CommunityDoor>;
  directory(
    caller: Caller,
    input: { readonly q?: string | undefined; readonly after?: CommunityId | undefined; readonly limit: number },
  ): Promise<{ communities: Listed[]; next?: CommunityId }>;
  /** For holders of an invitation. */
  viewFor(caller: Caller, row: CommunityRow): Promise<CommunityDoor>;
  /** The community, if the caller may know of it. @throws {community.not_found} */
  visible(caller: Caller, ref: string): Promise<CommunityRow>;
}

export const registrationOf = (row: CommunityRow, { platform }: Pick<JoiningDeps, "platform">): Registration =>
  row.registration ?? platform.registration;

const showsItself = (registration: Registration): boolean => registration === "open" || registration === "approval";

export function createDoor(deps: JoiningDeps): Door {
  const { collections, memberships, authority, modules } = deps;

  const isMember = async ({ id }: CommunityRow, { endpoint }: Caller) => (await collections.members.get([id, endpoint])) !== undefined;

  async function listed(caller: Caller, row: CommunityRow): Promise<Listed> {
    const { id, name, displayName, description = "", members } = row;
    const registration = registrationOf(row, deps);
    return { id, name, displayName, description, members, registration, isMember: await isMember(row, caller) };
  }

  async function viewFor(caller: Caller, row: CommunityRow): Promise<CommunityDoor> {
    const { rules, rulesVersion, questions }: Welcome = await readWelcome(modules, row.id);
    const request = (await memberships.requests.get([row.id, caller.endpoint]))?.value;
    const shown =
      request === undefined || request.state === "approved" || request.state === "joined"
        ? {}
        : {
            request: {
              state: request.state,
              createdAt: request.createdAt,
              ...(request.answer === undefined ? {} : { answer: request.answer }),
            },
          };
    return { ...(await listed(caller, row)), rules, rulesVersion, questions: [...questions], ...shown };
  }

  async function visible(caller: Caller, ref: string): Promise<CommunityRow> {
    const row = (await authority.find(ref))?.value;
    const known =
      row !== undefined &&
      (showsItself(registrationOf(row, deps)) ||
        authorizeInstance(caller.role, "active", "plugin_policy.manage").allowed ||
        (await isMember(row, caller)) ||
        (await memberships.requests.get([row.id, caller.endpoint])) !== undefined);
    if (!known) throw new AppError("community.not_found", { community: ref });
    return row;
  }

  return {
    viewFor,
    visible,
    door: async (caller, { community }) => viewFor(caller, await visible(caller, community)),

    async directory(caller, { q, after, limit }) {
      const fits = matcherOf(q);
      const from = after === undefined ? undefined : ([after] as const);
      const page =
        fits === undefined
          ? await collections.communities.list({ limit, ...(from === undefined ? {} : { after: from }) })
          : await searchPage(
              (options) => collections.communities.list(options),
              ({ value }) => showsItself(registrationOf(value, deps)) && fits([value.name, value.displayName, value.description]),
              { after: from, limit },
            );
      const shown = page.records.filter(({ value }) => showsItself(registrationOf(value, deps)));
      const communities: Listed[] = [];
      for (const { value } of shown) communities.push(await listed(caller, value));
      const next = communityIdSchema.safeParse(page.next?.at(-1));
      return { communities, ...(next.success ? { next: next.data } : {}) };
    },
  };
}
