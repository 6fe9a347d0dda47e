/**
 * A node of a cluster that is behind for a moment, and how long that is an excuse.
 *
 * Invariant: an answer older than what this client has seen is asked for again for a while where there are several nodes, and then it is taken as it is: a
 * server that rolls a room back gains two and a half seconds, no more. Where there is one address there is nothing to be behind of.
 */
import type { Api } from "./api.ts";
import { pause } from "./pause.ts";

/** A node that is behind for longer serves nothing (docs/architecture/client.md, "Several nodes"). */
const behindMaxMs = 2_500;
const firstWaitMs = 50;
const longestWaitMs = 400;

/** @returns the first answer that is not behind, or the last one there was time for */
export async function askUntilCurrent<T>(api: Api, ask: () => Promise<T>, isBehind: (answer: T) => boolean): Promise<T> {
  const beganMs = performance.now();
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    const answer = await ask();
    if (api.isSeveral !== true || !isBehind(answer) || performance.now() - beganMs > behindMaxMs) return answer;
    await pause(waitMs);
  }
}
