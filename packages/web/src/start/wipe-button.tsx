/**
 * Takes the keys out of this browser.
 *
 * Invariant: it cannot be undone here, so it is asked about in words, and confirmed by typing: one's handle, or a fixed word where nobody knows it.
 */
import { useState } from "react";
import { useSessionStore } from "../app/session.tsx";
import { Button, ConfirmDialog, TextField, type ButtonTone } from "../ui/index.ts";
import { useStartTexts } from "./texts.ts";
import { useTask } from "./use-task.ts";

export function WipeButton({
  label,
  handle,
  tone = "quiet",
}: {
  readonly label?: string;
  readonly handle: string | undefined;
  readonly tone?: ButtonTone;
}) {
  const t = useStartTexts();
  const store = useSessionStore();
  const [isOpen, setIsOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const wipe = useTask(() => store.leave({ wipe: true }));
  const wanted = handle ?? t("wipe.word");
  const close = () => {
    setIsOpen(false);
    setTyped("");
  };
  return (
    <>
      <Button tone={tone} onClick={() => setIsOpen(true)}>
        {label ?? t("wipe.open")}
      </Button>
      {isOpen && (
        <ConfirmDialog
          title={t("wipe.title")}
          action={t("wipe.action")}
          danger
          busy={wipe.isPending}
          error={wipe.error}
          ready={typed.trim().toLowerCase() === wanted.toLowerCase()}
          onConfirm={() => wipe.mutate()}
          onClose={close}
        >
          <p>{t("wipe.text")}</p>
          <p className="text-soft">{t("wipe.state")}</p>
          <TextField
            label={handle === undefined ? t("wipe.confirmWord") : t("wipe.confirmHandle", { handle })}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </ConfirmDialog>
      )}
    </>
  );
}
