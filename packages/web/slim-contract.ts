/**
 * Vite plugin: the contract without what no page asks about, since every byte of it comes before the first screen.
 *
 * Invariant: only what is loaded when changes, and what is for documents. A code keeps its status, its sentence and whether it passes by itself; its advice is in
 * `ui/error-fixes.ts`, loaded with the first refusal (in the shipped page `AppError.fix` is empty). A route keeps everything but its summary and the list of its
 * errors, which the OpenAPI document is made of. Tests know no plugin and see the whole contract.
 */
import type { Plugin } from "vite";
import { errorCatalogue } from "@althing/contract";

const rows = Object.entries(errorCatalogue);

/** Rows without their names: the sentences are most of what is left. */
function catalogueCode(): string {
  const short = rows.map(([code, { status, kind, retry, text }]) => [code, status, kind === "system", retry, text]);
  return `export const errorCatalogue = /* @__PURE__ */ Object.fromEntries(${JSON.stringify(short)}.map(
    ([code, status, isSystem, retry, text]) => [code, { status, kind: isSystem ? "system" : "user", retry, text, fix: "" }]));`;
}

function fixesCode(): string {
  return `export const errorFixes = ${JSON.stringify(Object.fromEntries(rows.map(([code, { fix }]) => [code, fix])))};`;
}

const summary = /\bsummary:\s*"(?:[^"\\]|\\.)*"/g;
const errors = /\berrors: \[[^[\]]*\]/g;

export function slimContract(): Plugin {
  return {
    name: "althing-slim-contract",
    enforce: "pre",
    load(id) {
      if (id.endsWith("/packages/contract/src/errors.ts")) return catalogueCode();
      return id.endsWith("/packages/web/src/ui/error-fixes.ts") ? fixesCode() : undefined;
    },
    transform(code, id) {
      if (!/\/packages\/contract\/src\/routes(?:-[a-z]+)?\.ts$/.test(id)) return undefined;
      return { code: code.replaceAll(summary, 'summary: ""').replaceAll(errors, "errors: []"), map: null };
    },
  };
}
