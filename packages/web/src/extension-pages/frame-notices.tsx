/**
 * Notices that an extension's page asks for: text under the extension's name, at the edge of the page.
 *
 * Invariant: never more than three at once, each gone after a time; they stand apart from the platform's own notices, so that none can pass for one.
 */
import { useCallback, useState } from "react";
import type { ToastKind } from "../extension-frame/index.ts";
import { Button, classNames } from "../ui/index.ts";
import { useExtensionTexts } from "./texts.ts";

export interface FrameNotice {
  readonly id: string;
  readonly text: string;
  readonly kind: ToastKind;
}

const shownMax = 3;
const shownMs = 8_000;
const edges: Readonly<Record<ToastKind, string>> = {
  info: "border-s-soft",
  success: "border-s-good",
  warning: "border-s-note",
  error: "border-s-bad",
};

export function useFrameNotices(): {
  readonly notices: readonly FrameNotice[];
  show(text: string, kind: ToastKind): void;
  dismiss(id: string): void;
} {
  const [notices, setNotices] = useState<readonly FrameNotice[]>([]);
  const dismiss = useCallback((id: string) => setNotices((before) => before.filter((notice) => notice.id !== id)), []);
  const show = useCallback(
    (text: string, kind: ToastKind) => {
      const id = crypto.randomUUID();
      setNotices((before) => [...before.slice(1 - shownMax), { id, text, kind }]);
      setTimeout(() => dismiss(id), shownMs);
    },
    [dismiss],
  );
  return { notices, show, dismiss };
}

export function FrameNotices({
  name,
  notices,
  onDismiss,
}: {
  readonly name: string;
  readonly notices: readonly FrameNotice[];
  readonly onDismiss: (id: string) => void;
}) {
  const t = useExtensionTexts();
  return (
    <div
      role="status"
      aria-label={t("notices", { name })}
      className="pointer-events-none fixed end-4 bottom-4 z-40 grid w-[min(24rem,calc(100%-2rem))] gap-2"
    >
      {notices.map(({ id, text, kind }) => (
        <div
          key={id}
          className={classNames(
            "frame-notice pointer-events-auto flex items-start justify-between gap-3 rounded-lg border border-line border-s-5 bg-card p-3 shadow-lg",
            edges[kind],
          )}
        >
          <p className="min-w-0">
            <strong>
              <bdi>{name}</bdi>:{" "}
            </strong>
            <bdi>{text}</bdi>
          </p>
          <Button tone="plain" onClick={() => onDismiss(id)}>
            {t("dismiss")}
          </Button>
        </div>
      ))}
    </div>
  );
}
