/**
 * The advice for a refusal, whose words come in a chunk of their own.
 *
 * Invariant: the words are fetched a few seconds after the page began, so that they are there when the server is not; where they could not be fetched, what was
 * refused is shown all the same, with a plain sentence in their place.
 */
import { isAppError, type AppError } from "@althing/contract";
import { useEffect, useState } from "react";
import { useUiTexts } from "./texts.ts";

type AdviceOf = (error: AppError) => string;

let loaded: AdviceOf | undefined;

/** Fetches the words; again where that failed before. */
export async function loadAdvice(): Promise<AdviceOf> {
  loaded ??= (await import("./advice-of.ts")).adviceOf;
  return loaded;
}

/** What to do next; `undefined` while its words are fetched, and for what is no refusal of the platform. */
export function useAdvice(error: unknown): string | undefined {
  const t = useUiTexts();
  const [state, setState] = useState<"waiting" | "there" | "missing">("waiting");
  const isRefusal = isAppError(error);
  useEffect(() => {
    if (!isRefusal || loaded !== undefined) return undefined;
    let isOver = false;
    const settle = (next: "there" | "missing") => () => (isOver ? undefined : setState(next));
    loadAdvice().then(settle("there"), settle("missing"));
    return () => {
      isOver = true;
    };
  }, [isRefusal]);
  if (!isRefusal) return undefined;
  if (loaded !== undefined) return loaded(error);
  return state === "missing" ? t("refusal.nextMissing") : undefined;
}

/** A refusal in one line, for the place at a field: what is wrong, and what to do. */
export function useRefusalLine(error: unknown): string | undefined {
  const advice = useAdvice(error);
  return isAppError(error) ? [error.message, advice].filter((part) => part !== undefined && part !== "").join(" ") : undefined;
}

export function Advice({ error }: { readonly error: unknown }) {
  return useAdvice(error);
}
