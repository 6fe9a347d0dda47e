/**
 * The first consent: what a package asks for, who signed it, how risky it is, and the decision.
 *
 * Invariant: consent names the bundle that is shown here; if another one waits by then, the instance refuses and the new one is shown. Nothing runs before.
 */
import type { Install } from "@althing/contract";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { ThoseWhoCan } from "../app/people.tsx";
import { Actions, Button, Refusal, Section, useToast } from "../ui/index.ts";
import { AskedList } from "./asked-list.tsx";
import { DataFacts, EndpointFacts, LimitFacts } from "./consent-facts.tsx";
import { useConsentTexts } from "./consent-texts.ts";
import { grantToSend, itemsOf, withoutRefused } from "./grant-choice.ts";
import { missingSettings, packageChanges, type PackageHere } from "./package-here.ts";
import { RiskNote } from "./risk-note.tsx";
import { SignerFacts } from "./signer-facts.tsx";
import { useRefused } from "./use-refused.ts";

export function ConsentPanel({ here }: { readonly here: PackageHere }) {
  const t = useConsentTexts();
  const { install, view, effective, mayManage } = here;
  const [isChoosing, setIsChoosing] = useState(false);
  const { refused, toggle } = useRefused();
  const chosen = withoutRefused(install.declared, refused);
  const items = itemsOf(install.declared);
  return (
    <Section title={t("title")} lead={t("lead")}>
      <div className="grid gap-6">
        <SignerFacts install={install} view={view} />
        <RiskNote grants={chosen} view={view} isTrusted={install.trust.verified} />
        <section className="grid gap-3">
          <h3 className="text-lg font-semibold">{t("asks")}</h3>
          {mayManage && items.length > 0 && !isChoosing && (
            <div>
              <Button tone="quiet" onClick={() => setIsChoosing(true)}>
                {t("choose")}
              </Button>
            </div>
          )}
          {isChoosing && <p className="text-sm text-soft">{t("chooseHint")}</p>}
          <AskedList items={items} view={view} effective={effective} {...(isChoosing ? { choice: { refused, toggle } } : {})} />
        </section>
        <DataFacts grants={chosen} view={view} effective={effective} />
        <LimitFacts view={view} effective={effective} />
        <EndpointFacts view={view} />
        {mayManage ? (
          <Decision here={here} refused={refused} />
        ) : (
          <p className="font-semibold">
            <ThoseWhoCan permission="plugins.packages.manage" text={t("notAllowed")} />
          </p>
        )}
      </div>
    </Section>
  );
}

function Decision({ here, refused }: { readonly here: PackageHere; readonly refused: ReadonlySet<string> }) {
  const t = useConsentTexts();
  const toast = useToast();
  const { install, params } = here;
  const missing = missingSettings(here);
  const consent = useAct(
    (client, { active }: { readonly active: boolean }) => {
      const grant = grantToSend(install.declared, refused);
      return client.call("packages.change", {
        params,
        body: { consent: { contentHash: install.contentHash, ...(grant === undefined ? {} : { grant }) }, ...(active ? { active } : {}) },
      });
    },
    {
      changes: packageChanges,
      onDone: (after: Install) => toast({ text: t(after.state === "active" ? "agreedActive" : "agreed", { name: after.displayName }) }),
    },
  );
  const isPressed = (active: boolean) => consent.isPending && consent.variables?.active === active;
  return (
    <div className="grid gap-3 border-t border-line pt-5">
      {missing.length > 0 && (
        <p className="rounded-lg bg-note-tint p-3 text-note">{t("needsFirst", { count: missing.length, names: missing.join(", ") })}</p>
      )}
      {consent.isError && <Refusal error={consent.error} />}
      <Actions>
        <Button busy={isPressed(true)} disabled={consent.isPending || missing.length > 0} onClick={() => consent.mutate({ active: true })}>
          {t("grantAndStart")}
        </Button>
        <Button tone="quiet" busy={isPressed(false)} disabled={consent.isPending} onClick={() => consent.mutate({ active: false })}>
          {t("grantOnly")}
        </Button>
      </Actions>
    </div>
  );
}
