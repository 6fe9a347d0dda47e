/** The words of a proposal as they are typed: title, text, options, topic. Used for proposals, amendments and merging. */
import { limits } from "@althing/contract";
import { TextArea, TextField } from "../ui/index.ts";
import { useEditorTexts } from "./editor-texts.ts";
import type { TextDraft } from "./text-draft.ts";
import { OptionsEditor } from "./options-editor.tsx";

interface Props {
  readonly draft: TextDraft;
  readonly withOptions: boolean;
  readonly faults: ReadonlyMap<string, string>;
  readonly onChange: (draft: TextDraft) => void;
}

export function TextFields({ draft, withOptions, faults, onChange }: Props) {
  const t = useEditorTexts();
  return (
    <div className="grid gap-5">
      <TextField
        label={t("title")}
        hint={t("titleHint")}
        dir="auto"
        maxLength={limits.proposalTitleMaxChars}
        value={draft.title}
        fault={faults.get("title")}
        onChange={({ target: { value } }) => onChange({ ...draft, title: value })}
      />
      <TextArea
        label={t("body")}
        hint={t("bodyHint")}
        optional
        rows={10}
        dir="auto"
        maxLength={limits.proposalBodyMaxChars}
        value={draft.body}
        fault={faults.get("body")}
        onChange={({ target: { value } }) => onChange({ ...draft, body: value })}
      />
      {withOptions && (
        <OptionsEditor options={draft.options} fault={faults.get("options")} onChange={(options) => onChange({ ...draft, options })} />
      )}
      <TextField
        label={t("topic")}
        hint={t("topicHint")}
        optional
        dir="auto"
        maxLength={64}
        value={draft.topic}
        fault={faults.get("topic")}
        onChange={({ target: { value } }) => onChange({ ...draft, topic: value })}
      />
    </div>
  );
}
