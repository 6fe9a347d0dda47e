/**
 * Votes with people, for tests: the community world with the real module of proposals over the real ballots.
 *
 * Invariant: a vote is opened, cast in and closed as people do it; the clock is the test's, and what is due is done when the test says so.
 */
import type { Caller } from "@althing/bus";
import { votingRuleSchema, type CommunityId, type VoteChoice, type VotingRule } from "@althing/contract";
import {
  identityFromPhrase,
  makeBallotKey,
  newRecoveryPhrase,
  openBallot,
  openBallotKey,
  sealBallot,
  type BallotContext,
  type Identity,
} from "@althing/crypto";
import type { z } from "zod";
import type { Proposals } from "../src/modules/proposals/index.ts";
import { openVoteCollections, type VoteCollections } from "../src/modules/votes/vote-collections.ts";
import { openCommunityWorld, type CommunityWorld, type CommunityWorldOptions } from "./community-world.ts";

export interface VoteWorld extends CommunityWorld {
  readonly garden: CommunityId;
  readonly ada: Caller;
  readonly proposals: Proposals;
  readonly rows: VoteCollections;
  /** The keys of whoever is trustee. */
  readonly trusteeKeys: Identity;
  members(...handles: string[]): Promise<Caller[]>;
  /** A proposal in its vote of seven days; `secret`: ada is its trustee. */
  running(options?: RunningOptions): Promise<string>;
  /** A secret one is discussed and has no key yet. */
  discussed(options?: RunningOptions): Promise<string>;
  cast(caller: Caller, proposal: string, choice: VoteChoice): Promise<void>;
  /** @returns the receipt */
  castSealed(caller: Caller, proposal: string, choice: VoteChoice): Promise<string>;
  /** The end of the vote, with what is due then. */
  close(): Promise<void>;
  /** The trustee's work, as a client does it. @returns how many were spoilt */
  open(proposal: string): Promise<number>;
  contextOf(proposal: string): Promise<BallotContext>;
  report(proposal: string): Promise<NonNullable<Awaited<ReturnType<Proposals["get"]>>["report"]>>;
}

export interface RunningOptions {
  readonly rule?: Partial<z.input<typeof votingRuleSchema>>;
  readonly options?: readonly string[];
  readonly topic?: string;
}

const dayMs = 24 * 60 * 60_000;

/** Another hub on the same store, with the same time; or this one, started anew. */
export function secondHub(world: VoteWorld): CommunityWorld {
  const second = openCommunityWorld({ store: world.store });
  Object.defineProperty(second.clock, "ms", { get: () => world.clock.ms });
  return second;
}

export async function openVoteWorld(options: CommunityWorldOptions = {}): Promise<VoteWorld> {
  const world = openCommunityWorld(options);
  const { plane, store, clock } = world;
  const garden = await world.found();
  const ada = world.person("ada");
  const { agenda, votes, proposals } = plane;
  const rows = openVoteCollections(store);
  const trusteeKeys = await identityFromPhrase(newRecoveryPhrase());
  const of = (proposal: string) => ({ community: garden, proposal });

  const contextOf = async (proposal: string): Promise<BallotContext> => {
    const { options: choices } = await votes.casting.paper(ada, of(proposal));
    return { community: garden, proposal, options: choices };
  };

  async function discussed({ rule = {}, options: texts = [], topic }: RunningOptions = {}): Promise<string> {
    const asked: VotingRule = votingRuleSchema.parse({
      method: "yes_no",
      ...(rule.secret === true ? { trustee: ada.endpoint } : {}),
      ...rule,
    });
    const { id } = await proposals.create(ada, {
      ...{ community: garden, title: "Water the beds", body: "", discuss: true, rule: asked },
      options: texts.map((text) => ({ text })),
      ...(topic === undefined ? {} : { topic }),
    });
    return id;
  }

  async function open(proposal: string): Promise<number> {
    const { publicKey, sealedSecret, sealed } = await votes.opening.start(ada, of(proposal));
    const context = await contextOf(proposal);
    const key = await openBallotKey(trusteeKeys, context, { publicKey, sealedSecret });
    const { ballots } = await votes.opening.sealedBallots(ada, { ...of(proposal), limit: 1_000 });
    const opened = (await Promise.all(ballots.map((ballot) => openBallot(key, context, ballot)))).flatMap((ballot) => ballot ?? []);
    for (let at = 0; at < opened.length; at += 200)
      await votes.opening.publish(ada, { ...of(proposal), ballots: opened.slice(at, at + 200) });
    const spoilt = sealed - opened.length;
    await votes.opening.finish(ada, { ...of(proposal), published: opened.length, spoilt });
    return spoilt;
  }

  return {
    ...world,
    ...{ garden, ada, proposals, rows, trusteeKeys, contextOf, discussed, open },
    members: async (...handles) => {
      const added: Caller[] = [];
      for (const handle of handles) added.push(await world.member(garden, handle));
      return added;
    },
    async running(wanted = {}) {
      const proposal = await discussed(wanted);
      if (wanted.rule?.secret === true && wanted.rule.trustee === undefined)
        await votes.opening.putKey(ada, { ...of(proposal), ...(await makeBallotKey(trusteeKeys, await contextOf(proposal))) });
      clock.ms += 1_000;
      await proposals.open(ada, of(proposal));
      return proposal;
    },
    cast: async (caller, proposal, choice) => void (await votes.casting.cast(caller, { ...of(proposal), choice, open: false })),
    async castSealed(caller, proposal, choice) {
      const { publicKey } = await votes.casting.paper(caller, of(proposal));
      if (publicKey === undefined) throw new Error("the vote has no key");
      const { sealed, nonce } = await sealBallot(publicKey, await contextOf(proposal), choice);
      await votes.casting.castSealed(caller, { ...of(proposal), ...sealed });
      return nonce;
    },
    async close() {
      clock.ms += 7 * dayMs;
      await agenda.tick();
      // What the end made due.
      await agenda.tick();
    },
    async report(proposal) {
      const { report } = await proposals.get(ada, of(proposal));
      if (report === undefined) throw new Error("the vote is not decided");
      return report;
    },
  };
}
