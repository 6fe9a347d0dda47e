/** Lists with search and paging, tables that fold on phones, and tabs between pages. */
import { Link, type LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Button } from "./button.tsx";
import { TextField } from "./field.tsx";
import { Refusal } from "./refusal.tsx";
import { Skeleton, type SkeletonProps } from "./status.tsx";
import { useUiTexts } from "./texts.ts";

export function SearchField({
  label,
  value,
  onChange,
}: {
  readonly label?: string;
  readonly value: string;
  readonly onChange: (text: string) => void;
}) {
  const t = useUiTexts();
  return (
    <TextField
      label={label ?? t("search")}
      hideLabel
      type="search"
      placeholder={label ?? t("search")}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

/** Whatever a list can be: loading, refused, empty, full, with more to come. */
export function ListState({
  list,
  waiting,
  empty,
  children,
}: {
  readonly list: {
    readonly isPending: boolean;
    readonly error: unknown;
    readonly hasMore?: boolean;
    readonly isLoadingMore?: boolean;
    loadMore?(): void;
    retry?(): void;
    readonly rows: readonly unknown[];
  };
  /** What holds the place of the rows while they load. */
  readonly waiting?: SkeletonProps;
  readonly empty: ReactNode;
  readonly children: ReactNode;
}) {
  const t = useUiTexts();
  if (list.error !== null && list.error !== undefined && list.rows.length === 0)
    return <Refusal error={list.error} {...(list.retry === undefined ? {} : { onRetry: () => list.retry?.() })} />;
  if (list.isPending) return <Skeleton {...waiting} />;
  if (list.rows.length === 0 && list.hasMore !== true) return <>{empty}</>;
  return (
    <div className="grid gap-4">
      {children}
      {list.error !== null && list.error !== undefined && <Refusal error={list.error} />}
      {list.hasMore === true && (
        <div className="justify-self-center">
          <Button tone="quiet" busy={list.isLoadingMore === true} onClick={() => list.loadMore?.()}>
            {t("loadMore")}
          </Button>
        </div>
      )}
    </div>
  );
}

export interface Column<Row> {
  readonly name: string;
  readonly cell: (row: Row) => ReactNode;
  /** Read out as the row's name; one column at most. */
  readonly isHeading?: boolean;
}

/** A column of words is not broken in the middle of them because another holds a hash. */
const cellWidth = "min-w-0 sm:min-w-20 lg:min-w-24";
/** Its name beside it; what is empty is left out. */
const cellOnPhone =
  "px-2 py-2 align-top max-sm:grid max-sm:grid-cols-[6.5rem_minmax(0,1fr)] max-sm:items-baseline max-sm:gap-2 max-sm:p-0 max-sm:has-[>div:empty]:hidden";

/** A table that becomes a list of cards where there is no room for columns. */
export function Table<Row>({
  label,
  columns,
  rows,
  keyOf,
}: {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
}) {
  return (
    <table aria-label={label} className="w-full border-collapse max-sm:block">
      <thead className="max-sm:sr-only">
        <tr>
          {columns.map(({ name }) => (
            <th key={name} scope="col" className="border-b border-line px-2 py-2 text-start text-sm font-semibold text-soft">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody className="max-sm:grid max-sm:grid-cols-[minmax(0,1fr)] max-sm:gap-3">
        {rows.map((row) => (
          <tr
            key={keyOf(row)}
            className="border-b border-line max-sm:grid max-sm:grid-cols-[minmax(0,1fr)] max-sm:gap-1 max-sm:rounded-lg max-sm:border max-sm:p-3"
          >
            {columns.map(({ name, cell, isHeading }) =>
              isHeading === true ? (
                <th key={name} scope="row" className="px-2 py-2 text-start align-top font-normal max-sm:p-0">
                  <div className={cellWidth}>{cell(row)}</div>
                </th>
              ) : (
                <td key={name} className={cellOnPhone}>
                  <span aria-hidden="true" className="text-sm text-soft sm:hidden">
                    {name}
                  </span>
                  <div className={cellWidth}>{cell(row)}</div>
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Tabs that are pages of their own: each has an address, the browser's back works. */
export function PageTabs({ label, tabs }: { readonly label: string; readonly tabs: readonly (LinkProps & { readonly name: string })[] }) {
  return (
    <nav aria-label={label} className="-mb-px flex flex-wrap gap-x-1 border-b border-line">
      {tabs.map(({ name, ...link }) => (
        <Link
          key={name}
          {...link}
          activeOptions={{ exact: true }}
          className="min-h-11 border-b-3 border-transparent px-3 py-2 font-semibold text-soft no-underline hover:text-ink"
          activeProps={{ className: "!border-accent !text-ink", "aria-current": "page" }}
        >
          {name}
        </Link>
      ))}
    </nav>
  );
}
