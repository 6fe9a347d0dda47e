/** The steps of a newcomer that ask for something: the words, the check, the handle. Each is a card with one thing to do. */
import { handleSchema } from "@althing/contract";
import { useRef, useState, type FormEvent, type ReactNode } from "react";
import { Actions, Button, Card, CopyButton, Page, PageHeader, Refusal, TextField } from "../ui/index.ts";
import { askedPositions, wrongPositions } from "./recovery-words.ts";
import { useStartTexts } from "./texts.ts";
import { useTask } from "./use-task.ts";
import { WordsFile } from "./words-file.tsx";

/** One step: a narrow card under a heading that takes the focus. */
export function Step({
  above,
  title,
  lead,
  children,
}: {
  readonly above: string;
  readonly title: string;
  readonly lead: string;
  readonly children: ReactNode;
}) {
  return (
    <Page>
      <Card className="mx-auto grid w-full max-w-2xl gap-5">
        <PageHeader key={title} above={above} title={title} lead={lead} />
        {children}
      </Card>
    </Page>
  );
}

export function WordsStep({ above, phrase, onDone }: { readonly above: string; readonly phrase: string; readonly onDone: () => void }) {
  const t = useStartTexts();
  return (
    <Step above={above} title={t("newcomer.wordsTitle")} lead={t("newcomer.wordsLead")}>
      <ol
        aria-label={t("newcomer.wordsLabel")}
        className="grid list-inside list-decimal grid-cols-2 gap-2 rounded-lg bg-raised p-4 font-mono text-lg marker:font-sans marker:text-sm marker:text-soft sm:grid-cols-3"
      >
        {phrase.split(" ").map((word, at) => (
          <li key={at} translate="no">
            {word}
          </li>
        ))}
      </ol>
      <Actions>
        <Button onClick={onDone}>{t("newcomer.wordsDone")}</Button>
        <CopyButton text={phrase} label={t("newcomer.copyWords")} />
      </Actions>
      <WordsFile phrase={phrase} />
    </Step>
  );
}

export interface CheckStepProps {
  readonly above: string;
  readonly phrase: string;
  readonly onBack: () => void;
  readonly onDone: () => Promise<void>;
}

export function CheckStep({ above, phrase, onBack, onDone }: CheckStepProps) {
  const t = useStartTexts();
  const [asked] = useState(() => askedPositions(phrase.split(" ").length));
  const [wrong, setWrong] = useState<ReadonlyMap<number, string>>(new Map());
  const form = useRef<HTMLFormElement>(null);
  const done = useTask(onDone);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const typed = new FormData(event.currentTarget);
    const answers = new Map(asked.map((position) => [position, textOf(typed, `word-${position}`)]));
    const faults = wrongPositions(phrase, answers);
    const faultOf = (position: number) => (answers.get(position)?.trim() === "" ? t("newcomer.noWord") : t("newcomer.wrongWord"));
    setWrong(new Map(faults.map((position) => [position, faultOf(position)])));
    if (faults.length > 0) {
      const field = form.current?.elements.namedItem(`word-${faults[0]}`);
      if (field instanceof HTMLInputElement) field.focus();
    } else if (!done.isPending) done.mutate();
  };
  return (
    <Step above={above} title={t("newcomer.checkTitle")} lead={t("newcomer.checkLead")}>
      <form ref={form} noValidate className="grid gap-4" onSubmit={submit}>
        <div className="grid gap-4 sm:grid-cols-3">
          {asked.map((position) => (
            <TextField
              key={position}
              name={`word-${position}`}
              label={t("newcomer.word", { number: position + 1 })}
              fault={wrong.get(position)}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
            />
          ))}
        </div>
        {done.error !== null && <Refusal error={done.error} />}
        <Actions>
          <Button type="submit" busy={done.isPending}>
            {t("newcomer.check")}
          </Button>
          <Button tone="quiet" onClick={onBack}>
            {t("newcomer.showAgain")}
          </Button>
        </Actions>
      </form>
    </Step>
  );
}

export function textOf(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}

export interface HandleStepProps {
  readonly above: string;
  readonly kind: "claim" | "join";
  readonly busy: boolean;
  readonly error: unknown;
  readonly onHandle: (handle: string) => void;
}

export function HandleStep({ above, kind, busy, error, onHandle }: HandleStepProps) {
  const t = useStartTexts();
  const [handle, setHandle] = useState("");
  const [isJudged, setIsJudged] = useState(false);
  const plain = handle.trim().toLowerCase();
  const isFit = handleSchema.safeParse(plain).success;
  // Said while typing once something cannot become a handle any more; what is only too short yet waits for the submit.
  const isHopeless = plain !== "" && !handleSchema.safeParse(plain.replace(/[._-]+$/, "")).success;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setIsJudged(true);
    if (isFit && !busy) onHandle(plain);
  };
  return (
    <Step above={above} title={t("newcomer.handleTitle")} lead={t("newcomer.handleLead")}>
      <form noValidate className="grid gap-4" onSubmit={submit}>
        <TextField
          label={t("newcomer.handle")}
          hint={t("newcomer.handleRule")}
          fault={isHopeless || (isJudged && !isFit) ? t("newcomer.handleWrong") : undefined}
          value={handle}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          maxLength={64}
          onChange={(event) => {
            setHandle(event.target.value);
            setIsJudged(false);
          }}
        />
        {error !== null && <Refusal error={error} />}
        <Actions>
          <Button type="submit" busy={busy}>
            {kind === "claim" ? t("newcomer.becomeAdmin") : t("newcomer.join")}
          </Button>
        </Actions>
      </form>
    </Step>
  );
}
