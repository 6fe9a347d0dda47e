/** What answers the routes of `routes-instance.ts`; rules as in handlers.ts. */
import type { Bus, Caller } from "@althing/bus";
import type { InstanceUsage, instanceRoutes, RouteResult } from "@althing/contract";
import type { ExtensionPlane } from "../extension-plane.ts";
import type { InstanceAudit } from "../instance-audit.ts";
import { inputOf, type Handler } from "./handler.ts";

type UsersPage = Awaited<ReturnType<Bus["users"]["list"]>>;
type CommunitiesPage = Awaited<ReturnType<ExtensionPlane["communities"]["list"]>>;

async function countUsers({ users }: Bus, caller: Caller): Promise<InstanceUsage["users"]> {
  const counts = { active: 0, revoked: 0 };
  let after: UsersPage["next"];
  do {
    const page: UsersPage = await users.list(caller, { limit: 500, ...(after === undefined ? {} : { after }) });
    for (const { status } of page.users) counts[status] += 1;
    after = page.next;
  } while (after !== undefined);
  return counts;
}

async function namesOf({ communities }: ExtensionPlane, caller: Caller): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  let after: CommunitiesPage["next"];
  do {
    const page: CommunitiesPage = await communities.list(caller, { limit: 200, ...(after === undefined ? {} : { after }) });
    for (const { id, name } of page.communities) names.set(id, name);
    after = page.next;
  } while (after !== undefined);
  return names;
}

export function instanceHandlers(bus: Bus, plane: () => ExtensionPlane, audit: () => InstanceAudit) {
  return {
    "instance.audit": (c) => audit().list(inputOf<"instance.audit">(c)),
    async "instance.usage"(c): Promise<RouteResult<"instance.usage">> {
      const { hours } = inputOf<"instance.usage">(c);
      const [users, names, packages] = await Promise.all([
        countUsers(bus, c.caller()),
        namesOf(plane(), c.caller()),
        plane().packagesUsage(hours),
      ]);
      // A community that was closed while this was read has no name any more, and no packages either.
      const top = packages.top.flatMap((row) => {
        const communityName = names.get(row.community);
        return communityName === undefined ? [] : [{ ...row, communityName }];
      });
      return { users, communities: names.size, ...packages, top };
    },
  } as const satisfies Record<keyof typeof instanceRoutes, Handler>;
}
