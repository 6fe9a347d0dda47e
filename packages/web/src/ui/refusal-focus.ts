/**
 * Where the focus goes when the button that has it was pressed in vain: to the first field that is wrong, else to the refusal.
 *
 * Invariant: it is taken only from the very button whose act has just ended, so that a list that could not be read again behind somebody's back moves nobody;
 * who typed goes on typing.
 */
import { useLayoutEffect, useRef, type RefObject } from "react";

/** The button whose act ended in the change of the page that is being made now. */
let ended: Element | null = null;

/** For a button that works: knows it again when the refusal is drawn, in the same change of the page. */
export function useEnded(busy: boolean): RefObject<HTMLButtonElement | null> {
  const ref = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (!busy) return undefined;
    const button = ref.current;
    return () => {
      ended = button;
      queueMicrotask(() => {
        if (ended === button) ended = null;
      });
    };
  }, [busy]);
  return ref;
}

/** @param place where it is told; it has to be able to take the focus */
function leadTo(place: HTMLElement | null): void {
  if (place === null || ended === null || document.activeElement !== ended) return;
  const around = place.closest("form, dialog");
  if (around?.contains(ended) !== true || !focusWrong(around)) place.focus();
}

/** @returns whether there is a field that is wrong */
function focusWrong(around: Element): boolean {
  const field = around.querySelector("[aria-invalid=true]");
  if (field instanceof HTMLElement) field.focus();
  return field instanceof HTMLElement;
}

/** From now on, for the whole document: forms that are judged here, before anything is sent. */
export function watchForms(): void {
  document.addEventListener("submit", ({ target, submitter }) => {
    // When the faults are drawn.
    setTimeout(() => {
      const isSent = submitter === null || submitter.ariaBusy === "true";
      if (!isSent && document.activeElement === submitter && target instanceof HTMLFormElement) focusWrong(target);
    });
  });
}

/** For what tells why something did not happen. */
export function useToldFocus(told: unknown): RefObject<HTMLDivElement | null> {
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => leadTo(ref.current), [told]);
  return ref;
}

/** For a field, by its id. */
export function useFaultFocus(id: string, fault: string | undefined): void {
  const isWrong = fault !== undefined;
  useLayoutEffect(() => {
    if (isWrong) leadTo(document.getElementById(id));
  }, [isWrong, id]);
}
