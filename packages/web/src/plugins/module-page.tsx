/** One built-in module: what it does, its switch, its settings. */
import { moduleNames, type ModuleName, type ModuleState } from "@althing/contract";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { ThoseWhoCan } from "../app/people.tsx";
import { Card, EmptyState, LinkButton, Page, PageHeader, Refusal, Section, Skeleton, useToast } from "../ui/index.ts";
import { moduleSchemaOf } from "./module-schema.ts";
import { useModuleTexts } from "./module-texts.ts";
import { ModuleSwitch } from "./modules-page.tsx";
import { SettingsEditor } from "./settings-editor.tsx";
import type { Settings } from "./settings-form.tsx";

const hinted = [
  "discussionDays",
  "votingDays",
  "closingSoonHours",
  "secretBallots",
  "voidAfterDays",
  "topics",
  "appealDays",
  "weeklyDigest",
  "rules",
] as const;
/** What needs no word beside its title. */
const plain = ["questions", "id", "text", "required"] as const;

export function ModulePage() {
  const t = useModuleTexts();
  const { ref } = useCommunity();
  const { module: name } = useParams({ strict: false });
  const module = moduleNames.find((one) => one === name);
  if (module === undefined)
    return (
      <Page>
        <PageHeader title={t("unknown")} />
        <EmptyState
          title={t("unknown")}
          actions={
            <LinkButton to="/c/$community/plugins/modules" params={{ community: ref }}>
              {t("all")}
            </LinkButton>
          }
        />
      </Page>
    );
  return <KnownModule module={module} />;
}

function KnownModule({ module }: { readonly module: ModuleName }) {
  const t = useModuleTexts();
  const { ref } = useCommunity();
  const read = useRead("modules.get", { params: { community: ref, module } });
  return (
    <Page>
      <PageHeader
        title={t(`names.${module}`)}
        lead={t(`what.${module}`)}
        above={
          <Link to="/c/$community/plugins/modules" params={{ community: ref }}>
            {t("above")}
          </Link>
        }
        actions={read.data !== undefined && <ModuleSwitch state={read.data} />}
      />
      {read.data !== undefined ? (
        <ModuleSettings state={read.data} />
      ) : read.isError ? (
        <Refusal error={read.error} onRetry={() => void read.refetch()} />
      ) : (
        <Skeleton rows={3} />
      )}
    </Page>
  );
}

function ModuleSettings({ state: { module, enabled, settings, revision } }: { readonly state: ModuleState }) {
  const t = useModuleTexts();
  const toast = useToast();
  const { ref, can } = useCommunity();
  const maySet = can("plugins.settings.manage");
  const schema = useMemo(
    () =>
      moduleSchemaOf(module, (name) => {
        const known = hinted.find((one) => one === name);
        if (known !== undefined) return { title: t(`titles.${known}`), hint: t(`hints.${known}`) };
        const simple = plain.find((one) => one === name);
        return simple === undefined ? {} : { title: t(`titles.${simple}`) };
      }),
    [module, t],
  );
  const save = useAct(
    (client, next: Settings) =>
      client.call("modules.change", { params: { community: ref, module }, body: { settings: { ...next } } }, { ifMatch: String(revision) }),
    { changes: ["modules.", "communities."], onDone: () => toast({ text: t("saved", { name: t(`names.${module}`) }) }) },
  );
  return (
    <>
      {!enabled && (
        <Card tone="note">
          <p>{t("offNote")}</p>
        </Card>
      )}
      <Section title={t("settings")} lead={maySet ? undefined : <ThoseWhoCan permission="plugins.settings.manage" text={t("readOnly")} />}>
        <SettingsEditor
          schema={schema}
          value={settings}
          isReadOnly={!maySet}
          busy={save.isPending}
          error={save.error}
          onSave={(next) => save.mutate(next)}
        />
      </Section>
    </>
  );
}
