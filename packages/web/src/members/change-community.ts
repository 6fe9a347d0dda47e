/**
 * Changing the community on the revision that was shown.
 *
 * Invariant: the community's revision also counts members who come and go, so one that moved is no conflict by itself: only if what is being changed was
 * changed by somebody else, the reader is asked; otherwise it is saved on the newer revision.
 */
import { hasCode, type Community, type RouteInput } from "@althing/contract";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";

export type Change = NonNullable<RouteInput<"communities.change">["body"]>;
type Field = "displayName" | "description" | "registration";

/** Did anything of these differ between what was shown and what is there now? */
export function isOverwritten(shown: Pick<Community, Field>, now: Pick<Community, Field>, fields: readonly Field[]): boolean {
  return fields.some((field) => shown[field] !== now[field]);
}

const triesMax = 3;

/** @param fields what the form changes */
export function useChangeCommunity(fields: readonly Field[], onDone: () => void) {
  const { community, ref } = useCommunity();
  const [shown, setShown] = useState(community);
  const change = useAct(
    async (client, { body, base }: { readonly body: Change; readonly base: Community }) => {
      const params = { community: ref };
      let at = base;
      for (let tries = 1; ; tries += 1) {
        try {
          return await client.call("communities.change", { params, body }, { ifMatch: String(at.revision) });
        } catch (error) {
          if (!hasCode(error, "request.precondition_failed") || tries === triesMax) throw error;
          const now = await client.call("communities.get", { params });
          if (isOverwritten(base, now, fields)) throw error;
          at = now;
        }
      }
    },
    {
      changes: ["communities."],
      onDone: (saved) => {
        setShown(saved);
        onDone();
      },
    },
  );
  const isStale = hasCode(change.error, "request.precondition_failed");
  return {
    shown,
    isStale,
    isPending: change.isPending,
    error: isStale ? null : change.error,
    /** After a conflict: on what is there now. */
    save: (body: Change) => change.mutate({ body, base: isStale ? community : shown }),
  };
}
