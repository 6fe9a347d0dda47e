/** Runs in a page: puts an identity where the application looks for it, as restoring from its phrase does. */
import { saveBrowserIdentity } from "@althing/client";

Reflect.set(globalThis, "keepIdentity", async (phrase: string): Promise<void> => void (await saveBrowserIdentity(phrase)));
