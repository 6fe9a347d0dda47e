/** How a proposal is voted on: the method in plain words, what it takes, how many must take part. */
import { voteAnswers, votingMethods, type VotingMethod } from "@althing/contract";
import { CheckField, ChoiceField, SelectField, TextField } from "../ui/index.ts";
import { useEditorTexts } from "./editor-texts.ts";
import { scored, severalSeats, type Base, type RuleDraft, type RuleFault, type ThresholdDraft } from "./rule-draft.ts";
import { useProposalTexts } from "./texts.ts";

interface Props {
  readonly draft: RuleDraft;
  readonly faults: ReadonlySet<RuleFault>;
  readonly onChange: (draft: RuleDraft) => void;
}

export function MethodField({ value, onChange }: { readonly value: VotingMethod; readonly onChange: (method: VotingMethod) => void }) {
  const t = useEditorTexts();
  const name = useProposalTexts();
  return (
    <fieldset className="grid gap-2">
      <legend className="mb-2 font-semibold">{t("method")}</legend>
      {votingMethods.map((method) => (
        <label
          key={method}
          className="grid cursor-pointer grid-cols-[auto_1fr] gap-x-3 rounded-lg border border-line p-3 has-checked:border-accent has-checked:bg-accent-tint has-checked:ring-1 has-checked:ring-accent"
        >
          <input
            type="radio"
            name="voting-method"
            value={method}
            checked={value === method}
            onChange={() => onChange(method)}
            className="mt-1 size-5 accent-accent"
          />
          <span className="grid gap-0.5">
            <span className="font-semibold">{name(`methodName.${method}`)}</span>
            <span>{t(`methodHow.${method}`)}</span>
            <span className="text-sm text-soft">{t(`methodWhen.${method}`)}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

export function RuleFields({ draft, faults, onChange }: Props) {
  const t = useEditorTexts();
  const { method } = draft;
  const number = (name: "seats" | "scoreMax" | "credits", hint?: string) => (
    <TextField
      label={t(name)}
      {...(hint === undefined ? {} : { hint })}
      inputMode="numeric"
      className="max-w-xs"
      value={draft[name]}
      fault={faults.has(name) ? t(`${name}Fault`) : undefined}
      onChange={({ target: { value } }) => onChange({ ...draft, [name]: value })}
    />
  );
  return (
    <div className="grid gap-5">
      <MethodField value={method} onChange={(next) => onChange({ ...draft, method: next })} />
      {severalSeats.has(method) && number("seats")}
      {scored.has(method) && number("scoreMax", t("scoreMaxHint"))}
      {method === "quadratic" && number("credits")}
      {method === "quadratic" && (
        <CheckField
          label={t("negativeVotes")}
          hint={t("negativeVotesHint")}
          checked={draft.negativeVotes}
          onChange={({ target: { checked } }) => onChange({ ...draft, negativeVotes: checked })}
        />
      )}
      {method === "yes_no" && <YesNoFields draft={draft} faults={faults} onChange={onChange} />}
      <TextField
        label={t("quorum")}
        hint={t("quorumHint")}
        optional
        className="max-w-xl"
        value={draft.quorum}
        fault={faults.has("quorum") ? t("quorumFault") : undefined}
        onChange={({ target: { value } }) => onChange({ ...draft, quorum: value })}
      />
      {method === "yes_no" && draft.quorum.trim() !== "" && (
        <QuorumCounts value={draft.quorumCounts} onChange={(quorumCounts) => onChange({ ...draft, quorumCounts })} />
      )}
    </div>
  );
}

const bases: readonly Base[] = ["yes_and_no", "cast", "eligible"];

function ThresholdFields({
  label,
  value,
  fault,
  onChange,
}: {
  readonly label: string;
  readonly value: ThresholdDraft;
  readonly fault: string | undefined;
  readonly onChange: (value: ThresholdDraft) => void;
}) {
  const t = useEditorTexts();
  return (
    <div className="grid items-end gap-3 sm:grid-cols-[1fr_1fr_1.5fr]">
      <TextField
        label={label}
        hint={t("shareHint")}
        value={value.share}
        fault={fault}
        onChange={(event) => onChange({ ...value, share: event.target.value })}
      />
      <SelectField
        label={t("thresholdOf")}
        options={bases.map((base) => ({ value: base, label: t(`of.${base}`) }))}
        value={value.of}
        onChange={(event) => onChange({ ...value, of: bases.find((base) => base === event.target.value) ?? value.of })}
      />
      <SelectField
        label={t("reached")}
        options={[
          { value: "no", label: t("reachedNo") },
          { value: "yes", label: t("reachedYes") },
        ]}
        value={value.reached ? "yes" : "no"}
        onChange={(event) => onChange({ ...value, reached: event.target.value === "yes" })}
      />
    </div>
  );
}

const blocks = ["counts_as_no", "rejects", "ignored"] as const;

function YesNoFields({ draft, faults, onChange }: Props) {
  const t = useEditorTexts();
  const fault = (name: RuleFault) => (faults.has(name) ? t("shareFault") : undefined);
  return (
    <>
      <ThresholdFields
        label={t("threshold")}
        value={draft.threshold}
        fault={fault("threshold")}
        onChange={(threshold) => onChange({ ...draft, threshold })}
      />
      <CheckField
        label={t("hasAlso")}
        checked={draft.hasAlso}
        onChange={({ target: { checked } }) => onChange({ ...draft, hasAlso: checked })}
      />
      {draft.hasAlso && (
        <ThresholdFields
          label={t("alsoShare")}
          value={draft.also}
          fault={fault("also")}
          onChange={(also) => onChange({ ...draft, also })}
        />
      )}
      <SelectField
        label={t("block")}
        className="max-w-xl"
        options={blocks.map((block) => ({ value: block, label: t(`blocks.${block}`) }))}
        value={draft.block}
        onChange={(event) => onChange({ ...draft, block: blocks.find((block) => block === event.target.value) ?? draft.block })}
      />
    </>
  );
}

type Counts = RuleDraft["quorumCounts"];
const withoutAbstain = voteAnswers.filter((answer) => answer !== "abstain");
const isSame = (a: Counts, b: Counts) => JSON.stringify(a?.toSorted()) === JSON.stringify(b?.toSorted());

function QuorumCounts({ value, onChange }: { readonly value: Counts; readonly onChange: (value: Counts) => void }) {
  const t = useEditorTexts();
  const isNoAbstain = isSame(value, withoutAbstain);
  const isOther = value !== undefined && !isNoAbstain;
  return (
    <ChoiceField
      label={t("quorumAnswers")}
      name="quorum-counts"
      value={isOther ? "other" : isNoAbstain ? "noAbstain" : "all"}
      options={[
        { value: "all", label: t("quorumAll") },
        { value: "noAbstain", label: t("quorumNoAbstain") },
        ...(isOther ? [{ value: "other", label: t("quorumOther") }] : []),
      ]}
      onChange={(next) => onChange(next === "all" ? undefined : next === "noAbstain" ? [...withoutAbstain] : value)}
    />
  );
}
