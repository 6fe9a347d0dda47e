/**
 * One key of a policy as it is edited: what it means, the control, what holds now, why, and who can change that.
 *
 * Invariant: a key that the instance locks cannot be touched and says so in words; what holds is always beside the control, because it need not be what
 * was set.
 */
import type { PluginPolicyKey, PolicyReason } from "@althing/contract";
import { useId, type ReactNode } from "react";
import { Badge, CheckField, ChoiceField, TextArea, type Option } from "../ui/index.ts";
import type { PolicyContext } from "./policy-context.ts";
import { policyWords } from "./policy-words.ts";
import { usePolicyTexts } from "./policy-texts.ts";

type FlatKey = Exclude<PluginPolicyKey, "limits">;

/** Why a value is as it is. */
export function Why({ value, reason }: { readonly value: string; readonly reason: PolicyReason | undefined }) {
  const t = usePolicyTexts();
  return (
    <dl className="grid gap-x-4 gap-y-1 rounded-lg bg-raised px-3 py-2 text-sm sm:grid-cols-[max-content_1fr]">
      <dt className="text-soft">{t("holds")}</dt>
      <dd className="min-w-0 font-semibold">
        <bdi>{value}</bdi>
      </dd>
      {reason !== undefined && (
        <>
          <dt className="text-soft">{t("why")}</dt>
          <dd className="min-w-0">
            <bdi>{reason.text}</bdi>
          </dd>
          <dt className="text-soft">{t("who")}</dt>
          <dd className="min-w-0">
            <bdi>{reason.who}</bdi>
          </dd>
        </>
      )}
    </dl>
  );
}

export function PolicyKey({
  name,
  context,
  children,
}: {
  readonly name: FlatKey;
  readonly context: PolicyContext;
  readonly children: ReactNode;
}) {
  const t = usePolicyTexts();
  const id = useId();
  const fault = context.faults.get(name);
  const ceiling = context.ceilings === undefined ? undefined : policyWords(context.ceilings, name);
  const effective = context.effective === undefined ? undefined : policyWords(context.effective.values, name);
  const isLocked = context.locks.includes(name);
  return (
    <section aria-labelledby={id} className="grid gap-3 border-t border-line pt-5 first:border-t-0 first:pt-0">
      <div className="grid gap-1">
        <div className="flex flex-wrap items-center gap-2">
          <h3 id={id} className="text-lg font-semibold">
            {t(`${name}.name`)}
          </h3>
          {isLocked && <Badge tone="note">{t("locked")}</Badge>}
          {!isLocked && ceiling !== undefined && <Badge>{t("limited")}</Badge>}
        </div>
        <p className="text-sm text-soft">{t(`${name}.hint`)}</p>
        {isLocked && <p className="text-sm font-semibold text-note">{t("lockedText")}</p>}
        {!isLocked && ceiling !== undefined && <p className="text-sm">{t("limitedText", { value: ceiling })}</p>}
      </div>
      {children}
      {fault !== undefined && (
        <p role="alert" className="text-sm font-semibold text-bad">
          <bdi>{fault}</bdi>
        </p>
      )}
      {effective !== undefined && <Why value={effective} reason={context.effective?.reasons[name]} />}
    </section>
  );
}

interface ChoiceOption extends Option {
  readonly hint?: ReactNode;
}

/** A choice among values, the first being the level above. */
export function FollowChoice({
  name,
  context,
  value,
  options,
  onChange,
}: {
  readonly name: FlatKey;
  readonly context: PolicyContext;
  readonly value: string | undefined;
  readonly options: readonly ChoiceOption[];
  readonly onChange: (value: string | undefined) => void;
}) {
  const t = usePolicyTexts();
  const id = useId();
  return (
    <ChoiceField
      label={t(`${name}.name`)}
      hideLabel
      name={`${id}-${name}`}
      value={value ?? ""}
      disabled={context.isReadOnly || context.locks.includes(name)}
      options={[{ value: "", label: t(`follow.${context.level}`) }, ...options]}
      onChange={(next) => onChange(next === "" ? undefined : next)}
    />
  );
}

/** A list that is typed, or left to the level above. */
export function FollowList({
  name,
  label,
  context,
  value,
  onChange,
}: {
  readonly name: FlatKey;
  readonly label: string;
  readonly context: PolicyContext;
  readonly value: string | undefined;
  readonly onChange: (value: string | undefined) => void;
}) {
  const t = usePolicyTexts();
  const isDisabled = context.isReadOnly || context.locks.includes(name);
  const now = context.effective?.values[name];
  return (
    <div className="grid gap-2">
      <CheckField
        label={t(`own.${context.level}`)}
        checked={value !== undefined}
        disabled={isDisabled}
        onChange={(event) => onChange(event.target.checked ? (Array.isArray(now) ? now.join("\n") : "") : undefined)}
      />
      {value !== undefined && (
        <TextArea
          label={label}
          rows={3}
          value={value}
          disabled={isDisabled}
          spellCheck={false}
          autoCapitalize="none"
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </div>
  );
}
