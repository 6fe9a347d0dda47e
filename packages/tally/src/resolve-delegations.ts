/**
 * Who carries whose vote: follows delegations from everybody entitled to whoever voted.
 *
 * Invariant: everybody entitled counts exactly once or not at all. Weights + sealed + lost + silent = electorate: who voted counts for themselves; who did
 * not, for the first on their chain who did; a chain that ends otherwise is lost and says why. Chains are walked step by step and each member once, so
 * neither a circle nor a chain of 100,000 does harm.
 */
export interface Delegated {
  readonly from: string;
  readonly to: string;
  /** Absent: for every topic without a delegation of its own. */
  readonly topic?: string | undefined;
}

export interface DelegationInput {
  /** Everybody entitled at the close. */
  readonly electorate: readonly string[];
  /** Who cast a ballot that can carry weight; all of them in the electorate. */
  readonly voted: Iterable<string>;
  /** Who cast a sealed ballot: it counts once and carries nobody else. */
  readonly sealed?: Iterable<string>;
  readonly delegations: readonly Delegated[];
  /** Of the vote; only delegations for it, and those without a topic, count. */
  readonly topic?: string | undefined;
}

/** `cycle`: the chain runs in a circle. `not_voted`: it ends with somebody who did neither. `sealed`: with a sealed ballot. `not_entitled`: outside. */
export type LossReason = "cycle" | "not_voted" | "sealed" | "not_entitled";

export interface DelegationResult {
  /** What the ballot of each who voted counts: 1 and those it carries. */
  readonly weights: ReadonlyMap<string, number>;
  /** Delegated, and carried by nobody. */
  readonly lost: readonly { readonly member: string; readonly reason: LossReason }[];
  /** Of everybody who delegated and did not vote: to whom, and whose ballot carries them at the end of the chain, if one does. */
  readonly routes: ReadonlyMap<string, { readonly to: string; readonly voter?: string }>;
}

// Ends of chains beside voters, who are their own place in the electorate.
const unknown = -1;
const onThePath = -2;
const [cycle, notVoted, sealedBallot, notEntitled] = [-3, -4, -5, -6] as const;
const reasons: ReadonlyMap<number, LossReason> = new Map([
  [cycle, "cycle"],
  [notVoted, "not_voted"],
  [sealedBallot, "sealed"],
  [notEntitled, "not_entitled"],
]);

interface Chains {
  /** By member: the place of whom they delegate to, `unknown` when they do not, `notEntitled` when to somebody outside. */
  readonly next: Int32Array;
  readonly to: ReadonlyMap<number, string>;
}

/** A delegation for the topic goes before one without a topic. */
function chainsOf({ electorate, delegations, topic }: DelegationInput, placeOf: ReadonlyMap<string, number>): Chains {
  const next = new Int32Array(electorate.length).fill(unknown);
  const to = new Map<number, string>();
  const seen = new Set<number>();
  for (const each of [undefined, ...(topic === undefined ? [] : [topic])]) {
    seen.clear();
    for (const delegation of delegations) {
      const from = placeOf.get(delegation.from);
      if (from === undefined || delegation.topic !== each) continue;
      if (seen.has(from)) throw new TypeError(`${delegation.from} delegates twice${each === undefined ? "" : ` for ${each}`}`);
      seen.add(from);
      next[from] = placeOf.get(delegation.to) ?? notEntitled;
      to.set(from, delegation.to);
    }
  }
  return { next, to };
}

/** By member: where their chain ends, a voter's place or one of `reasons`. */
function endsOf(next: Int32Array, known: Int32Array): Int32Array {
  const ends = known.slice();
  const path: number[] = [];
  for (let start = 0; start < ends.length; start++) {
    let member = start;
    path.length = 0;
    while (member >= 0 && ends[member] === unknown) {
      ends[member] = onThePath;
      path.push(member);
      member = next[member] ?? unknown;
    }
    const found = member < 0 ? (member === notEntitled ? notEntitled : notVoted) : (ends[member] ?? notVoted);
    const end = found === onThePath ? cycle : found;
    for (const passed of path) ends[passed] = end;
  }
  return ends;
}

/**
 * Resolves delegations at the close of a vote.
 *
 * Chains are followed by `topic` first: a member's delegation for the topic replaces their general one whether or not it leads anywhere. Delegations of those
 * who voted, and of anybody outside the electorate, count for nothing.
 *
 * @throws TypeError somebody is in the electorate twice, voted without being in it or in two ways, or delegates twice for the same topic
 */
export function resolveDelegations(input: DelegationInput): DelegationResult {
  const { electorate, voted, sealed = [] } = input;
  const placeOf = new Map(electorate.map((member, place) => [member, place]));
  if (placeOf.size !== electorate.length) throw new TypeError("somebody is in the electorate twice");
  const known = new Int32Array(electorate.length).fill(unknown);
  const cast = (member: string, carries: boolean): void => {
    const place = placeOf.get(member);
    if (place === undefined) throw new TypeError(`${member} voted and is not in the electorate`);
    if (known[place] !== unknown) throw new TypeError(`${member} voted twice`);
    known[place] = carries ? place : sealedBallot;
  };
  for (const member of voted) cast(member, true);
  for (const member of sealed) cast(member, false);
  const { next, to } = chainsOf(input, placeOf);
  const ends = endsOf(next, known);
  const weights = new Map<string, number>();
  const lost: { member: string; reason: LossReason }[] = [];
  const routes = new Map<string, { to: string; voter?: string }>();
  for (const [place, member] of electorate.entries()) {
    const end = ends[place] ?? notVoted;
    const voter = electorate[end];
    if (voter !== undefined) weights.set(voter, (weights.get(voter) ?? 0) + 1);
    const direct = to.get(place);
    if (direct === undefined || known[place] !== unknown) continue;
    routes.set(member, { to: direct, ...(voter === undefined ? {} : { voter }) });
    if (voter === undefined) lost.push({ member, reason: reasons.get(end) ?? "not_voted" });
  }
  return { weights, lost, routes };
}
