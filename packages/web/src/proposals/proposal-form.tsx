/**
 * The form of a proposal: words, method, secrecy.
 *
 * Invariant: what was typed stays, whatever is refused; what cannot be read is told at its field and sends nothing.
 */
import type { ProposalText, VotingRule } from "@althing/contract";
import { useState, type ReactNode } from "react";
import { faultsByField } from "../app/calls.ts";
import { Actions, Refusal, Section } from "../ui/index.ts";
import { useEditorTexts } from "./editor-texts.ts";
import { RuleFields } from "./rule-fields.tsx";
import { ruleOf, unready, type RuleDraft, type RuleFault } from "./rule-draft.ts";
import { SecrecyField } from "./secrecy-field.tsx";
import { textOf, type TextDraft } from "./text-draft.ts";
import { TextFields } from "./text-fields.tsx";
import { useProposalTexts } from "./texts.ts";
import { TimesFact } from "./times-fact.tsx";

export interface FormDraft {
  readonly text: TextDraft;
  readonly rule: RuleDraft;
}

export interface FormProps {
  readonly draft: FormDraft;
  readonly error: Error | null;
  readonly onChange: (draft: FormDraft) => void;
  /** Only with what can be sent. @param submitter `value` of the button that was pressed */
  readonly onSubmit: (text: ProposalText, rule: VotingRule, submitter: string) => void;
  /** Buttons. */
  readonly children: ReactNode;
}

export function ProposalForm({ draft, error, onChange, onSubmit, children }: FormProps) {
  const t = useEditorTexts();
  const [isChecked, setChecked] = useState(false);
  const { text, rule } = draft;
  const read = ruleOf(rule);
  const ruleFaults = new Set<RuleFault>(isChecked && "faults" in read ? read.faults : []);
  const isTitled = text.title.trim() !== "";
  const textFaults = new Map([...faultsOfText(error), ...(isChecked && !isTitled ? [["title", t("titleFault")] as const] : [])]);
  const withOptions = rule.method !== "yes_no";
  const isFaulty = isChecked && (!isTitled || "faults" in read);
  return (
    <form
      noValidate
      className="grid gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        setChecked(true);
        const pressed = event.nativeEvent instanceof SubmitEvent ? event.nativeEvent.submitter : null;
        if ("rule" in read && isTitled)
          onSubmit(textOf(text, withOptions), read.rule, pressed instanceof HTMLButtonElement ? pressed.value : "");
      }}
    >
      <Section title={t("textPart")}>
        <TextFields draft={text} withOptions={withOptions} faults={textFaults} onChange={(next) => onChange({ ...draft, text: next })} />
      </Section>
      <Section title={t("methodPart")}>
        <RuleFields draft={rule} faults={ruleFaults} onChange={(next) => onChange({ ...draft, rule: next })} />
      </Section>
      <Section title={t("secretPart")}>
        <SecrecyField
          isSecret={rule.secret}
          trustee={rule.trustee}
          fault={ruleFaults.has("trustee")}
          onChange={(change) => onChange({ ...draft, rule: { ...rule, ...change } })}
        />
      </Section>
      <TimesFact />
      {isFaulty && (
        <p role="alert" className="font-semibold text-bad">
          {t("checkFields")}
        </p>
      )}
      {error !== null && <Refusal error={error} />}
      {"rule" in read && <Advice rule={read.rule} text={textOf(text, withOptions)} />}
      <Actions>{children}</Actions>
    </form>
  );
}

/** Faults of the server's, at the fields that are here; of an option at the list. */
function faultsOfText(error: Error | null): (readonly [string, string])[] {
  return [...faultsByField(error)].map(([path, message]) => [/^options\b/.test(path) ? "options" : path, message] as const);
}

/** What would keep the vote from opening; a draft may still be saved. */
function Advice({ rule, text }: { readonly rule: VotingRule; readonly text: ProposalText }) {
  const t = useProposalTexts();
  const why = unready(rule, text.options);
  return why === undefined ? null : <p className="rounded-lg bg-note-tint p-3 text-note">{t(`unready.${why}`)}</p>;
}
