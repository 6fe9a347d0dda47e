/** How pages are laid out: heading with actions, cards, sections, facts. */
import { useEffect, useRef, type ReactNode } from "react";
import { isolated } from "../app/isolate.ts";
import { classNames } from "./class-names.ts";

/**
 * The heading of a page. It takes the focus when the page is opened, so that a screen reader begins there, and names the browser's tab.
 */
export function PageHeader({
  title,
  lead,
  actions,
  above,
  isGiven = false,
}: {
  readonly title: string;
  readonly lead?: ReactNode;
  readonly actions?: ReactNode;
  /** A way up, or where one is. */ readonly above?: ReactNode;
  /** People wrote the title: its writing direction is its own. */ readonly isGiven?: boolean;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} – Althing`;
  }, [title]);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <header className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
      {/* A long lead is broken before the actions go below it. */}
      <div className={classNames("min-w-0 max-w-prose", lead !== undefined && "flex-[1_1_18rem]")}>
        {above !== undefined && <p className="mb-1 text-sm text-soft">{above}</p>}
        <h1 ref={heading} tabIndex={-1} className="text-2xl font-bold sm:text-3xl">
          {isGiven ? <bdi>{title}</bdi> : title}
        </h1>
        {lead !== undefined && <p className="mt-2 text-soft">{lead}</p>}
      </div>
      {actions !== undefined && <div className="flex flex-wrap gap-2">{actions}</div>}
    </header>
  );
}

export function Page({ children, wide = false }: { readonly children: ReactNode; readonly wide?: boolean }) {
  return (
    <div className={classNames("mx-auto grid w-full grid-cols-[minmax(0,1fr)] gap-6", wide ? "max-w-6xl" : "max-w-4xl")}>{children}</div>
  );
}

export function Card({
  children,
  className,
  tone,
}: {
  readonly children: ReactNode;
  readonly className?: string;
  readonly tone?: "good" | "note" | "bad";
}) {
  const tones = { good: "bg-good-tint", note: "bg-note-tint", bad: "bg-bad-tint" };
  return (
    <div className={classNames("rounded-card border border-line p-4 sm:p-6", tone === undefined ? "bg-card" : tones[tone], className)}>
      {children}
    </div>
  );
}

/** A card with a heading of its own. */
export function Section({
  title,
  lead,
  actions,
  children,
  id,
  isGiven = false,
}: {
  readonly title: string;
  readonly lead?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  readonly id?: string;
  /** People wrote the title: its writing direction is its own. */ readonly isGiven?: boolean;
}) {
  return (
    <section id={id} aria-label={isGiven ? isolated(title) : title} className="rounded-card border border-line bg-card p-4 sm:p-6">
      <div className="mb-4 flex flex-wrap items-start justify-between gap-3">
        <div className={classNames("min-w-0 max-w-prose", lead !== undefined && "flex-[1_1_16rem]")}>
          <h2 className="text-xl font-bold">{isGiven ? <bdi>{title}</bdi> : title}</h2>
          {lead !== undefined && <p className="mt-1 text-soft">{lead}</p>}
        </div>
        {actions !== undefined && <div className="flex flex-wrap gap-2">{actions}</div>}
      </div>
      {children}
    </section>
  );
}

/** Names and values, in two columns where there is room. */
export function Facts({ facts }: { readonly facts: readonly (readonly [name: string, value: ReactNode] | undefined)[] }) {
  return (
    <dl className="grid gap-x-6 gap-y-2 sm:grid-cols-[max-content_1fr]">
      {facts.map((fact) =>
        fact === undefined ? null : (
          <div key={fact[0]} className="contents">
            <dt className="text-soft max-sm:-mb-1.5 max-sm:text-sm">{fact[0]}</dt>
            <dd className="min-w-0">{fact[1]}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

/** Buttons at the end of a form. */
export function Actions({ children }: { readonly children: ReactNode }) {
  return <div className="flex flex-wrap items-center gap-3">{children}</div>;
}
