/** The victim in this process: keys from the phrase, state in memory that outlives a restart. */
import { identityFromPhrase, openMemoryState, type ClientState } from "@althing/client";
import { createVictim, type Victim } from "./victim.ts";

export function createNodeVictim(): Victim {
  const states = new Map<string, ClientState>();
  return createVictim({
    openIdentity: identityFromPhrase,
    async openState(name) {
      const state = states.get(name) ?? openMemoryState();
      states.set(name, state);
      return state;
    },
  });
}
