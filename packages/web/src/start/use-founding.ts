/** Who may found communities here, for the person who is in. */
import { useRead } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";

/** `asks`: an admin decides. `cannot`: only admins found here. `unknown` until the server said it. */
export type Founding = "unknown" | "founds" | "asks" | "cannot";

export function useFounding(): Founding {
  const { user } = useSession();
  const mode = useRead("health.get").data?.founding;
  if (user.role === "admin") return "founds";
  if (mode === undefined) return "unknown";
  return ({ open: "founds", approval: "asks", admin_only: "cannot" } as const)[mode];
}
