/**
 * What somebody accepts and answers who comes into a community, by its door or by an invitation.
 *
 * Invariant: rules are accepted in the version that was shown; what was typed stays when the server refuses, and stays when the rules changed meanwhile.
 */
import { hasCode, type CommunityDoor } from "@althing/contract";
import { useState, type FormEvent } from "react";
import { wholeNumber } from "../app/times.ts";
import { Actions, Button, Card, CheckField, Facts, LinkedText, Refusal, Section, TextArea } from "../ui/index.ts";
import { useStartTexts } from "./texts.ts";

export interface Reply {
  readonly rulesVersion?: string;
  readonly answers: Record<string, string>;
}

export function DoorFacts({
  door,
  isInvited = false,
}: {
  readonly door: CommunityDoor;
  /** An invitation opens every door. */ readonly isInvited?: boolean;
}) {
  const t = useStartTexts();
  const modes = { open: t("door.openMode"), approval: t("door.approvalMode"), invite: t("door.byInvitation"), closed: t("door.closed") };
  return (
    <Card className="grid gap-4">
      {door.description !== "" && (
        <p className="whitespace-pre-wrap">
          <bdi>
            <LinkedText text={door.description} />
          </bdi>
        </p>
      )}
      <Facts facts={[[t("door.members"), wholeNumber(door.members)], isInvited ? undefined : [t("door.mode"), modes[door.registration]]]} />
    </Card>
  );
}

export interface DoorFormProps {
  readonly door: CommunityDoor;
  /** The act's own name. */
  readonly action: string;
  readonly busy: boolean;
  readonly error: unknown;
  readonly onReply: (reply: Reply) => void;
}

export function DoorForm({ door, action, busy, error, onReply }: DoorFormProps) {
  const t = useStartTexts();
  const [accepted, setAccepted] = useState<string>();
  const [answers, setAnswers] = useState<Readonly<Record<string, string>>>({});
  const [isJudged, setIsJudged] = useState(false);
  const isAccepted = door.rules === "" || accepted === door.rulesVersion;
  const isMissing = (id: string, required: boolean) => isJudged && required && (answers[id] ?? "").trim() === "";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setIsJudged(true);
    const isAnswered = door.questions.every(({ id, required }) => !required || (answers[id] ?? "").trim() !== "");
    if (!isAccepted || !isAnswered || busy) return;
    const given = Object.fromEntries(Object.entries(answers).filter(([, text]) => text.trim() !== ""));
    onReply({ ...(door.rules === "" ? {} : { rulesVersion: door.rulesVersion }), answers: given });
  };
  return (
    <form noValidate className="grid gap-6" onSubmit={submit}>
      {door.rules !== "" && (
        <Section title={t("door.rules")} lead={t("door.rulesLead")}>
          <div className="grid gap-4">
            {/* Scrolls on its own, so it must be reachable by keyboard. */}
            <div
              role="region"
              aria-label={t("door.rulesText")}
              tabIndex={0}
              className="max-h-96 overflow-y-auto rounded-lg bg-raised p-4 whitespace-pre-wrap"
            >
              <bdi>
                <LinkedText text={door.rules} />
              </bdi>
            </div>
            <CheckField
              label={t("door.accept")}
              fault={isJudged && !isAccepted ? t("door.acceptFirst") : undefined}
              checked={isAccepted}
              onChange={({ target }) => setAccepted(target.checked ? door.rulesVersion : undefined)}
            />
          </div>
        </Section>
      )}
      {door.questions.length > 0 && (
        <Section title={t("door.questions")} lead={t("door.questionsLead")}>
          <div className="grid gap-4">
            {door.questions.map(({ id, text, required }) => (
              <TextArea
                key={id}
                label={text}
                optional={!required}
                rows={3}
                maxLength={2_000}
                fault={isMissing(id, required) ? t("door.required") : undefined}
                value={answers[id] ?? ""}
                onChange={({ target }) => setAnswers({ ...answers, [id]: target.value })}
              />
            ))}
          </div>
        </Section>
      )}
      {hasCode(error, "welcome.rules_not_accepted") && <p role="status">{t("door.rulesChanged")}</p>}
      {error !== null && <Refusal error={error} />}
      <Actions>
        <Button type="submit" busy={busy}>
          {action}
        </Button>
      </Actions>
    </form>
  );
}
