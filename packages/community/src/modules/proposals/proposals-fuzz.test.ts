/**
 * Anything that the routes' schemas let in goes to the service, and anything else to the schemas: answers that fit, refusals with a code of the catalogue,
 * never a failure inside. The seed is fixed, so a failure repeats.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { isAppError, proposalRoutes, type Route } from "@althing/contract";
import { openProposalsWorld, type ProposalsWorld } from "../../../test/proposals-world.ts";

type Call = (world: ProposalsWorld, input: never, ifMatch: { ifMatch?: number }) => Promise<unknown>;
const calls: Record<keyof typeof proposalRoutes, Call> = {
  "proposals.create": ({ proposals, ben }, input) => proposals.create(ben, input),
  "proposals.list": ({ proposals, ben }, input) => proposals.list(ben, input),
  "proposals.get": ({ proposals, ben }, input) => proposals.get(ben, input),
  "proposals.edit": ({ proposals, ben }, input, match) => proposals.edit(ben, input, match),
  "proposals.versions": ({ proposals, ben }, input) => proposals.versions(ben, input),
  "proposals.version": ({ proposals, ben }, input) => proposals.version(ben, input),
  "proposals.discuss": ({ proposals, ben }, input) => proposals.discuss(ben, input),
  "proposals.open": ({ proposals, ben }, input, match) => proposals.open(ben, input, match),
  "proposals.extend": ({ proposals, ada }, input) => proposals.extend(ada, input),
  "proposals.close": ({ proposals, ada }, input) => proposals.close(ada, input),
  "proposals.withdraw": ({ proposals, ada }, input) => proposals.withdraw(ada, input),
  "proposals.amend": ({ proposals, ada }, input) => proposals.amendments.propose(ada, input),
  "proposals.amendments": ({ proposals, ada }, input) => proposals.amendments.list(ada, input),
  "proposals.amendment": ({ proposals, ada }, input) => proposals.amendments.get(ada, input),
  "proposals.decideAmendment": ({ proposals, ben }, input) => proposals.amendments.decide(ben, input),
  "proposals.comment": ({ proposals, ada }, input) => proposals.comments.add(ada, input),
  "proposals.comments": ({ proposals, ada }, input) => proposals.comments.list(ada, input),
  "proposals.editComment": ({ proposals, ada }, input, match) => proposals.comments.edit(ada, input, match),
  "proposals.removeComment": ({ proposals, ada }, input) => proposals.comments.remove(ada, input),
};

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom("", " ", "\0", "__proto__", "constructor", "a\r\nb", "\ud800", "\u202e", "# <script>", "o1", "o2", "x".repeat(300)),
);
const time = fc.oneof(
  fc
    .date({ noInvalidDate: true, min: new Date(Date.UTC(2026, 0, 5)), max: new Date(Date.UTC(2026, 5, 1)) })
    .map((date) => date.toISOString()),
  fc.constantFrom(
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "2026-01-08T12:00Z",
    "2026-02-30T00:00:00Z",
    "2026-01-06T00:00:00+01:00",
  ),
);
const option = fc.record(
  { id: fc.constantFrom("o1", "o2", "o7", "__proto__"), text: fc.oneof(fc.string({ minLength: 1 }), text) },
  { requiredKeys: ["text"] },
);
const anything = fc.oneof(
  { weight: 20, arbitrary: fc.string({ minLength: 1, maxLength: 20 }) },
  { weight: 6, arbitrary: text },
  { weight: 1, arbitrary: fc.anything() },
);
const rule = fc.record(
  {
    method: fc.constantFrom("yes_no", "approval", "score", "stv", "x"),
    ...{
      seats: fc.integer({ min: -1, max: 60 }),
      scoreMax: fc.integer(),
      quorum: fc.constantFrom("0/1", "1/2", "1/0", "x"),
      secret: fc.boolean(),
    },
  },
  { requiredKeys: ["method"] },
);
const words = { title: anything, body: anything, options: fc.array(option, { maxLength: 3 }), topic: anything };
const body = fc.record(
  {
    ...{ ...words, rule, why: anything, discuss: fc.boolean(), closesAt: time, reason: anything, accept: fc.boolean() },
    text: fc.record(words, { requiredKeys: ["title"] }),
    parent: fc.constantFrom("$comment", "$answer", "$proposal", "x"),
  },
  { requiredKeys: [] },
);
const query = fc.record(
  {
    state: fc.constantFrom("draft", "decided", "x"),
    mine: anything,
    after: fc.constantFrom("$proposal", "$comment", "7", "x"),
    limit: fc.constantFrom("1", "0", "101", "1e2"),
  },
  { requiredKeys: [] },
);

/** Keeps of `from` what the schema knows, so that most inputs come through it. */
function shaped(schema: Route["body"], from: Record<string, unknown>): unknown {
  const known =
    schema !== undefined && "shape" in schema && typeof schema.shape === "object" && schema.shape !== null ? Object.keys(schema.shape) : [];
  return Object.fromEntries(Object.entries(from).filter(([name]) => known.includes(name)));
}

it("no input that a route lets in fails inside", async () => {
  const world = await openProposalsWorld({ limits: { openProposalsPerAuthorMax: 1_000, proposalsPerAuthorDayMax: 1_000 } });
  let made = { proposal: "", comment: "", answer: "", amendment: "" };
  let [runs, kind] = [0, 0];
  /** In discussion, in its vote, a draft, in turn. */
  const prepare = async () => {
    kind = (kind + 1) % 3;
    if (kind === 2) {
      made = { ...made, proposal: (await world.create(world.ben)).id };
      return;
    }
    const { id } = await world.create(world.ben, { discuss: true, options: [{ text: "a" }, { text: "b" }] });
    const here = { community: world.garden, proposal: id };
    const comment = await world.proposals.comments.add(world.ada, { ...here, body: "c" });
    const answer = await world.proposals.comments.add(world.ada, { ...here, body: "d", parent: comment.id });
    const amendment = await world.proposals.amendments.propose(world.ada, { ...here, title: "x", body: "", options: [], why: "" });
    made = { proposal: id, comment: comment.id, answer: answer.id, amendment: amendment.id };
    if (kind === 1) await world.proposals.open(world.ben, here);
  };
  const named = (value: unknown): unknown =>
    typeof value === "string" && value.startsWith("$") ? (new Map(Object.entries(made)).get(value.slice(1)) ?? value) : value;
  const nameAll = (from: Record<string, unknown>) => Object.fromEntries(Object.entries(from).map(([name, value]) => [name, named(value)]));
  const taken = new Map<string, number>();
  await prepare();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(calls)),
      body,
      query,
      fc.option(fc.nat(3), { nil: undefined }),
      async (name, bodyLike, queryLike, ifMatch) => {
        const routeName = Object.keys(proposalRoutes).find((key): key is keyof typeof proposalRoutes => key === name);
        if (routeName === undefined) throw new Error(name);
        const route: Route = proposalRoutes[routeName];
        const params = { community: "garden", ...made, version: "1" };
        const parsed = [
          route.params?.safeParse(shaped(route.params, params)),
          route.query?.safeParse(shaped(route.query, nameAll(queryLike))),
          route.body?.safeParse(shaped(route.body, nameAll(bodyLike))),
        ];
        if (parsed.some((part) => part?.success === false)) return;
        const input: unknown = Object.assign({}, ...parsed.map((part) => part?.data));
        try {
          const answer = await calls[routeName](world, input as never, ifMatch === undefined ? {} : { ifMatch });
          expect(route.response?.safeParse(answer).error, name).toBeUndefined();
          taken.set(name, (taken.get(name) ?? 0) + 1);
        } catch (error) {
          if (!isAppError(error)) throw error;
          const general = ["request.precondition_failed", "request.invalid"];
          expect([...route.errors, ...general], `${name} says which codes it has`).toContain(error.code);
        }
        runs += 1;
        if (runs % 5 === 0) await prepare();
      },
    ),
    { numRuns: 2_500, seed: 20_261_122 },
  );
  expect([...taken.keys()].sort(), "each was answered at least once").toEqual(Object.keys(calls).sort());
  expect(world.lines).toEqual([]);
});
