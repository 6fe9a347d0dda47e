/**
 * Where votes go: of the delegations of a community, those that hold, followed one by one.
 *
 * Invariant: the rules of docs/architecture/delegation.md: for a topic, the one for that topic goes before the one for everything, and where it does not
 * hold the second does; one holds between two members who may vote and were members since it was given. Nobody has two ways, so what is left is a forest,
 * save for circles, which are found and never followed twice.
 */
import type { CommunityMember, Delegation, Role } from "@althing/contract";

/** From whom to whom. */
export type Flow = ReadonlyMap<string, Delegation>;

export interface Electorate {
  readonly members: ReadonlyMap<string, Pick<CommunityMember, "roles" | "since">>;
  readonly roles: readonly Pick<Role, "role" | "permissions">[];
}

/** Members who may vote now. */
export function votersOf({ members, roles }: Electorate): ReadonlySet<string> {
  const voting = new Set(roles.filter(({ permissions }) => permissions.includes("votes.cast")).map(({ role }) => role));
  return new Set([...members].filter(([, member]) => member.roles.some((role) => voting.has(role))).map(([endpoint]) => endpoint));
}

/** Does it carry a vote now? */
export function holds({ from, to, givenAt }: Delegation, { members }: Electorate, voters: ReadonlySet<string>): boolean {
  const [giver, taker] = [members.get(from), members.get(to)];
  return (
    giver !== undefined && taker !== undefined && voters.has(from) && voters.has(to) && giver.since <= givenAt && taker.since <= givenAt
  );
}

/** @param topic undefined: for everything */
export function flowOf(delegations: readonly Delegation[], topic: string | undefined, electorate: Electorate): Flow {
  const voters = votersOf(electorate);
  const flow = new Map<string, Delegation>();
  for (const delegation of delegations) {
    if (delegation.topic !== undefined && delegation.topic !== topic) continue;
    if (!holds(delegation, electorate, voters)) continue;
    const before = flow.get(delegation.from);
    if (before === undefined || before.topic === undefined) flow.set(delegation.from, delegation);
  }
  return flow;
}

export interface Chain {
  /** Who passes the vote on, in order; begins with whoever was asked for. */
  readonly people: readonly string[];
  /** It comes back: the last one gives to this one of `people`. */
  readonly returnsTo?: string;
}

export function chainOf(flow: Flow, start: string): Chain {
  const people = [start];
  const seen = new Set(people);
  for (let next = flow.get(start)?.to; next !== undefined; next = flow.get(next)?.to) {
    if (seen.has(next)) return { people, returnsTo: next };
    people.push(next);
    seen.add(next);
  }
  return { people };
}

/** Who gives to whom, by taker, in the order of ids. */
export function giversOf(flow: Flow): ReadonlyMap<string, readonly string[]> {
  const givers = new Map<string, string[]>();
  for (const from of [...flow.keys()].toSorted()) {
    const to = flow.get(from)?.to ?? "";
    givers.set(to, [...(givers.get(to) ?? []), from]);
  }
  return givers;
}

/** How many votes arrive at each, their own included, if nobody but they votes. In a circle everybody carries all of it, once. */
export function weightsOf(flow: Flow): ReadonlyMap<string, number> {
  const givers = giversOf(flow);
  const people = new Set([...flow.keys(), ...[...flow.values()].map(({ to }) => to)]);
  const weights = new Map<string, number>();
  const below = (taker: string): number => {
    const counted = new Set([taker]);
    const queue = [taker];
    for (let at = queue.pop(); at !== undefined; at = queue.pop())
      for (const from of givers.get(at) ?? [])
        if (!counted.has(from)) {
          counted.add(from);
          queue.push(from);
        }
    return counted.size;
  };
  for (const person of people) weights.set(person, below(person));
  return weights;
}

/** Everybody who is part of a circle, circle by circle; each begins with its smallest id. */
export function circlesOf(flow: Flow): readonly (readonly string[])[] {
  const done = new Set<string>();
  const circles: string[][] = [];
  for (const start of [...flow.keys()].toSorted()) {
    const path: string[] = [];
    const onPath = new Set<string>();
    let at: string | undefined = start;
    while (at !== undefined && !done.has(at) && !onPath.has(at)) {
      path.push(at);
      onPath.add(at);
      at = flow.get(at)?.to;
    }
    if (at !== undefined && onPath.has(at)) circles.push(fromSmallest(path.slice(path.indexOf(at))));
    for (const one of path) done.add(one);
  }
  return circles;
}

function fromSmallest(circle: readonly string[]): string[] {
  const smallest = circle.toSorted()[0] ?? "";
  const at = circle.indexOf(smallest);
  return [...circle.slice(at), ...circle.slice(0, at)];
}

export interface VoteTree {
  readonly person: string;
  readonly weight: number;
  /** Heaviest first. */
  readonly givers: readonly VoteTree[];
}

/**
 * Who ends chains, heaviest first, with everybody below. A circle is cut before its smallest id, which stands as the end of it.
 *
 * @param nameOf by which people of one weight are ordered
 */
export function treesOf(flow: Flow, nameOf: (person: string) => string = (person) => person): readonly VoteTree[] {
  const givers = giversOf(flow);
  const weights = weightsOf(flow);
  const heads = new Set(circlesOf(flow).flatMap(([head]) => (head === undefined ? [] : [head])));
  const heaviest = (people: Iterable<string>) =>
    [...people].toSorted((a, b) => (weights.get(b) ?? 1) - (weights.get(a) ?? 1) || (nameOf(a) < nameOf(b) ? -1 : 1));
  const tree = (person: string): VoteTree => ({
    person,
    weight: weights.get(person) ?? 1,
    givers: heaviest((givers.get(person) ?? []).filter((from) => !heads.has(from))).map(tree),
  });
  const ends = [...givers.keys()].filter((person) => !flow.has(person));
  return heaviest([...ends, ...heads]).map(tree);
}
