/** Lifting a mute, appealing, deciding an appeal: each with words that everybody reads. */
import { limits, type LedgerEntry } from "@althing/contract";
import { useState, type ReactNode } from "react";
import { faultsByField, useAct, type Changed } from "../app/calls.ts";
import { ChoiceField, ConfirmDialog, TextArea, useToast } from "../ui/index.ts";
import { useModerationTexts } from "./texts.ts";

interface OfEntry {
  readonly entry: LedgerEntry;
  /** Community, as in routes. */
  readonly community: string;
  readonly onClose: () => void;
}

const changes: readonly Changed[] = ["moderation.", "communities.", "proposals."];

/** The words, and what is done with them. */
function useWords(done: string, onClose: () => void) {
  const toast = useToast();
  const [words, setWords] = useState("");
  return {
    words,
    setWords,
    options: {
      changes,
      onDone: () => {
        toast({ text: done });
        onClose();
      },
    },
  };
}

function Words({
  label,
  name,
  value,
  error,
  onChange,
}: {
  readonly label: string;
  readonly name: string;
  readonly value: string;
  readonly error: unknown;
  readonly onChange: (text: string) => void;
}) {
  return (
    <TextArea
      label={label}
      required
      maxLength={limits.reasonMaxChars}
      value={value}
      fault={faultsByField(error).get(name)}
      onChange={({ target }) => onChange(target.value)}
    />
  );
}

function Quoted({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <div className="border-s-4 border-line ps-3">
      <p className="text-sm text-soft">{label}</p>
      <p className="whitespace-pre-wrap">
        <bdi>{children}</bdi>
      </p>
    </div>
  );
}

export function LiftDialog({ entry, community, onClose }: OfEntry) {
  const t = useModerationTexts();
  const { words, setWords, options } = useWords(t("lift.done"), onClose);
  const lift = useAct(
    (client) => client.call("moderation.lift", { params: { community, action: entry.id }, body: { reason: words } }),
    options,
  );
  return (
    <ConfirmDialog
      title={t("lift.title")}
      action={t("lift.action")}
      busy={lift.isPending}
      error={lift.error}
      ready={words.trim() !== ""}
      onConfirm={() => lift.mutate()}
      onClose={onClose}
    >
      <Quoted label={t("entry.reason")}>{entry.reason}</Quoted>
      <p>{t("lift.text")}</p>
      <Words label={t("lift.reason")} name="reason" value={words} error={lift.error} onChange={setWords} />
    </ConfirmDialog>
  );
}

export function AppealDialog({ entry, community, onClose }: OfEntry) {
  const t = useModerationTexts();
  const { words, setWords, options } = useWords(t("appeal.done"), onClose);
  const appeal = useAct(
    (client) => client.call("moderation.appeal", { params: { community, action: entry.id }, body: { text: words } }),
    options,
  );
  return (
    <ConfirmDialog
      title={t("appeal.title")}
      action={t("appeal.action")}
      busy={appeal.isPending}
      error={appeal.error}
      ready={words.trim() !== ""}
      onConfirm={() => appeal.mutate()}
      onClose={onClose}
    >
      <Quoted label={t("entry.reason")}>{entry.reason}</Quoted>
      <p>{t("appeal.text")}</p>
      <Words label={t("appeal.reason")} name="text" value={words} error={appeal.error} onChange={setWords} />
    </ConfirmDialog>
  );
}

export function DecideDialog({ entry, community, onClose }: OfEntry) {
  const t = useModerationTexts();
  const [choice, setChoice] = useState("");
  const { words, setWords, options } = useWords(t("decide.done"), onClose);
  const decide = useAct(
    (client) =>
      client.call("moderation.decide", { params: { community, action: entry.id }, body: { upheld: choice === "uphold", reason: words } }),
    options,
  );
  return (
    <ConfirmDialog
      title={t("decide.title")}
      action={t("decide.action")}
      busy={decide.isPending}
      error={decide.error}
      ready={words.trim() !== "" && choice !== ""}
      onConfirm={() => decide.mutate()}
      onClose={onClose}
    >
      <p className="text-soft">{t("decide.text")}</p>
      <Quoted label={t("entry.reason")}>{entry.reason}</Quoted>
      <Quoted label={t("entry.appeal")}>{entry.appeal?.text === "" ? t("entry.erasedAppeal") : entry.appeal?.text}</Quoted>
      <ChoiceField
        label={t("decide.choice")}
        name="decision"
        value={choice}
        options={[
          { value: "uphold", label: t("decide.uphold"), hint: t("decide.upholdHint") },
          { value: "overturn", label: t("decide.overturn"), hint: t(`decide.overturnHint.${entry.kind}`) },
        ]}
        onChange={setChoice}
      />
      <Words label={t("decide.reason")} name="reason" value={words} error={decide.error} onChange={setWords} />
    </ConfirmDialog>
  );
}
