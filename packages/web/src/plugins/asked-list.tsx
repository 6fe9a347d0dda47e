/**
 * Everything a package asks for, in plain words, with its author's reasons beside ours.
 *
 * Invariant: everything that can be granted is listed by its exact name, nothing is summed up away; words of the author are marked as theirs, so that no
 * package can write a line that looks like ours. What is new is marked by a word.
 */
import type { EffectivePolicy } from "@althing/contract";
import { useId, type ReactNode } from "react";
import { Badge } from "../ui/index.ts";
import { useConsentTexts } from "./consent-texts.ts";
import { grantKinds, itemKey, type GrantItem, type GrantKind } from "./grant-choice.ts";
import { grantWords, reasonOf, withheldBy } from "./grant-words.ts";
import type { ManifestView } from "./manifest-view.ts";

export interface AskedListProps {
  readonly items: readonly GrantItem[];
  readonly view: ManifestView;
  readonly effective: EffectivePolicy | undefined;
  /** A word beside an item: new, refused before, not granted. */
  readonly mark?: (item: GrantItem) => ReactNode;
  /** Given: each can be left out. */
  readonly choice?: { readonly refused: ReadonlySet<string>; readonly toggle: (item: GrantItem) => void };
}

export function AskedList(props: AskedListProps) {
  const t = useConsentTexts();
  if (props.items.length === 0) return <p>{t("nothing")}</p>;
  return (
    <div className="grid gap-5">
      {grantKinds.map((kind) => (
        <AskedKind key={kind} kind={kind} {...props} />
      ))}
    </div>
  );
}

function AskedKind({ kind, items, ...rest }: AskedListProps & { readonly kind: GrantKind }) {
  const t = useConsentTexts();
  const id = useId();
  const own = items.filter((one) => one.kind === kind);
  if (own.length === 0) return null;
  return (
    <div role="group" aria-labelledby={id} className="grid gap-2">
      <h3 id={id} className="font-semibold">
        {t(`kinds.${kind}`)}
      </h3>
      <ul className="grid gap-2">
        {own.map((one) => (
          <AskedItem key={itemKey(one)} item={one} {...rest} />
        ))}
      </ul>
    </div>
  );
}

function AskedItem({ item, view, effective, mark, choice }: Omit<AskedListProps, "items"> & { readonly item: GrantItem }) {
  const t = useConsentTexts();
  const id = useId();
  const words = grantWords(item, view);
  const reason = reasonOf(item, view);
  const withheld = effective === undefined ? undefined : withheldBy(item, effective);
  const marked = mark?.(item);
  return (
    <li className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 rounded-lg border border-line p-3">
      {choice === undefined ? (
        <span aria-hidden="true" className="mt-2.5 size-2 rounded-full bg-accent" />
      ) : (
        <input
          id={id}
          type="checkbox"
          checked={!choice.refused.has(itemKey(item))}
          onChange={() => choice.toggle(item)}
          className="mt-1 size-5 accent-accent"
        />
      )}
      <div className="grid min-w-0 gap-1">
        <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
          {choice === undefined ? (
            <span className="font-semibold">{words}</span>
          ) : (
            <label htmlFor={id} className="font-semibold">
              {words}
            </label>
          )}
          {marked}
        </div>
        <p className="font-mono text-sm text-soft">
          <bdi>{item.item}</bdi>
        </p>
        {reason !== undefined && (
          <p className="text-sm">
            <span className="text-soft">{reason === "" ? t("noReason") : t("authorSays")}</span>{" "}
            {reason !== "" && (
              <q>
                <bdi>{reason}</bdi>
              </q>
            )}
          </p>
        )}
        {withheld !== undefined && (
          <p className="text-sm text-note">
            <Badge tone="note">{t("withheld")}</Badge> {t("withheldHint", { why: effective?.reasons[withheld]?.text ?? "" })}
          </p>
        )}
      </div>
    </li>
  );
}
