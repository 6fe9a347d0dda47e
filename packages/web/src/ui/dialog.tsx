/**
 * Dialogs on the browser's own `<dialog>`: focus is kept inside, Escape closes, and it goes back to where it came from, or near it where that is gone.
 *
 * Invariant: what cannot be undone is asked about in words that say what will happen; the button carries the act's own name, never "OK".
 */
import { useEffect, useId, useRef, type ReactNode } from "react";
import { Button } from "./button.tsx";
import { classNames } from "./class-names.ts";
import { goBackTo, placeOf } from "./kept-focus.ts";
import { Actions } from "./layout.tsx";
import { Refusal } from "./refusal.tsx";
import { useUiTexts } from "./texts.ts";

/** Mount it to open it; `onClose` when it wants to be gone. */
export function Dialog({
  title,
  children,
  onClose,
  wide = false,
}: {
  readonly title: string;
  readonly children: ReactNode;
  readonly onClose: () => void;
  readonly wide?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  const t = useUiTexts();
  useEffect(() => {
    const dialog = ref.current;
    const before = placeOf(document.activeElement);
    dialog?.showModal();
    return () => {
      dialog?.close();
      goBackTo(before);
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => {
        // Also told of a dialog within, and of a file chooser in which nothing was chosen.
        if (event.target !== event.currentTarget) return;
        event.preventDefault();
        onClose();
      }}
      className={classNames(
        "max-h-[calc(100dvh-2rem)] w-[calc(100%-2rem)] overflow-y-auto rounded-card border border-line bg-card p-4 sm:p-6",
        wide ? "max-w-4xl" : "max-w-xl",
      )}
    >
      <div className="grid gap-4">
        <div className="flex items-start justify-between gap-4">
          <h2 id={id} className="text-xl font-bold">
            {title}
          </h2>
          <Button tone="plain" className="shrink-0" onClick={onClose}>
            {t("close")}
          </Button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

export interface ConfirmDialogProps {
  readonly title: string;
  /** What will happen, and whether it can be undone. */
  readonly children: ReactNode;
  /** The act's own name. */
  readonly action: string;
  readonly danger?: boolean;
  readonly busy: boolean;
  readonly error?: unknown;
  /** Until this is true the act cannot be confirmed. Default true. */
  readonly ready?: boolean;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

export function ConfirmDialog({
  title,
  children,
  action,
  danger = false,
  busy,
  error,
  ready = true,
  onConfirm,
  onClose,
}: ConfirmDialogProps) {
  const t = useUiTexts();
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="grid gap-3">{children}</div>
      {error !== undefined && error !== null && <Refusal error={error} />}
      <Actions>
        <Button tone={danger ? "danger" : "primary"} busy={busy} disabled={!ready} onClick={onConfirm}>
          {action}
        </Button>
        <Button tone="quiet" onClick={onClose}>
          {t("cancel")}
        </Button>
      </Actions>
    </Dialog>
  );
}
