/**
 * What stands at every address while nobody is in: the way in, or why there is none and who can change that.
 *
 * Invariant: each state of the session has a screen of its own, and none is a dead end. A token is spent by a newcomer only: whoever turns out to be a
 * user already keeps it unspent.
 */
import { useState } from "react";
import { useSessionState } from "../app/session.tsx";
import { useToken, type Token } from "../app/token.tsx";
import { KeptOut, Revoked, Unknown, Unreachable } from "./kept-identity.tsx";
import { Newcomer } from "./newcomer.tsx";
import { Stranger } from "./stranger.tsx";

export function EntryPage() {
  const state = useSessionState();
  const { token } = useToken();
  const [pasted, setPasted] = useState<Token>();
  const held = pasted ?? token;
  if (state.status === "revoked") return <Revoked endpoint={state.session.identity.endpoint} />;
  if (state.status === "unreachable") return <Unreachable error={state.error} />;
  if (held?.kind === "claim" || held?.kind === "join")
    return <Newcomer kind={held.kind} token={held.token} onWorthless={() => setPasted(undefined)} />;
  if (state.status === "out") return <KeptOut endpoint={state.identity.endpoint} />;
  if (state.status === "unknown") return <Unknown endpoint={state.session.identity.endpoint} onToken={setPasted} />;
  return <Stranger isInvited={held?.kind === "invitation"} onToken={setPasted} />;
}
