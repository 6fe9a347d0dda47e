/**
 * Makes zod interpret schemas in place of compiling them.
 *
 * Invariant: pages run under a Content-Security-Policy without `unsafe-eval`; zod's probe for `new Function` would be reported as a violation
 * there even though it is caught. Called once by the browser side of the client before the first schema is used.
 */
import { z } from "zod";

export function interpretSchemas(): void {
  z.config({ jitless: true });
}
