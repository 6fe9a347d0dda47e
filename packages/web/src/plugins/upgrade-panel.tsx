/**
 * An upgrade that waits: what is new in it and what it gives up, and the decision.
 *
 * Invariant: what is new is marked by a word, not by a colour alone; what somebody refused before stays refused unless they say otherwise now. Until the
 * decision the version before goes on.
 */
import type { Install } from "@althing/contract";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { ThoseWhoCan } from "../app/people.tsx";
import { Actions, Badge, Button, ConfirmDialog, Refusal, Section, Time, useToast } from "../ui/index.ts";
import { AskedList } from "./asked-list.tsx";
import { useConsentTexts } from "./consent-texts.ts";
import { declaredAfter, grantToSend, itemKey, itemsOf, refusedBefore, withoutRefused, type GrantItem } from "./grant-choice.ts";
import { viewOfManifest, type ManifestView } from "./manifest-view.ts";
import { packageChanges, type PackageHere } from "./package-here.ts";
import { limitWords } from "./policy-words.ts";
import { RiskNote } from "./risk-note.tsx";
import { diffManifests, type PartChange } from "./upgrade-diff.ts";
import { useRefused } from "./use-refused.ts";

type Pending = NonNullable<Install["pending"]>;

export function UpgradePanel({ here, pending }: { readonly here: PackageHere; readonly pending: Pending }) {
  const t = useConsentTexts();
  const { install, view, effective, mayManage } = here;
  const next = viewOfManifest(pending.manifest);
  const before = refusedBefore(install.declared, install.granted);
  const { refused, toggle } = useRefused(before);
  const declared = declaredAfter(install.declared, pending.diff);
  const added = new Set(itemsOf(pending.diff.added).map(itemKey));
  // What it keeps needs no new decision, but for what was refused.
  const items = itemsOf(declared).filter((item) => added.has(itemKey(item)) || before.has(itemKey(item)));
  const gone = itemsOf(pending.diff.removed);
  const mark = (item: GrantItem) => (
    <Badge tone={added.has(itemKey(item)) ? "accent" : "plain"}>{t(added.has(itemKey(item)) ? "asNew" : "refusedBefore")}</Badge>
  );
  return (
    <Section
      title={t("upgradeTitle", { version: pending.version })}
      lead={
        <>
          {t(install.state === "active" ? "upgradeLead" : "upgradeOffLead", { before: install.version })} {t("cameIn")}{" "}
          <Time at={pending.at} />.
        </>
      }
    >
      <div className="grid gap-6">
        <section className="grid gap-3">
          <h3 className="text-lg font-semibold">{t("newAsks")}</h3>
          <AskedList items={items} view={next} effective={effective} mark={mark} {...(mayManage ? { choice: { refused, toggle } } : {})} />
        </section>
        {gone.length > 0 && (
          <section className="grid gap-3">
            <h3 className="text-lg font-semibold">{t("goneAsks")}</h3>
            <AskedList items={gone} view={view} effective={undefined} mark={() => <Badge>{t("asGone")}</Badge>} />
          </section>
        )}
        <OtherChanges before={view} after={next} />
        <RiskNote grants={withoutRefused(declared, refused)} view={next} isTrusted={pending.trust.verified} />
        {mayManage ? (
          <UpgradeDecision here={here} pending={pending} refused={refused} />
        ) : (
          <p className="font-semibold">
            <ThoseWhoCan permission="plugins.packages.manage" text={t("notAllowed")} />
          </p>
        )}
      </div>
    </Section>
  );
}

const changeMarks = { added: "asNew", removed: "asGone", changed: "asChanged" } as const;

function OtherChanges({ before, after }: { readonly before: ManifestView; readonly after: ManifestView }) {
  const t = useConsentTexts();
  const changes = diffManifests(before, after);
  return (
    <section className="grid gap-3">
      <h3 className="text-lg font-semibold">{t("otherChanges")}</h3>
      {changes.length === 0 ? (
        <p className="text-soft">{t("noOther")}</p>
      ) : (
        <ul className="grid gap-2">
          {changes.map((change) => (
            <li key={`${change.part} ${change.name}`} className="flex flex-wrap items-center gap-x-3 gap-y-1">
              <Badge tone={change.change === "added" ? "accent" : "plain"}>{t(changeMarks[change.change])}</Badge>
              <span>{t(`parts.${change.part}`)}</span>
              <bdi className="min-w-0 font-mono text-sm">{change.name}</bdi>
              <LimitChange change={change} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const limitNames = ["fuel", "timeMs", "memoryBytes"] as const;

function LimitChange({ change: { part, name, before, after } }: { readonly change: PartChange }) {
  const t = useConsentTexts();
  const limit = part === "limits" ? limitNames.find((one) => one === name) : undefined;
  if (limit === undefined) return null;
  const words = (value: number | undefined) => (value === undefined ? t("nothingSet") : limitWords(limit, value));
  return <span className="text-sm text-soft">{t("fromTo", { before: words(before), after: words(after) })}</span>;
}

function UpgradeDecision({
  here,
  pending,
  refused,
}: {
  readonly here: PackageHere;
  readonly pending: Pending;
  readonly refused: ReadonlySet<string>;
}) {
  const t = useConsentTexts();
  const toast = useToast();
  const { install, params } = here;
  const [isGivingUp, setIsGivingUp] = useState(false);
  const names = { version: pending.version, before: install.version };
  const consent = useAct(
    (client) => {
      const grant = grantToSend(declaredAfter(install.declared, pending.diff), refused);
      return client.call("packages.change", {
        params,
        body: { consent: { contentHash: pending.contentHash, ...(grant === undefined ? {} : { grant }) } },
      });
    },
    { changes: packageChanges, onDone: () => toast({ text: t("agreed", { name: install.displayName }) }) },
  );
  const giveUp = useAct((client) => client.call("packages.rollback", { params, body: { contentHash: install.contentHash } }), {
    changes: packageChanges,
    onDone: () => {
      setIsGivingUp(false);
      toast({ text: t("gaveUp", names) });
    },
  });
  return (
    <div className="grid gap-3 border-t border-line pt-5">
      {consent.isError && <Refusal error={consent.error} />}
      <Actions>
        <Button busy={consent.isPending} onClick={() => consent.mutate()}>
          {t("upgrade")}
        </Button>
        <Button tone="quiet" disabled={consent.isPending} onClick={() => setIsGivingUp(true)}>
          {t("giveUp")}
        </Button>
      </Actions>
      {isGivingUp && (
        <ConfirmDialog
          title={t("giveUpTitle", names)}
          action={t("giveUp")}
          busy={giveUp.isPending}
          error={giveUp.error}
          onConfirm={() => giveUp.mutate()}
          onClose={() => setIsGivingUp(false)}
        >
          <p>{t("giveUpText", names)}</p>
        </ConfirmDialog>
      )}
    </div>
  );
}
