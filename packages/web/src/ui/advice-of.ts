/** The advice under a refusal as it is shown: loaded with all its words when the first refusal is. */
import type { AppError } from "@althing/contract";
import { defineTexts, type Texts } from "../app/i18n.ts";
import { adviceAt, fillIn } from "./advice.ts";
import { adviceWords } from "./advice-words.ts";
import { errorFixes } from "./error-fixes.ts";

// Any key: which ones there are is asked of the words themselves.
const anyWords: Texts = adviceWords;
const adviceText = defineTexts("advice", anyWords).now;

export function adviceOf({ code, row, params }: AppError): string {
  const advice = adviceAt(code, row.kind, errorFixes[code]);
  if (advice.from === "catalogue") return fillIn(advice.text, params);
  const values = Object.entries(params).map(([name, value]) => [name, typeof value === "boolean" ? String(value) : value] as const);
  return adviceText(advice.key, Object.fromEntries(values));
}
