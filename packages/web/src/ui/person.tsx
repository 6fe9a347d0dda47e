/** People, times and texts to copy, as they are shown everywhere. */
import { useEffect, useState } from "react";
import { dayOf, fullTime, relativeTime, shortTime } from "../app/times.ts";
import { useUiTexts } from "./texts.ts";
import { Button } from "./button.tsx";

/** A person by handle; whoever was erased or is unknown by the words that are given. `<bdi>` keeps tricks with writing direction inside. */
export function Person({
  handle,
  you = false,
  gone,
}: {
  readonly handle: string | undefined;
  readonly you?: boolean;
  /** Shown when there is no handle. */ readonly gone?: string;
}) {
  const t = useUiTexts();
  const name = handle ?? gone ?? "?";
  return (
    <span className="inline-flex max-w-full flex-wrap items-center gap-x-1.5 align-bottom">
      {/* Where it is narrow the word behind the name goes below it, and the name stays whole. */}
      <span className="inline-flex max-w-full items-center gap-1.5">
        <span
          aria-hidden="true"
          className="grid size-6 shrink-0 place-items-center rounded-full bg-accent-tint text-xs font-bold text-accent uppercase"
        >
          {[...name][0] ?? "?"}
        </span>
        <bdi className="truncate font-semibold">{name}</bdi>
      </span>
      {you && <span className="text-soft">({t("you")})</span>}
    </span>
  );
}

/** A time, in the reader's zone; the whole of it on hover and for machines. */
export function Time({
  at,
  form = "relative",
}: {
  /** ISO 8601 or milliseconds since 1970. */ readonly at: string | number;
  readonly form?: "relative" | "day" | "short" | "full";
}) {
  const [, redraw] = useState(0);
  useEffect(() => {
    if (form !== "relative") return undefined;
    const timer = setInterval(() => redraw((count) => count + 1), 30_000);
    return () => clearInterval(timer);
  }, [form]);
  const shown = form === "relative" ? relativeTime(at) : form === "day" ? dayOf(at) : form === "short" ? shortTime(at) : fullTime(at);
  const date = new Date(at);
  return (
    <time dir="auto" dateTime={Number.isNaN(date.getTime()) ? undefined : date.toISOString()} title={fullTime(at)}>
      {shown}
    </time>
  );
}

/** Copies a text and says so. */
export function CopyButton({ text, label }: { readonly text: string; readonly label?: string }) {
  const t = useUiTexts();
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setState("copied"),
      () => setState("failed"),
    );
  return (
    <span className="inline-flex flex-wrap items-center gap-2">
      <Button tone="quiet" onClick={() => void copy()}>
        {label ?? t("copy")}
      </Button>
      <span role="status" className="text-sm text-soft">
        {state === "copied" ? t("copied") : state === "failed" ? t("copyFailed") : ""}
      </span>
    </span>
  );
}
