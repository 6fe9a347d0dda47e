/**
 * Short notices at the edge of the page: something was done, perhaps with a way to undo it.
 *
 * Invariant: a notice never carries what somebody must read to go on, because it goes by itself; refusals are shown where they happened. Read out by
 * screen readers when it comes.
 */
import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from "react";
import { Button } from "./button.tsx";
import { useUiTexts } from "./texts.ts";

export interface Toast {
  readonly text: string;
  readonly undo?: () => void;
}

const shownMs = 8_000;
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
  const remove = useCallback((id: string) => setToasts((before) => before.filter((toast) => toast.id !== id)), []);
  const show = useCallback(
    (toast: Toast) => {
      const id = crypto.randomUUID();
      setToasts((before) => [...before.slice(1 - shownMax), { ...toast, id }]);
      setTimeout(() => remove(id), shownMs);
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
                  remove(id);
                }}
              >
                {t("undo")}
              </Button>
            )}
            <Button tone="plain" onClick={() => remove(id)}>
              {t("dismiss")}
            </Button>
          </div>
        </div>
      )),
    [toasts, remove, t],
  );
  return (
    <ToastContext.Provider value={show}>
      {children}
      <div
        role="status"
        aria-label={t("notices")}
        className="pointer-events-none fixed inset-x-4 bottom-4 z-50 mx-auto grid max-w-md gap-2"
      >
        {rows}
      </div>
    </ToastContext.Provider>
  );
}
