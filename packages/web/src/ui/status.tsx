/** States of things and of pages: badges, empty lists that teach, what still loads, how much is used. */
import type { ReactNode } from "react";
import { classNames } from "./class-names.ts";
import { useUiTexts } from "./texts.ts";

export type Tone = "good" | "note" | "bad" | "plain" | "accent";

const tones: Readonly<Record<Tone, string>> = {
  good: "bg-good-tint text-good",
  note: "bg-note-tint text-note",
  bad: "bg-bad-tint text-bad",
  accent: "bg-accent-tint text-accent",
  plain: "bg-raised text-soft",
};

export function Badge({ tone = "plain", children }: { readonly tone?: Tone; readonly children: ReactNode }) {
  return (
    <span
      className={classNames(
        "inline-flex items-center gap-1 rounded-full px-2.5 py-0.5 text-sm font-semibold max-sm:max-w-full sm:whitespace-nowrap",
        tones[tone],
      )}
    >
      {children}
    </span>
  );
}

/** A list without rows: what would be here, and how it comes here. */
export function EmptyState({
  title,
  children,
  actions,
}: {
  readonly title: string;
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
}) {
  return (
    <div className="grid justify-items-center gap-3 rounded-card border border-dashed border-edge px-6 py-10 text-center">
      <p className="text-lg font-semibold">{title}</p>
      {children !== undefined && <div className="max-w-prose text-soft">{children}</div>}
      {actions !== undefined && <div className="flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  );
}

export interface SkeletonProps {
  readonly rows?: number;
  /** Classes: about as high as a row that will come, on a phone and beside it. */
  readonly height?: string;
}

/** Holds the place of what loads, in rows of the height that will come. */
export function Skeleton({ rows = 3, height = "h-14" }: SkeletonProps) {
  const t = useUiTexts();
  return (
    <div role="status" className="grid gap-3">
      <span className="sr-only">{t("loading")}</span>
      {Array.from({ length: rows }, (_, at) => (
        <div key={at} aria-hidden="true" className={classNames("animate-pulse rounded-lg bg-line", height)} />
      ))}
    </div>
  );
}

/** How much of a limit is used. @param share 0 to 1 */
export function Meter({ label, share, text }: { readonly label: string; readonly share: number; readonly text: string }) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
  const tone = percent >= 100 ? "fill-bad" : percent >= 80 ? "fill-note" : "fill-accent";
  return (
    <div className="grid gap-1">
      <div className="flex flex-wrap justify-between gap-2 text-sm">
        <span>{label}</span>
        <span className="text-soft">{text}</span>
      </div>
      <svg
        role="meter"
        aria-label={label}
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuetext={text}
        className="h-2 w-full rounded-full"
        viewBox="0 0 100 2"
        preserveAspectRatio="none"
      >
        <rect width={100} height={2} className="fill-raised" />
        <rect width={percent} height={2} className={tone} />
      </svg>
    </div>
  );
}

/** Progress of work that has steps. @param value 0 to 1; absent: nobody knows */
export function Progress({ label, value }: { readonly label: string; readonly value?: number }) {
  return (
    <div className="grid gap-1">
      <span className="text-sm">{label}</span>
      <progress aria-label={label} className="h-2 w-full accent-accent" {...(value === undefined ? {} : { value, max: 1 })} />
    </div>
  );
}
