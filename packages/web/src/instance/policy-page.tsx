/**
 * What the instance says above every community's plugin policy: defaults, ceilings, locks.
 *
 * Invariant: the three are one record and are sent whole, on the revision that was read; somebody else's change in between is shown, never overwritten.
 */
import { hasCode, pluginPolicySchema, type InstancePluginPolicy, type PluginPolicyKey, type RouteResponse } from "@althing/contract";
import { useState } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { PolicyEditor } from "../plugins/policy-editor.tsx";
import { usePolicyTexts } from "../plugins/policy-texts.ts";
import { Button, Card, CheckField, Refusal, Section, Skeleton, useToast } from "../ui/index.ts";
import { InstanceFrame } from "./instance-frame.tsx";
import { useInstanceTexts } from "./texts.ts";

type View = RouteResponse<"instancePolicy.get">;
const parts = ["defaults", "ceilings", "locks"] as const;
const keys = pluginPolicySchema.keyof().options;

export function InstancePolicyPage() {
  const t = useInstanceTexts();
  const read = useRead("instancePolicy.get");
  return (
    <InstanceFrame title={t("policy.title")} lead={t("policy.lead")}>
      {read.data === undefined ? (
        read.isError ? (
          <Refusal error={read.error} onRetry={() => void read.refetch()} />
        ) : (
          <Skeleton rows={6} />
        )
      ) : (
        <Parts view={read.data} />
      )}
    </InstanceFrame>
  );
}

function Parts({ view }: { readonly view: View }) {
  const t = useInstanceTexts();
  const toast = useToast();
  const save = useAct(
    (client, { policy }: { readonly part: keyof InstancePluginPolicy; readonly policy: InstancePluginPolicy }) =>
      client.call("instancePolicy.put", { body: policy }, { ifMatch: String(view.revision) }),
    { changes: ["instancePolicy.", "policy.", "packages.", "instance."], onDone: () => toast({ text: t("policy.saved") }) },
  );
  const { revision: _revision, ...policy } = view;
  const partOf = (part: keyof InstancePluginPolicy) => ({
    busy: save.isPending && save.variables.part === part,
    ...(save.error !== null && save.variables?.part === part ? { error: save.error } : {}),
  });
  const [shown, setShown] = useState<keyof InstancePluginPolicy>("defaults");
  return (
    <>
      <div role="group" aria-label={t("policy.parts")} className="flex flex-wrap gap-2">
        {parts.map((part) => (
          <Button key={part} tone={part === shown ? "primary" : "quiet"} aria-pressed={part === shown} onClick={() => setShown(part)}>
            {t(`policy.${part}`)}
          </Button>
        ))}
      </div>
      {hasCode(save.error, "request.precondition_failed") && <Card tone="note">{t("policy.changed")}</Card>}
      {/* Hidden and not taken away: what was typed in one part is there when one comes back to it. */}
      <div hidden={shown !== "defaults"}>
        <p className="mb-4 text-soft">{t("policy.defaultsLead")}</p>
        <PolicyEditor
          level="defaults"
          value={view.defaults}
          {...partOf("defaults")}
          onSave={(defaults) => save.mutate({ part: "defaults", policy: { ...policy, defaults } })}
        />
      </div>
      <div hidden={shown !== "ceilings"}>
        <p className="mb-4 text-soft">{t("policy.ceilingsLead")}</p>
        <PolicyEditor
          level="ceilings"
          value={view.ceilings}
          {...partOf("ceilings")}
          onSave={(ceilings) => save.mutate({ part: "ceilings", policy: { ...policy, ceilings } })}
        />
      </div>
      <div hidden={shown !== "locks"}>
        <Locks locks={view.locks} {...partOf("locks")} onSave={(locks) => save.mutate({ part: "locks", policy: { ...policy, locks } })} />
      </div>
    </>
  );
}

function Locks({
  locks,
  busy,
  error,
  onSave,
}: {
  readonly locks: readonly PluginPolicyKey[];
  readonly busy: boolean;
  readonly error?: unknown;
  readonly onSave: (locks: PluginPolicyKey[]) => void;
}) {
  const t = useInstanceTexts();
  const names = usePolicyTexts();
  const [chosen, setChosen] = useState(() => new Set(locks));
  const toggle = (key: PluginPolicyKey) =>
    setChosen((before) => (before.has(key) ? new Set([...before].filter((one) => one !== key)) : new Set([...before, key])));
  return (
    <Section title={t("policy.locks")} lead={t("policy.locksLead")}>
      <div className="grid gap-4">
        <div className="grid gap-3 sm:grid-cols-2">
          {keys.map((key) => (
            <CheckField
              key={key}
              label={names(key === "limits" ? "groups.howMuch" : `${key}.name`)}
              checked={chosen.has(key)}
              onChange={() => toggle(key)}
            />
          ))}
        </div>
        {error !== undefined && <Refusal error={error} />}
        <div>
          <Button busy={busy} onClick={() => onSave(keys.filter((key) => chosen.has(key)))}>
            {t("policy.saveLocks")}
          </Button>
        </div>
      </div>
    </Section>
  );
}
