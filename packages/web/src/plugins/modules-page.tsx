/** The built-in modules of a community: what each does, whether it is on, and the way to its settings. */
import type { ModuleState } from "@althing/contract";
import { useAct, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Badge, Button, Card, LinkButton, Page, Refusal, Skeleton, useToast } from "../ui/index.ts";
import { useModuleTexts } from "./module-texts.ts";
import { PluginsHeader } from "./plugin-tabs.tsx";

export function ModulesPage() {
  const t = useModuleTexts();
  const { ref } = useCommunity();
  const read = useRead("modules.list", { params: { community: ref } });
  return (
    <Page>
      <PluginsHeader lead={t("lead")} />
      {read.data !== undefined ? (
        <ul className="grid gap-4 md:grid-cols-2">
          {read.data.modules.map((state) => (
            <ModuleCard key={state.module} state={state} />
          ))}
        </ul>
      ) : read.isError ? (
        <Refusal error={read.error} onRetry={() => void read.refetch()} />
      ) : (
        <Skeleton rows={6} height="h-28" />
      )}
    </Page>
  );
}

function ModuleCard({ state }: { readonly state: ModuleState }) {
  const t = useModuleTexts();
  const { ref } = useCommunity();
  const name = t(`names.${state.module}`);
  return (
    <li className="contents">
      <Card className="grid content-between gap-4">
        <div className="grid gap-2">
          <div className="flex flex-wrap items-center gap-2">
            <h2 className="text-lg font-semibold">{name}</h2>
            <Badge tone={state.enabled ? "good" : "plain"}>
              <span aria-hidden="true">{state.enabled ? "●" : "○"}</span>
              {t(state.enabled ? "on" : "off")}
            </Badge>
          </div>
          <p className="text-soft">{t(`what.${state.module}`)}</p>
        </div>
        <div className="flex flex-wrap items-center gap-3">
          <ModuleSwitch state={state} />
          <LinkButton tone="plain" to="/c/$community/plugins/modules/$module" params={{ community: ref, module: state.module }}>
            {t("settings")} <span className="sr-only">{name}</span>
          </LinkButton>
        </div>
      </Card>
    </li>
  );
}

export function ModuleSwitch({ state: { module, enabled, revision } }: { readonly state: ModuleState }) {
  const t = useModuleTexts();
  const toast = useToast();
  const { ref, can } = useCommunity();
  const name = t(`names.${module}`);
  const change = useAct(
    (client, next: boolean) =>
      client.call("modules.change", { params: { community: ref, module }, body: { enabled: next } }, { ifMatch: String(revision) }),
    {
      changes: ["modules.", "communities."],
      onDone: (after: ModuleState) => toast({ text: t(after.enabled ? "switchedOn" : "switchedOff", { name }) }),
    },
  );
  if (!can("plugins.settings.manage")) return null;
  return (
    <>
      <Button tone="quiet" busy={change.isPending} onClick={() => change.mutate(!enabled)}>
        {t(enabled ? "switchOff" : "switchOn")} <span className="sr-only">{name}</span>
      </Button>
      {change.isError && <Refusal error={change.error} />}
    </>
  );
}
