import type { VoteCall } from "@althing/client";
import { expect, test } from "vitest";
import { watchedCall, type OpeningProgress } from "./opening-progress.ts";

test("tells how far an opening is from what goes through, and passes everything on as it was", async () => {
  const answers: Readonly<Record<string, unknown>> = {
    "votes.startOpening": { publicKey: "k", sealedSecret: {}, sealed: 3, published: 0 },
    "votes.sealedBallots": { ballots: [{}, {}] },
  };
  const calls: unknown[] = [];
  const plain = async (name: string, input?: unknown): Promise<unknown> => {
    calls.push([name, input]);
    return answers[name];
  };
  const told: OpeningProgress[] = [];
  const call = watchedCall(plain as VoteCall, (progress) => told.push(progress));
  const params = { community: "garden", proposal: "01JA7Z3QK4W8N5V2X6Y9B0C1DE" };
  const ballots = [{ nonce: "n", choice: { choice: "yes" as const } }];
  expect(await call("votes.startOpening", { params, body: {} })).toBe(answers["votes.startOpening"]);
  await call("votes.sealedBallots", { params });
  await call("votes.publish", { params, body: { ballots } });
  await call("votes.finishOpening", { params, body: { published: 1, spoilt: 2 } });
  expect(told.map(({ step, done, count }) => `${step} ${done}/${count}`)).toEqual(["fetch 0/3", "fetch 2/3", "publish 1/3", "finish 3/3"]);
  expect(calls).toHaveLength(4);
});

test("a refusal goes through untouched", async () => {
  const refusal = new Error("no");
  const call = watchedCall((() => Promise.reject(refusal)) as VoteCall, () => undefined);
  await expect(call("votes.startOpening", {})).rejects.toBe(refusal);
});
