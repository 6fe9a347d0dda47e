/**
 * Short notices at the edge of the page: something was done, perhaps with a way to undo it.
 *
 * Invariant: a notice never carries what somebody must read to go on, because it goes by itself; refusals are shown where they happened. Read out by
 * screen readers when it comes. None goes while a pointer or the focus is on the notices, and one that can be undone stays longer: there is time to get there.
 */
import { createContext, useCallback, useContext, useMemo, useRef, useState, type ReactNode } from "react";
import { Button } from "./button.tsx";
import { useUiTexts } from "./texts.ts";

export interface Toast {
  readonly text: string;
  readonly undo?: () => void;
}

const shownMs = 8_000;
const undoShownMs = 20_000;
const shownMax = 3;
const ToastContext = createContext<((toast: Toast) => void) | undefined>(undefined);

/** @returns shows a notice */
export function useToast(): (toast: Toast) => void {
  const show = useContext(ToastContext);
  if (show === undefined) throw new Error("no place for notices above this component");
  return show;
}

export function ToastPlace({ children }: { readonly children: ReactNode }) {
  const t = useUiTexts();
  const [toasts, setToasts] = useState<readonly (Toast & { readonly id: string })[]>([]);
  const place = useRef<HTMLDivElement>(null);
  const remove = useCallback((id: string) => setToasts((before) => before.filter((toast) => toast.id !== id)), []);
  const expire = useCallback(
    (id: string, afterMs: number) => {
      setTimeout(() => {
        if (place.current?.matches(":hover, :focus-within") === true) expire(id, shownMs);
        else remove(id);
      }, afterMs);
    },
    [remove],
  );
  const show = useCallback(
    (toast: Toast) => {
      const id = crypto.randomUUID();
      setToasts((before) => [...before.slice(1 - shownMax), { ...toast, id }]);
      expire(id, toast.undo === undefined ? shownMs : undoShownMs);
    },
    [expire],
  );
  const dismiss = useCallback(
    (id: string) => {
      remove(id);
      // The button that had the focus goes with its notice.
      document.querySelector<HTMLElement>("#main h1")?.focus({ preventScroll: true });
    },
    [remove],
  );
  const rows = useMemo(
    () =>
      toasts.map(({ id, text, undo }) => (
        <div
          key={id}
          className="pointer-events-auto flex items-center justify-between gap-3 rounded-lg border border-line bg-card p-3 shadow-lg"
        >
          <p className="min-w-0">{text}</p>
          <div className="flex shrink-0">
            {undo !== undefined && (
              <Button
                tone="plain"
                onClick={() => {
                  undo();
                  dismiss(id);
                }}
              >
                {t("undo")}
              </Button>
            )}
            <Button tone="plain" onClick={() => dismiss(id)}>
              {t("dismiss")}
            </Button>
          </div>
        </div>
      )),
    [toasts, dismiss, t],
  );
  return (
    <ToastContext.Provider value={show}>
      {children}
      <div
        ref={place}
        role="status"
        aria-label={t("notices")}
        className="pointer-events-none fixed inset-x-4 bottom-4 z-50 mx-auto grid max-w-md gap-2"
      >
        {rows}
      </div>
    </ToastContext.Provider>
  );
}
