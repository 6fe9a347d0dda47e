/**
 * What the platform's catalogue advises at each code: who can change what refused, and what to do next.
 *
 * Invariant: loaded only where a refusal is shown. The build gives this module the advice and takes it out of the catalogue (`slim-contract.ts`).
 */
import { errorCatalogue, type ErrorCode } from "@althing/contract";

export const errorFixes: Readonly<Partial<Record<ErrorCode, string>>> = Object.fromEntries(
  Object.entries(errorCatalogue).map(([code, { fix }]) => [code, fix]),
);
