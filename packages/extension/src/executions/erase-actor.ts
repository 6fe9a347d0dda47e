/**
 * Takes a person's handle out of the rows of a community's executions.
 *
 * Invariant: rows of calls that ended stay, with everything but who called; their size is counted without the name, so retention's sums hold. May be repeated.
 */
import type { CommunityId, Handle } from "@althing/contract";
import { hasCode } from "@althing/contract";
import type { Key } from "@althing/store";
import type { ExecutionRows } from "./execution-rows.ts";

const pageMax = 500;

/** @throws {store.unavailable} call again */
export async function eraseActor({ rows }: Pick<ExecutionRows, "rows">, community: CommunityId, handle: Handle): Promise<void> {
  let after: Key | undefined;
  do {
    const page = await rows.list({ prefix: [community], limit: pageMax, ...(after === undefined ? {} : { after }) });
    for (const { key, value, revision } of page.records) {
      // A call that runs is closed on the row as it was opened.
      if (value.actor !== handle || value.status === "started") continue;
      const { actor: _name, ...nameless } = value;
      await rows.put(key, nameless, revision).catch((error: unknown) => {
        // It ended or was removed meanwhile; who calls again finds what is left.
        if (!hasCode(error, "store.conflict")) throw error;
      });
    }
    after = page.next;
  } while (after !== undefined);
}
