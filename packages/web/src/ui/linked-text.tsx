/**
 * What people wrote, with the addresses in it to be opened.
 *
 * Invariant: text stays text: nothing but addresses by `http` and `https` becomes an element, and those open apart, know nothing of this page and are told nothing of
 * it. An address is shown as it was written, in a writing direction of its own.
 */
import { useMemo } from "react";
import { splitLinks } from "./links.ts";
import { useUiTexts } from "./texts.ts";

/** @param tabIndex of the links, where only some of many texts are to be reached by Tab */
export function LinkedText({ text, tabIndex }: { readonly text: string; readonly tabIndex?: number | undefined }) {
  const t = useUiTexts();
  const parts = useMemo(() => splitLinks(text), [text]);
  return parts.map((part, at) =>
    part.href === undefined ? (
      part.text
    ) : (
      <span key={at}>
        <a
          dir="ltr"
          href={part.href}
          target="_blank"
          rel="noopener noreferrer nofollow"
          tabIndex={tabIndex}
          className="wrap-anywhere text-accent underline"
        >
          {part.text}
        </a>
        {part.host !== undefined && <bdi className="text-sm text-note">{` ${t("linkLeadsTo", { host: part.host })}`}</bdi>}
      </span>
    ),
  );
}
