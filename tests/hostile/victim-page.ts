/** The victim in a page: keys that cannot be exported, state in IndexedDB. Entry of the bundle that runs in Chromium. */
import { openIndexedDbState, saveBrowserIdentity } from "@althing/client";
import { createVictim } from "./victim.ts";

Reflect.set(globalThis, "victim", createVictim({ openIdentity: (phrase) => saveBrowserIdentity(phrase), openState: openIndexedDbState }));
