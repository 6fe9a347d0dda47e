/**
 * The editor of a plugin policy: of a community, or one level of the instance's.
 *
 * Invariant: it edits a copy and sends it whole; what somebody typed is never thrown away by news from the server, which is shown beside it. Nothing here
 * combines policies: what results, and why, is the hub's answer.
 */
import type { EffectivePolicy, PluginPolicyChange, PluginPolicyKey } from "@althing/contract";
import { useMemo, useState, type ReactNode } from "react";
import { Actions, Button, Card, Refusal } from "../ui/index.ts";
import type { PolicyContext, PolicyLevel } from "./policy-context.ts";
import { changeOf, draftOf, faultsOfPolicy, isSamePolicy, withoutKeys, type PolicyDraft } from "./policy-draft.ts";
import { HowMuch, WhatTheyDo, WhoComesIn } from "./policy-keys.tsx";
import { usePolicyTexts } from "./policy-texts.ts";

export interface PolicyEditorProps {
  readonly level: PolicyLevel;
  /** What is set at this level now; keys that are not set follow the level above. */
  readonly value: PluginPolicyChange;
  /** What results, and why; absent where no community is in view. */
  readonly effective?: EffectivePolicy;
  /** How far the instance lets values go. */
  readonly ceilings?: PluginPolicyChange;
  /** Keys that the instance keeps to itself. */
  readonly locks?: readonly PluginPolicyKey[];
  /** Default false: somebody who may read only. */
  readonly isReadOnly?: boolean;
  readonly busy: boolean;
  /** Of the last save or try. */
  readonly error?: unknown;
  readonly onSave: (value: PluginPolicyChange) => void;
  /** Further buttons beside Save, for what would be sent. */
  readonly actions?: (value: PluginPolicyChange, isReadable: boolean) => ReactNode;
  /** Shown between the fields and the buttons: what a try-out found. */
  readonly children?: (value: PluginPolicyChange) => ReactNode;
}

const noLocks: readonly PluginPolicyKey[] = [];

export function PolicyEditor(props: PolicyEditorProps) {
  const { level, effective, ceilings, locks = noLocks, isReadOnly = false, busy, error } = props;
  // What was set before the instance locked it counts for nothing, and would be refused.
  const value = useMemo(() => withoutKeys(props.value, locks), [props.value, locks]);
  const [base, setBase] = useState(value);
  const [draft, setDraft] = useState<PolicyDraft>(() => draftOf(value));
  const [isSent, setIsSent] = useState(false);
  const { change, unread } = useMemo(() => changeOf(draft), [draft]);
  const faults = useMemo(() => faultsOfPolicy(error), [error]);
  const isTyped = unread.length > 0 || !isSamePolicy(change, base);
  const isNews = !isSamePolicy(base, value);
  const take = () => {
    setBase(value);
    setDraft(draftOf(value));
  };
  const isDone = isSent && !busy && (error === undefined || error === null);
  // News that nobody's typing stands against; or one's own policy comes back.
  if (isNews && (!isTyped || isDone || isSamePolicy(change, value))) {
    take();
    setIsSent(false);
  }
  const context: PolicyContext = { level, effective, ceilings, locks, faults, unread, isReadOnly };
  const set = (part: Partial<PolicyDraft>) => setDraft((before) => ({ ...before, ...part }));
  const parts = { draft, context, change: set };
  return (
    <form
      noValidate
      className="grid gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        if (unread.length > 0) return;
        setIsSent(true);
        props.onSave(change);
      }}
    >
      <WhoComesIn {...parts} />
      <WhatTheyDo {...parts} />
      <HowMuch {...parts} />
      {props.children?.(change)}
      {!isReadOnly && (
        <SaveBar {...props} change={change} unread={unread.length} isTyped={isTyped} isNews={isNews && isTyped && !busy} onTake={take} />
      )}
    </form>
  );
}

interface SaveBarProps extends PolicyEditorProps {
  readonly change: PluginPolicyChange;
  readonly unread: number;
  readonly isTyped: boolean;
  readonly isNews: boolean;
  readonly onTake: () => void;
}

function SaveBar({ change, unread, isTyped, isNews, onTake, busy, error, actions }: SaveBarProps) {
  const t = usePolicyTexts();
  const isReadable = unread === 0;
  return (
    <div className="grid gap-3">
      {isNews && (
        <Card tone="note">
          <p role="alert">{t("changedMeanwhile")}</p>
          <Button tone="plain" onClick={onTake}>
            {t("takeTheirs")}
          </Button>
        </Card>
      )}
      {error !== undefined && error !== null && <Refusal error={error} />}
      <p role="status" className="text-sm text-soft">
        {!isReadable ? t("fixFirst", { count: unread }) : isTyped ? t("unsaved") : t("nothingChanged")}
      </p>
      <Actions>
        <Button type="submit" busy={busy} disabled={!isTyped || !isReadable}>
          {t("save")}
        </Button>
        {actions?.(change, isReadable && isTyped)}
        {isTyped && (
          <Button tone="plain" onClick={onTake}>
            {t("undoTyping")}
          </Button>
        )}
      </Actions>
    </div>
  );
}
