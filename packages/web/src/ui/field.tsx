/**
 * Fields of forms: a label, a hint, the control, and what was wrong with it.
 *
 * Invariant: label, hint and fault are tied to the control for screen readers; a fault is a word beside the field and never a colour alone, and whoever sent the
 * form by its button goes on at the first field that has one.
 */
import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes } from "react";
import { classNames } from "./class-names.ts";
import { useFaultFocus } from "./refusal-focus.ts";
import { useUiTexts } from "./texts.ts";

interface FieldFacts {
  readonly label: string;
  /** People wrote the label: its writing direction is its own. */
  readonly isGiven?: boolean;
  readonly hint?: ReactNode;
  /** What is wrong with it. */
  readonly fault?: string | undefined;
  readonly optional?: boolean;
  /** The label is for screen readers only; the place says what it is. */
  readonly hideLabel?: boolean;
  readonly className?: string;
}

const control = "w-full rounded-lg border bg-card px-3 py-2 text-ink placeholder:text-soft disabled:opacity-60";
const edgeOf = (fault: string | undefined) => (fault === undefined ? "border-edge" : "border-bad border-2");

function Frame({
  id,
  label,
  isGiven,
  hint,
  fault,
  optional,
  hideLabel,
  className,
  children,
}: FieldFacts & { id: string; children: ReactNode }) {
  const t = useUiTexts();
  useFaultFocus(id, fault);
  return (
    <div className={classNames("grid grid-cols-[minmax(0,1fr)] gap-1", className)}>
      <label htmlFor={id} className={hideLabel === true ? "sr-only" : "font-semibold"}>
        {isGiven === true ? <bdi>{label}</bdi> : label}
        {optional === true && <span className="font-normal text-soft"> ({t("optional")})</span>}
      </label>
      {hint !== undefined && (
        <p id={`${id}-hint`} className="text-sm text-soft">
          {hint}
        </p>
      )}
      {children}
      {fault !== undefined && (
        <p id={`${id}-fault`} className="text-sm font-semibold text-bad">
          {fault}
        </p>
      )}
    </div>
  );
}

function describedBy(id: string, { hint, fault }: FieldFacts): string | undefined {
  const ids = [hint !== undefined && `${id}-hint`, fault !== undefined && `${id}-fault`].filter((one) => one !== false);
  return ids.length === 0 ? undefined : ids.join(" ");
}

function split<P extends FieldFacts>({ label, isGiven, hint, fault, optional, hideLabel, className, ...rest }: P) {
  const facts: FieldFacts = {
    label,
    fault,
    ...(isGiven === undefined ? {} : { isGiven }),
    ...(hint === undefined ? {} : { hint }),
    ...(optional === undefined ? {} : { optional }),
    ...(hideLabel === undefined ? {} : { hideLabel }),
    ...(className === undefined ? {} : { className }),
  };
  return { facts, rest };
}

/** What people write has a direction of its own; numbers, dates and addresses have the page's. */
const isProse = ({ type = "text", inputMode }: InputHTMLAttributes<HTMLInputElement>): boolean =>
  type === "text" && inputMode === undefined;

export function TextField(props: FieldFacts & Omit<InputHTMLAttributes<HTMLInputElement>, "className" | "id">) {
  const id = useId();
  const { facts, rest } = split(props);
  return (
    <Frame id={id} {...facts}>
      <input
        {...(isProse(rest) ? { dir: "auto" } : {})}
        {...rest}
        id={id}
        aria-invalid={facts.fault !== undefined || undefined}
        aria-describedby={describedBy(id, facts)}
        className={classNames(control, "min-h-11", edgeOf(facts.fault))}
      />
    </Frame>
  );
}

export function TextArea(props: FieldFacts & Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "className" | "id">) {
  const id = useId();
  const { facts, rest } = split(props);
  return (
    <Frame id={id} {...facts}>
      <textarea
        rows={4}
        dir="auto"
        {...rest}
        id={id}
        aria-invalid={facts.fault !== undefined || undefined}
        aria-describedby={describedBy(id, facts)}
        className={classNames(control, edgeOf(facts.fault))}
      />
    </Frame>
  );
}

export interface Option {
  readonly value: string;
  readonly label: string;
}

export function SelectField(
  props: FieldFacts & { readonly options: readonly Option[] } & Omit<SelectHTMLAttributes<HTMLSelectElement>, "className" | "id">,
) {
  const id = useId();
  const { options, ...others } = props;
  const { facts, rest } = split(others);
  return (
    <Frame id={id} {...facts}>
      <select
        {...rest}
        id={id}
        aria-invalid={facts.fault !== undefined || undefined}
        aria-describedby={describedBy(id, facts)}
        className={classNames(control, "min-h-11", edgeOf(facts.fault))}
      >
        {options.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </Frame>
  );
}

export function CheckField({
  label,
  isGiven = false,
  hint,
  fault,
  className,
  ...rest
}: FieldFacts & Omit<InputHTMLAttributes<HTMLInputElement>, "className" | "id" | "type">) {
  const id = useId();
  const facts = { label, fault, ...(hint === undefined ? {} : { hint }) };
  useFaultFocus(id, fault);
  return (
    <div className={classNames("grid grid-cols-[auto_1fr] gap-x-3 gap-y-1", className)}>
      <input
        {...rest}
        id={id}
        type="checkbox"
        aria-invalid={fault !== undefined || undefined}
        aria-describedby={describedBy(id, facts)}
        className="mt-1 size-5 accent-accent"
      />
      <label htmlFor={id}>{isGiven ? <bdi>{label}</bdi> : label}</label>
      {hint !== undefined && (
        <p id={`${id}-hint`} className="col-start-2 text-sm text-soft">
          {hint}
        </p>
      )}
      {fault !== undefined && (
        <p id={`${id}-fault`} className="col-start-2 text-sm font-semibold text-bad">
          {fault}
        </p>
      )}
    </div>
  );
}

/** A group of radio buttons. */
export function ChoiceField({
  label,
  hint,
  fault,
  hideLabel,
  name,
  value,
  options,
  disabled,
  onChange,
}: FieldFacts & {
  readonly name: string;
  readonly value: string;
  readonly options: readonly (Option & { readonly hint?: ReactNode; readonly disabled?: boolean })[];
  readonly disabled?: boolean;
  readonly onChange: (value: string) => void;
}) {
  const id = useId();
  return (
    <fieldset
      className="grid gap-2"
      disabled={disabled}
      aria-describedby={describedBy(id, { label, fault, ...(hint === undefined ? {} : { hint }) })}
    >
      <legend className={hideLabel === true ? "sr-only" : "mb-1 font-semibold"}>{label}</legend>
      {hint !== undefined && (
        <p id={`${id}-hint`} className="text-sm text-soft">
          {hint}
        </p>
      )}
      {options.map((option, at) => (
        <div key={option.value} className="grid grid-cols-[auto_1fr] gap-x-3">
          <input
            id={`${id}-${at}`}
            type="radio"
            name={name}
            value={option.value}
            checked={value === option.value}
            disabled={option.disabled}
            onChange={() => onChange(option.value)}
            className="mt-1 size-5 accent-accent"
          />
          <label htmlFor={`${id}-${at}`}>{option.label}</label>
          {option.hint !== undefined && <p className="col-start-2 text-sm text-soft">{option.hint}</p>}
        </div>
      ))}
      {fault !== undefined && (
        <p id={`${id}-fault`} className="text-sm font-semibold text-bad">
          {fault}
        </p>
      )}
    </fieldset>
  );
}
