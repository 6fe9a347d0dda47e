/**
 * How a package comes in: from a file, from the instance's registry, from another registry.
 *
 * Invariant: it comes in powerless, and the next page shows what it asks for; a refusal is shown whole where it happened, and what was chosen stays chosen.
 */
import type { Install } from "@althing/contract";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { ThoseWhoCan } from "../app/people.tsx";
import { Card, ChoiceField, EmptyState, Page, PageHeader, Refusal, Section, Skeleton, useToast } from "../ui/index.ts";
import { OwnRegistryForm, UrlForm } from "./registry-forms.tsx";
import { usePluginTexts } from "./texts.ts";
import { UploadForm } from "./upload-form.tsx";

const ways = ["upload", "own", "url"] as const;
type Way = (typeof ways)[number];

/** Where to go after a package came in, with a word on what happened. */
function useArrived(): (install: Install) => void {
  const t = usePluginTexts();
  const navigate = useNavigate();
  const toast = useToast();
  const { ref } = useCommunity();
  return (install) => {
    const name = install.displayName;
    if (install.pending !== undefined) toast({ text: t("install.pendingToast", { name, version: install.pending.version }) });
    else
      toast({
        text: t(install.state === "installed" ? "install.installedToast" : "install.upgradedToast", { name, version: install.version }),
      });
    void navigate({ to: "/c/$community/plugins/packages/$extension", params: { community: ref, extension: install.extension } });
  };
}

export function InstallPage() {
  const t = usePluginTexts();
  const { ref, can } = useCommunity();
  const above = (
    <Link to="/c/$community/plugins" params={{ community: ref }}>
      {t("install.above")}
    </Link>
  );
  return (
    <Page>
      <PageHeader title={t("install.title")} lead={t("install.lead")} above={above} />
      {can("plugins.packages.manage") ? <Ways /> : <NotAllowed />}
    </Page>
  );
}

function NotAllowed() {
  const t = usePluginTexts();
  return (
    <EmptyState title={t("install.notAllowed")}>
      <p>
        <ThoseWhoCan permission="plugins.packages.manage" />
      </p>
    </EmptyState>
  );
}

function Ways() {
  const t = usePluginTexts();
  const { ref } = useCommunity();
  const { extension } = useParams({ strict: false });
  const [way, setWay] = useState<Way>(extension === undefined ? "upload" : "own");
  const policy = useRead("policy.get", { params: { community: ref } });
  const arrived = useArrived();
  if (policy.isError) return <Refusal error={policy.error} onRetry={() => void policy.refetch()} />;
  if (policy.data === undefined) return <Skeleton rows={3} />;
  const { values, reasons } = policy.data.effective;
  const source = way === "upload" ? "upload" : "registry";
  const isOff = !values.installSources.includes(source);
  return (
    <>
      <Section title={t("install.ways")}>
        <ChoiceField
          label={t("install.ways")}
          hideLabel
          name="way"
          value={way}
          options={ways.map((one) => ({ value: one, label: t(`install.way.${one}`) }))}
          onChange={(next) => setWay(ways.find((one) => one === next) ?? "upload")}
        />
      </Section>
      {isOff && (
        <Card tone="note">
          <p className="font-semibold">{t(`install.off.${source}`)}</p>
          <p className="mt-1 text-sm">
            {t("rule")}: installSources. <bdi>{reasons["installSources"]?.text}</bdi>. {t("who")}:{" "}
            <bdi>{reasons["installSources"]?.who}</bdi>.{" "}
            <Link to="/c/$community/plugins/policy" params={{ community: ref }} className="underline">
              {t("install.toPolicy")}
            </Link>
          </p>
        </Card>
      )}
      <Section title={t(`install.way.${way}`)}>
        {way === "upload" && <UploadForm community={ref} onDone={arrived} />}
        {way === "own" && <OwnRegistryForm community={ref} preset={extension} onDone={arrived} />}
        {way === "url" && <UrlForm community={ref} allowed={values.registryAllowlist} onDone={arrived} />}
      </Section>
    </>
  );
}
