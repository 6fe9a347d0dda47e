/** The controls of every key of a policy, grouped by what they are about. */
import type { PluginPolicyKey } from "@althing/contract";
import { CheckField, Section, TextArea, TextField } from "../ui/index.ts";
import type { PolicyContext } from "./policy-context.ts";
import { limitNames, limitText, type InstallSource, type LimitName, type PolicyDraft, type TrustMode } from "./policy-draft.ts";
import { FollowChoice, FollowList, PolicyKey } from "./policy-key.tsx";
import { limitWords } from "./policy-words.ts";
import { usePolicyTexts } from "./policy-texts.ts";
import { Badge } from "../ui/index.ts";

interface KeysProps {
  readonly draft: PolicyDraft;
  readonly context: PolicyContext;
  readonly change: (part: Partial<PolicyDraft>) => void;
}

const trustModes = ["signed_only", "trusted_publishers", "allow_unsigned"] as const satisfies readonly TrustMode[];
const sources = ["upload", "registry"] as const satisfies readonly InstallSource[];

export function WhoComesIn({ draft, context, change }: KeysProps) {
  const t = usePolicyTexts();
  const options = trustModes.map((mode) => ({ value: mode, label: t(`trust.${mode}`), hint: t(`trust.${mode}Hint`) }));
  return (
    <Section title={t("groups.whoComesIn")} lead={t("groups.whoComesInLead")}>
      <div className="grid gap-6">
        <PolicyKey name="trust" context={context}>
          {context.level === "ceilings" && <p className="text-sm">{t("ceiling.trustHint")}</p>}
          <FollowChoice
            name="trust"
            context={context}
            value={draft.trust}
            options={options}
            onChange={(value) => change({ trust: trustModes.find((mode) => mode === value) })}
          />
        </PolicyKey>
        <PolicyKey name="trustedPublishers" context={context}>
          <FollowList
            name="trustedPublishers"
            label={t("trustedPublishers.label")}
            context={context}
            value={draft.trustedPublishers}
            onChange={(trustedPublishers) => change({ trustedPublishers })}
          />
        </PolicyKey>
        <PolicyKey name="installSources" context={context}>
          <Sources draft={draft} context={context} change={change} />
        </PolicyKey>
        <PolicyKey name="registryAllowlist" context={context}>
          <FollowList
            name="registryAllowlist"
            label={t("registryAllowlist.label")}
            context={context}
            value={draft.registryAllowlist}
            onChange={(registryAllowlist) => change({ registryAllowlist })}
          />
        </PolicyKey>
      </div>
    </Section>
  );
}

function Sources({ draft, context, change }: KeysProps) {
  const t = usePolicyTexts();
  const isDisabled = context.isReadOnly || context.locks.includes("installSources");
  const chosen = draft.installSources;
  const toggle = (source: InstallSource, isOn: boolean) =>
    change({ installSources: sources.filter((one) => (one === source ? isOn : chosen?.includes(one) === true)) });
  return (
    <div className="grid gap-2">
      <CheckField
        label={t(`own.${context.level}`)}
        checked={chosen !== undefined}
        disabled={isDisabled}
        onChange={(event) =>
          change({ installSources: event.target.checked ? (context.effective?.values.installSources ?? [...sources]) : undefined })
        }
      />
      {chosen !== undefined && (
        <div className="grid gap-2 ps-8">
          {sources.map((source) => (
            <CheckField
              key={source}
              label={t(`installSources.${source}`)}
              checked={chosen.includes(source)}
              disabled={isDisabled}
              onChange={(event) => toggle(source, event.target.checked)}
            />
          ))}
        </div>
      )}
    </div>
  );
}

const onOff = (value: boolean | undefined): string | undefined => (value === undefined ? undefined : value ? "on" : "off");
const fromOnOff = (value: string | undefined): boolean | undefined => (value === undefined ? undefined : value === "on");

export function WhatTheyDo({ draft, context, change }: KeysProps) {
  const t = usePolicyTexts();
  const isCeiling = context.level === "ceilings";
  const options = (key: "outboundHttp" | "backgroundJobs" | "publicEndpoints") => [
    { value: "on", label: isCeiling && key !== "outboundHttp" ? t("ceiling.on") : t(`${key}.on`) },
    { value: "off", label: isCeiling ? t("ceiling.off") : t(`${key}.off`) },
  ];
  return (
    <Section title={t("groups.whatTheyDo")} lead={t("groups.whatTheyDoLead")}>
      <div className="grid gap-6">
        <PolicyKey name="outboundHttp" context={context}>
          <Outbound draft={draft} context={context} change={change} options={options("outboundHttp")} />
        </PolicyKey>
        <PolicyKey name="backgroundJobs" context={context}>
          <FollowChoice
            name="backgroundJobs"
            context={context}
            value={onOff(draft.backgroundJobs)}
            options={options("backgroundJobs")}
            onChange={(value) => change({ backgroundJobs: fromOnOff(value) })}
          />
        </PolicyKey>
        <PolicyKey name="publicEndpoints" context={context}>
          <FollowChoice
            name="publicEndpoints"
            context={context}
            value={onOff(draft.publicEndpoints)}
            options={options("publicEndpoints")}
            onChange={(value) => change({ publicEndpoints: fromOnOff(value) })}
          />
        </PolicyKey>
      </div>
    </Section>
  );
}

function Outbound({
  draft,
  context,
  change,
  options,
}: KeysProps & { readonly options: readonly { readonly value: string; readonly label: string }[] }) {
  const t = usePolicyTexts();
  const { outboundHttp } = draft;
  const hosts = outboundHttp?.hosts ?? context.effective?.values.outboundHttp.allowlist.join("\n") ?? "";
  return (
    <div className="grid gap-3">
      <FollowChoice
        name="outboundHttp"
        context={context}
        value={onOff(outboundHttp?.enabled)}
        options={options}
        onChange={(value) => change({ outboundHttp: value === undefined ? undefined : { enabled: value === "on", hosts } })}
      />
      {outboundHttp?.enabled === true && (
        <TextArea
          label={t("outboundHttp.label")}
          hint={t("outboundHttp.labelHint")}
          rows={3}
          value={outboundHttp.hosts}
          disabled={context.isReadOnly || context.locks.includes("outboundHttp")}
          spellCheck={false}
          autoCapitalize="none"
          onChange={(event) => change({ outboundHttp: { enabled: true, hosts: event.target.value } })}
        />
      )}
    </div>
  );
}

export function HowMuch({ draft, context, change }: KeysProps) {
  const t = usePolicyTexts();
  const key: PluginPolicyKey = "limits";
  const isLocked = context.locks.includes(key);
  return (
    <Section
      title={t("groups.howMuch")}
      lead={t("groups.howMuchLead")}
      actions={isLocked ? <Badge tone="note">{t("locked")}</Badge> : undefined}
    >
      {isLocked && <p className="mb-4 text-sm font-semibold text-note">{t("lockedText")}</p>}
      <div className="grid items-start gap-x-6 gap-y-5 sm:grid-cols-2">
        {limitNames.map((name) => (
          <LimitField
            key={name}
            name={name}
            text={draft.limits[name]}
            context={context}
            onChange={(text) => change({ limits: { ...draft.limits, [name]: text } })}
          />
        ))}
      </div>
    </Section>
  );
}

function LimitField({
  name,
  text,
  context,
  onChange,
}: {
  readonly name: LimitName;
  readonly text: string;
  readonly context: PolicyContext;
  readonly onChange: (text: string) => void;
}) {
  const t = usePolicyTexts();
  const { effective, ceilings } = context;
  const ceiling = ceilings?.limits?.[name];
  const now = effective?.values.limits[name];
  const why = effective?.reasons[`limits.${name}`]?.text ?? "";
  const hint = [
    t(`limits.${name}Hint`),
    ...(now === undefined ? [] : [t("limits.nowHint", { value: limitWords(name, now), why })]),
    ...(ceiling === undefined ? [] : [t("limits.atMost", { value: limitWords(name, ceiling) })]),
  ].join(" ");
  return (
    <TextField
      label={t(`limits.${name}`)}
      hint={hint}
      fault={context.unread.includes(name) ? t("limits.badNumber") : context.faults.get(`limits.${name}`)}
      inputMode="decimal"
      autoComplete="off"
      value={text}
      placeholder={now === undefined ? t(`notSet.${context.level}`) : limitText(name, now)}
      disabled={context.isReadOnly || context.locks.includes("limits")}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
