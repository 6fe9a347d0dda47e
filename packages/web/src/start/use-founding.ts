/** Who may found communities here, for the person who is in. */
import { useRead } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";

/** `asks`: an admin decides. `cannot`: only admins found here. `unknown` while it is asked for; where it stays unsaid, the answer to founding itself tells. */
export type Founding = "unknown" | "founds" | "asks" | "cannot";

const byMode = { open: "founds", approval: "asks", admin_only: "cannot" } as const;

export function useFounding(): Founding {
  const { user } = useSession();
  // The form that is shown when nothing is said asks as well: it must not make the answer unknown again, and take itself away.
  const { data, isPending } = useRead("health.get", {}, { retryOnMount: false });
  if (user.role === "admin") return "founds";
  if (isPending) return "unknown";
  return data?.founding === undefined ? "founds" : byMode[data.founding];
}

export function useMayFound(): boolean {
  const founding = useFounding();
  return founding === "founds" || founding === "asks";
}
