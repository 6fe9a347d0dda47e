/**
 * A secret vote from end to end without a network: the client library's flows over the hub's own table of handlers, every input and answer through the
 * contract's schemas, as they pass on HTTP.
 */
import type { Caller } from "@althing/bus";
import { castBallot, exportVote, findReceipt, makeTrusteeKey, openSecretBallots, type VoteCall } from "@althing/client";
import { routes, type EndpointId, type Route, type RouteName, type VoteChoice } from "@althing/contract";
import { identityFromPhrase, newRecoveryPhrase, type Identity } from "@althing/crypto";
import { voteHandlers, type Handler } from "@althing/hub";
import { choiceFault, recount } from "@althing/tally";
import { z } from "zod";
import { beforeAll, describe, expect, it } from "vitest";
import { openVoteWorld, type VoteWorld } from "../../packages/community/test/vote-world.ts";

const yes: VoteChoice = { choice: "yes" };
const no: VoteChoice = { choice: "no" };
let trustee: Identity;

beforeAll(async () => {
  trustee = await identityFromPhrase(newRecoveryPhrase());
});

/** A client of one person; `sent` sees what leaves it. */
function clientOf(world: VoteWorld, caller: Caller, sent: (name: string, input: unknown) => void = () => undefined): VoteCall {
  const handlers: Readonly<Record<string, Handler>> = voteHandlers(() => world.plane);
  const call = async (name: RouteName, input: { params?: unknown; query?: unknown; body?: unknown } = {}) => {
    sent(name, input);
    const route: Route = routes[name];
    // Queries are text on the way.
    const query = Object.fromEntries(Object.entries(Object(input.query ?? {})).map(([key, value]) => [key, String(value)]));
    const parsed = {
      ...Object(route.params?.parse(input.params)),
      ...Object(route.query?.parse(query)),
      ...Object(route.body?.parse(JSON.parse(JSON.stringify(input.body ?? {})))),
    };
    const handler = handlers[name];
    if (handler === undefined) throw new Error(`no handler for ${name}`);
    const answer = await handler({
      signPub: caller.signPub,
      caller: () => caller,
      input: parsed,
      ifMatch: undefined,
      lastEventId: undefined,
      upload: () => expect.unreachable(),
    });
    return route.response?.parse(JSON.parse(JSON.stringify(answer)));
  };
  return call as VoteCall;
}

/** A secret vote whose trustee is ada, acting with real keys. */
async function begun(rule = {}) {
  const world = await openVoteWorld();
  const ada: Caller = { ...world.ada, endpoint: world.ada.endpoint };
  const voters = await world.members("bob", "cid", "dan");
  const proposal = await world.discussed({ rule: { secret: true, ...rule } });
  const ref = { community: "garden", proposal };
  // The client compares its own endpoint with the rule's: here its keys stand for ada's.
  const asAda: Identity = { ...trustee, endpoint: world.ada.endpoint as EndpointId };
  const trusteeCall = clientOf(world, ada);
  await makeTrusteeKey(trusteeCall, asAda, ref);
  world.clock.ms += 1_000;
  await world.proposals.open(world.ada, { community: world.garden, proposal });
  return { world, ref, voters, trusteeCall, asAda };
}

describe("a secret vote through the client library", () => {
  it("sends nothing of a choice, gives receipts that are found, and a file that counts again to the same", async () => {
    const { world, ref, voters, trusteeCall, asAda } = await begun();
    const receipts: string[] = [];
    const sent: string[] = [];
    for (const [at, voter] of voters.entries()) {
      const call = clientOf(world, voter, (name, input) => sent.push(`${name} ${JSON.stringify(input)}`));
      const done = await castBallot(call, ref, at === 0 ? no : yes);
      expect(done.kind).toBe("sealed");
      receipts.push(done.receipt ?? "");
    }
    expect(sent.join()).not.toMatch(/"(yes|no)"/);
    for (const receipt of receipts) expect(sent.join()).not.toContain(receipt);
    await castBallot(trusteeCall, ref, yes, { open: true });
    await world.close();
    expect(await openSecretBallots(trusteeCall, asAda, ref, choiceFault)).toEqual({ sealed: 3, published: 3, spoilt: 0 });

    const asked: string[] = [];
    const call = clientOf(world, voters[0] ?? world.ada, (name, input) => asked.push(`${name} ${JSON.stringify(input)}`));
    expect(await findReceipt(call, ref, receipts[0] ?? "")).toEqual({ nonce: receipts[0], choice: no });
    expect(asked.join()).not.toContain(receipts[0]);
    await expect(findReceipt(call, ref, "A".repeat(43))).rejects.toMatchObject({ code: "ballot.receipt_missing" });
    const exported = await exportVote(call, ref);
    expect(exported).toMatchObject({ format: "althing/vote/v1", spoilt: 0, report: { ballots: 4, totals: { yes: 3, no: 1 } } });
    expect(recount(JSON.parse(JSON.stringify(exported)))).toMatchObject({ agrees: true });
    expect(recount({ ...exported, ballots: exported.ballots.slice(1) })).toMatchObject({ agrees: false });
  });

  it("the opening begins anew after an interruption, on another device of the trustee", async () => {
    const { world, ref, voters, trusteeCall, asAda } = await begun();
    for (const voter of voters) await castBallot(clientOf(world, voter), ref, yes);
    await world.close();
    let published = 0;
    const dying: VoteCall = (name, ...rest) => {
      if (name === "votes.finishOpening") return Promise.reject(new Error("the laptop was closed"));
      if (name === "votes.publish") published += 1;
      return trusteeCall(name, ...rest);
    };
    await expect(openSecretBallots(dying, asAda, ref, choiceFault)).rejects.toThrow("closed");
    expect(published).toBe(1);
    expect(await openSecretBallots(trusteeCall, asAda, ref, choiceFault)).toMatchObject({ published: 3, spoilt: 0 });
    await expect(openSecretBallots(trusteeCall, asAda, ref, choiceFault)).rejects.toMatchObject({ code: "vote.not_opening" });
  });

  it("a ballot that does not fit the rule is spoilt by the trustee's client, and two with one receipt count as one", async () => {
    const { world, ref, voters, trusteeCall, asAda } = await begun();
    const [bob, cid, dan] = voters;
    if (bob === undefined || cid === undefined || dan === undefined) throw new Error("nobody");
    await castBallot(clientOf(world, bob), ref, { approvals: [] });
    let copied: unknown;
    const copying = clientOf(world, cid, (name, input) => (copied = name === "votes.castSealed" ? input : copied));
    await castBallot(copying, ref, yes);
    const { body } = z.object({ body: z.object({ enc: z.string(), ct: z.string() }) }).parse(copied);
    await clientOf(world, dan)("votes.castSealed", { params: ref, body });
    await world.close();
    expect(await openSecretBallots(trusteeCall, asAda, ref, choiceFault)).toEqual({ sealed: 3, published: 1, spoilt: 2 });
    expect((await exportVote(trusteeCall, ref)).spoilt).toBe(2);
  });

  it("a hub that keeps another ballot than the one sent, or names a weak key, is noticed by the voter's client", async () => {
    const { world, ref, voters } = await begun();
    const honest = clientOf(world, voters[0] ?? world.ada);
    const lying = (name: string, change: (answer: object) => object): VoteCall =>
      (async (asked: RouteName, ...rest: never[]) => {
        const answer: unknown = await (honest as (...args: unknown[]) => Promise<unknown>)(asked, ...rest);
        return asked === name ? change(Object(answer)) : answer;
      }) as VoteCall;
    const other = lying("votes.castSealed", (answer) => ({ ...answer, digest: "00".repeat(32) }));
    await expect(castBallot(other, ref, yes)).rejects.toMatchObject({ code: "client.bad_answer" });
    const weak = lying("votes.paper", (answer) => ({ ...answer, publicKey: "00".repeat(32) }));
    await expect(castBallot(weak, ref, yes)).rejects.toMatchObject({ code: "ballot.key_forged" });
    const none = lying("votes.paper", (answer) => ({ ...answer, publicKey: undefined }));
    await expect(castBallot(none, ref, yes)).rejects.toMatchObject({ code: "vote.no_trustee_key" });
  });
});
