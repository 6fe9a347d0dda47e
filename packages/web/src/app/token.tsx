/**
 * The one-time token somebody came with: a claim, an invitation to the instance, or an invitation to a community.
 *
 * Invariant: it is read once, from the fragment, and taken out of the address at once; after that it lives in memory until it was spent.
 */
import { tokenSchema } from "@althing/contract";
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";

export interface Token {
  /** `claim`: become the first admin · `join`: become a user · `invitation`: become a member of a community. */
  readonly kind: "claim" | "join" | "invitation";
  readonly token: string;
}

const names = [
  ["claim", "claim"],
  ["token", "claim"],
  ["join", "join"],
  ["invitation", "invitation"],
] as const;

/** `#claim=…`, `/claim#token=…`, `#join=…`, `#invitation=…`. */
export function takeToken(): Token | undefined {
  const fragment = new URLSearchParams(location.hash.slice(1));
  for (const [name, kind] of names) {
    const token = tokenSchema.safeParse(fragment.get(name));
    if (!token.success) continue;
    history.replaceState(history.state, "", location.pathname + location.search);
    return { kind, token: token.data };
  }
  return undefined;
}

interface Held {
  readonly token: Token | undefined;
  /** It was spent, or turned out to be worthless. */
  drop(): void;
}

const TokenContext = createContext<Held>({ token: undefined, drop: () => undefined });

export function useToken(): Held {
  return useContext(TokenContext);
}

export function TokenProvider({ token, children }: { readonly token: Token | undefined; readonly children: ReactNode }) {
  const [held, setHeld] = useState(token);
  // A link that is opened where the application is open already changes the fragment and loads nothing.
  useEffect(() => {
    const take = () => {
      const found = takeToken();
      if (found !== undefined) setHeld(found);
    };
    addEventListener("hashchange", take);
    return () => removeEventListener("hashchange", take);
  }, []);
  const value = useMemo(() => ({ token: held, drop: () => setHeld(undefined) }), [held]);
  return <TokenContext.Provider value={value}>{children}</TokenContext.Provider>;
}
