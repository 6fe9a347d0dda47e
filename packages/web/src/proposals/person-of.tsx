/**
 * People who are named by their endpoint id, shown by their handle.
 *
 * Invariant: a handle is asked for once, however often the person stands on the page; who was erased or cannot be found is not guessed.
 */
import { endpointIdSchema } from "@althing/contract";
import { useRead } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { Person } from "../ui/index.ts";
import { useProposalTexts } from "./texts.ts";

/** `undefined` while it is looked up, and for nobody. */
export function useHandle(endpoint: string | null | undefined): string | undefined {
  const { success: isEndpoint, data: identity } = endpointIdSchema.safeParse(endpoint);
  const read = useRead("identities.get", identity === undefined ? {} : { params: { identity } }, { enabled: isEndpoint });
  return read.data?.handle;
}

export function PersonOf({ endpoint }: { readonly endpoint: string | null }) {
  const t = useProposalTexts();
  const { identity } = useSession();
  const handle = useHandle(endpoint);
  return (
    <Person
      handle={handle}
      you={endpoint === identity.endpoint}
      gone={endpoint !== null && endpointIdSchema.safeParse(endpoint).success ? endpoint.slice(0, 8) : t("erased")}
    />
  );
}
