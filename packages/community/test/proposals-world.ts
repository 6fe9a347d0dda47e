/**
 * Proposals with people, for tests: the module over the community world, with ballots that are kept as simply as can be and counted by @althing/tally.
 *
 * Invariant: the ballot box obeys the face that the real one has: a ballot changes the proposal's row in its own act, a count is taken inside the act that
 * closes.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  createProposalSchema,
  voteChoiceSchema,
  type CommunityId,
  type CreateProposal,
  type EndpointId,
  type FilterPayload,
  type FilterPoint,
  type Proposal,
  type VoteChoice,
} from "@althing/contract";
import type { Store } from "@althing/store";
import { tally } from "@althing/tally";
import { z } from "zod";
import type { Filters } from "../src/hooks/filters.ts";
import { createProposals, openProposals, type Proposals, type ProposalsDeps } from "../src/modules/proposals/index.ts";
import type { BallotBox } from "../src/modules/votes/ballot-box.ts";
import { openCommunityWorld, type CommunityWorld, type CommunityWorldOptions } from "./community-world.ts";

export interface ProposalsWorld extends CommunityWorld {
  readonly proposals: Proposals;
  readonly garden: CommunityId;
  /** Owner; holds `proposals.manage`. */
  readonly ada: Caller;
  /** A member: holds `proposals.create`. */
  readonly ben: Caller;
  readonly muted: Set<EndpointId>;
  /** What the filters were asked; `answer` replaces what they say. */
  readonly asked: { point: FilterPoint; payload: unknown }[];
  filter: ((payload: Record<string, unknown>) => Record<string, unknown>) | undefined;
  /** Ballots given up by withdrawals. */
  readonly discarded: string[];
  create(caller: Caller, more?: Partial<z.input<typeof createProposalSchema>>): Promise<Proposal>;
  cast(caller: Caller, proposal: Proposal, choice: VoteChoice): Promise<void>;
  /** Hours later, with what is due by then. */
  later(hours: number): Promise<void>;
  topics(): Promise<string[]>;
  /** Another hub on the same store. */
  secondHub(): { readonly proposals: Proposals; readonly tick: () => Promise<void> };
}

const ballotSchema = z.strictObject({ choice: voteChoiceSchema });

export interface ProposalsWorldOptions extends CommunityWorldOptions {
  readonly limits?: ProposalsDeps["limits"];
}

export async function openProposalsWorld(options: ProposalsWorldOptions = {}): Promise<ProposalsWorld> {
  const world = openCommunityWorld(options);
  const garden = await world.found();
  const ben = await world.member(garden, "ben");
  const [muted, asked, discarded] = [new Set<EndpointId>(), [] as ProposalsWorld["asked"], [] as string[]];
  const steer: Pick<ProposalsWorld, "filter"> = { filter: undefined };

  const filters: Filters = {
    run<P extends FilterPoint>(_community: CommunityId, point: P, _actor: Caller, payload: FilterPayload<P>) {
      asked.push({ point, payload });
      return Promise.resolve(steer.filter === undefined ? payload : ({ ...payload, ...steer.filter(payload) } as FilterPayload<P>));
    },
  };
  const moduleOn = ({ store }: { store: Store }, plane: CommunityWorld["plane"]) => {
    const ballots = store.collection({ name: "test-ballots", schema: ballotSchema });
    const box: BallotBox = {
      checkRule: ({ rule, options: choices }) =>
        rule.method !== "yes_no" && choices.length < 2
          ? Promise.reject(new AppError("request.invalid", { detail: "too few options" }))
          : Promise.resolve(),
      async count(row) {
        const [cast, members] = [
          await ballots.list({ prefix: [row.community, row.id] }),
          await world.deps.collections.members.list({ prefix: [row.community] }),
        ];
        const counted = cast.records.map(({ value }) => ({ choice: value.choice, weight: 1 }));
        return {
          report: tally({ rule: row.rule, options: row.options, ballots: counted, eligible: members.records.length, seed: row.id }),
          writes: [],
        };
      },
      freeze: () => Promise.resolve({ writes: [] }),
      hasCast: async ({ community, id }, voter) => (await ballots.get([community, id, voter])) !== undefined,
      discard(row) {
        discarded.push(row.id);
        return Promise.resolve({ writes: [] });
      },
    };
    const restrictions = {
      check: (_community: CommunityId, endpoint: EndpointId) =>
        muted.has(endpoint) ? Promise.reject(new AppError("moderation.muted", { until: "2026-02-01T00:00:00.000Z" })) : Promise.resolve(),
    };
    const { authority, events, agenda, modules } = plane;
    const proposals = createProposals({
      ...{ store, clock: world.clock, authority, events, agenda, modules, filters, restrictions, ballots: box },
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    return { proposals, ballots };
  };

  const { proposals, ballots } = moduleOn(world, world.plane);
  const rows = openProposals(world.store);
  return Object.assign(steer, {
    ...world,
    ...{ proposals, garden, ada: world.person("ada"), ben, muted, asked, discarded },
    create: (caller: Caller, more: Partial<z.input<typeof createProposalSchema>> = {}) => {
      const input: CreateProposal = createProposalSchema.parse({ title: "Water the beds", body: "Every *evening*.", ...more });
      return proposals.create(caller, { community: garden, ...input });
    },
    cast: (caller: Caller, { id }: Proposal, choice: VoteChoice) =>
      world.plane.events.act(garden, async () => {
        const row = await rows.get([garden, id]);
        if (row?.value.state !== "voting") throw new AppError("vote.not_open", { state: row?.value.state ?? "gone" });
        return {
          writes: [
            rows.toPut([garden, id], { ...row.value, ballots: row.value.ballots + 1 }, row.revision),
            ballots.toPut([garden, id, caller.endpoint], { choice }),
          ],
          events: [],
          result: undefined,
        };
      }),
    later: async (hours: number) => {
      world.clock.ms += hours * 3_600_000;
      await world.plane.agenda.tick();
    },
    topics: async () => (await world.plane.events.read(garden, 0, 1_000)).map(({ topic }) => topic),
    secondHub: () => {
      const second = openCommunityWorld({ store: world.store });
      Object.defineProperty(second.clock, "ms", { get: () => world.clock.ms });
      return { proposals: moduleOn(second, second.plane).proposals, tick: () => second.plane.agenda.tick() };
    },
  });
}
