/**
 * Makes zod interpret schemas in place of compiling them, wherever a page may forbid compiling.
 *
 * Invariant: pages run under a Content-Security-Policy without `unsafe-eval`; zod's probe for `new Function` would be reported as a violation there even
 * though it is caught, and it probes when a schema is *made*. So the choice falls on import, before the first schema: `index.ts` names this module first.
 */
import { z } from "zod";

export function interpretSchemas(): void {
  z.config({ jitless: true });
}

if (!("process" in globalThis)) interpretSchemas();
