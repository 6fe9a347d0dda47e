/** Gives the focus back to the button that was pressed, when the browser lost it because its entry moved in the document. */
import { useLayoutEffect, useRef, type RefObject } from "react";

/**
 * @param listRef the list whose buttons have `data-move`
 * @returns to be called with the button's `data-move`, or `undefined` for the whole list, right before its entry moves
 */
export function useKeptFocus(listRef: RefObject<HTMLElement | null>): (button: string) => void {
  const wanted = useRef<string>(undefined);
  useLayoutEffect(() => {
    if (wanted.current === undefined) return;
    const name = wanted.current;
    wanted.current = undefined;
    const found = [...(listRef.current?.querySelectorAll("button[data-move]") ?? [])].find(
      (button) => button.getAttribute("data-move") === name,
    );
    if (found instanceof HTMLElement) found.focus();
  });
  return (button) => {
    wanted.current = button;
  };
}
