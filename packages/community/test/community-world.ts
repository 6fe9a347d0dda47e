/**
 * A community with people, for tests: the whole community plane over a store in memory, with a clock in the test's hands.
 *
 * Invariant: everything is made as a person makes it, through the plane; only users of the instance are given.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  limits,
  type CommunityId,
  type CommunityName,
  type EndpointId,
  type Handle,
  type InstanceRole,
  type PublicIdentity,
  type SignPub,
} from "@althing/contract";
import type { Store } from "@althing/store";
import { createHash } from "node:crypto";
import { freshStore } from "./fresh-store.ts";
import { createCommunityPlane, openCommunityCollections, type CommunityPlane, type CommunityPlaneDeps } from "../src/index.ts";

export interface CommunityWorld {
  readonly store: Store;
  readonly plane: CommunityPlane;
  readonly deps: CommunityPlaneDeps;
  /** Milliseconds since 1970; tests move it. */
  readonly clock: { now(): number; ms: number };
  /** What the plane logged. */
  readonly lines: readonly { readonly level: string; readonly event: string; readonly fields: unknown }[];
  /** A user of the instance; the same handle is the same person. */
  person(handle: string, role?: InstanceRole): Caller;
  /** Founded by the instance admin `ada`, who is its owner. */
  found(name?: string): Promise<CommunityId>;
  /** A new member by ada's hand. */
  member(community: CommunityId, handle: string, ...roles: string[]): Promise<Caller>;
}

const personOf = (handle: string, role: InstanceRole): Caller => {
  const signPub = createHash("sha256").update(handle).digest();
  return {
    endpoint: createHash("sha256").update(signPub).digest("base64url") as EndpointId,
    signPub: signPub.toString("hex") as SignPub,
    handle: handle as Handle,
    role,
  };
};

export interface CommunityWorldOptions {
  readonly store?: Store;
  readonly changes?: Partial<CommunityPlaneDeps>;
}

export function openCommunityWorld({ store = freshStore(), changes = {} }: CommunityWorldOptions = {}): CommunityWorld {
  const clock = { ms: Date.UTC(2026, 0, 5, 12), now: () => clock.ms };
  const people = new Map<string, Caller>();
  const lines: { level: string; event: string; fields: unknown }[] = [];
  const person = (handle: string, role: InstanceRole = handle === "ada" ? "admin" : "member"): Caller => {
    const known = people.get(handle) ?? personOf(handle, role);
    people.set(handle, known);
    return known;
  };
  const deps: CommunityPlaneDeps = {
    store,
    collections: openCommunityCollections(store),
    clock,
    limits,
    findUser: (_caller: Caller, ref: EndpointId | Handle): Promise<PublicIdentity> => {
      const found = [...people.values()].find(({ endpoint, handle }) => ref === endpoint || ref === handle);
      if (found === undefined) return Promise.reject(new AppError("user.not_found", { user: ref }));
      return Promise.resolve({ signPub: found.signPub, endpoint: found.endpoint, handle: found.handle, status: "active" as const });
    },
    platform: { platformMode: "admin_only", communityMode: "multi_community", registration: "invite" },
    filters: { run: (_community, _point, _actor, payload) => Promise.resolve(payload) },
    packagesOf: () => Promise.resolve(0),
    roomsOf: () => Promise.resolve(0),
    patternFault: () => undefined,
    log: (level, event, fields) => void lines.push({ level, event, fields }),
    ...changes,
  };
  const plane = createCommunityPlane(deps);
  const ada = person("ada");
  return {
    ...{ store, plane, deps, clock, lines, person },
    found: async (name = "garden") => (await plane.communities.create(ada, { name: name as CommunityName })).id,
    async member(community, handle, ...roles) {
      const added = person(handle);
      await plane.communities.addMember(ada, { community, identity: added.handle, roles: roles.length === 0 ? ["member"] : roles });
      return added;
    },
  };
}
