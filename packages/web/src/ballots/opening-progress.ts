/**
 * How far the opening of secret ballots is, told from the calls that it makes.
 *
 * Invariant: looks at what goes through and changes nothing of it.
 */
import type { VoteCall } from "@althing/client";

export interface OpeningProgress {
  readonly step: "start" | "fetch" | "publish" | "finish";
  readonly done: number;
  readonly count: number;
}

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
const lengthOf = (value: unknown): number => (Array.isArray(value) ? value.length : 0);

/** @param call the client's @returns the same, telling `onProgress` */
export function watchedCall(call: VoteCall, onProgress: (progress: OpeningProgress) => void): VoteCall {
  let [count, fetched, published] = [0, 0, 0];
  return async (name, input, options) => {
    if (name === "votes.finishOpening") onProgress({ step: "finish", done: count, count });
    const answer = await call(name, input, options);
    if (name === "votes.startOpening") {
      const sealed = field(answer, "sealed");
      count = typeof sealed === "number" ? sealed : 0;
      onProgress({ step: "fetch", done: 0, count });
    } else if (name === "votes.sealedBallots") {
      fetched += lengthOf(field(answer, "ballots"));
      onProgress({ step: "fetch", done: fetched, count });
    } else if (name === "votes.publish") {
      published += lengthOf(field(field(input, "body"), "ballots"));
      onProgress({ step: "publish", done: published, count });
    }
    return answer;
  };
}
