/**
 * The plugin policy of a community: edited, tried out on the last seven days, saved.
 *
 * Invariant: saved on the revision that was read, so that two people cannot undo each other without noticing; what a try-out found is marked as old as soon
 * as somebody types on.
 */
import type { PluginPolicyChange, RouteResponse } from "@althing/contract";
import { useAct, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { ThoseWhoCan } from "../app/people.tsx";
import { wholeNumber } from "../app/times.ts";
import { Badge, Button, Card, Page, Refusal, Section, Skeleton, Table, useToast } from "../ui/index.ts";
import { PluginsHeader } from "./plugin-tabs.tsx";
import { isSamePolicy } from "./policy-draft.ts";
import { PolicyEditor } from "./policy-editor.tsx";
import { usePolicyTexts } from "./policy-texts.ts";

export function PolicyPage() {
  const t = usePolicyTexts();
  const { ref } = useCommunity();
  const view = useRead("policy.get", { params: { community: ref } });
  return (
    <Page>
      <PluginsHeader lead={t("lead")} />
      {view.data !== undefined ? (
        <Editor view={view.data} />
      ) : view.isError ? (
        <Refusal error={view.error} onRetry={() => void view.refetch()} />
      ) : (
        <Skeleton rows={5} height="h-24" />
      )}
    </Page>
  );
}

function ReadOnlyNote() {
  const t = usePolicyTexts();
  return (
    <Card tone="note">
      <p>
        <ThoseWhoCan permission="plugins.policy.manage" text={t("readOnly")} />
      </p>
    </Card>
  );
}

function Editor({ view }: { readonly view: RouteResponse<"policy.get"> }) {
  const t = usePolicyTexts();
  const toast = useToast();
  const { ref, can } = useCommunity();
  const mayManage = can("plugins.policy.manage");
  const params = { community: ref };
  const save = useAct(
    (client, body: PluginPolicyChange) => client.call("policy.put", { params, body }, { ifMatch: String(view.revision) }),
    {
      changes: ["policy.", "packages.", "jobs."],
      onDone: () => toast({ text: t("saved") }),
    },
  );
  const dryRun = useAct((client, body: PluginPolicyChange) => client.call("policy.dryRun", { params, body }), { changes: [] });
  const error = save.error ?? dryRun.error;
  return (
    <>
      {!mayManage && <ReadOnlyNote />}
      <PolicyEditor
        level="community"
        value={view.community}
        effective={view.effective}
        ceilings={view.instance.ceilings}
        locks={view.instance.locks}
        isReadOnly={!mayManage}
        busy={save.isPending}
        error={error}
        onSave={(body) => {
          dryRun.reset();
          save.mutate(body);
        }}
        actions={(body, isReady) => (
          <Button
            tone="quiet"
            busy={dryRun.isPending}
            disabled={!isReady}
            onClick={() => {
              save.reset();
              dryRun.mutate(body);
            }}
          >
            {t("dryRun.action")}
          </Button>
        )}
      >
        {(body) =>
          dryRun.data !== undefined &&
          dryRun.variables !== undefined && <Found found={dryRun.data} isOld={!isSamePolicy(body, dryRun.variables)} />
        }
      </PolicyEditor>
    </>
  );
}

function Found({ found: { blocks }, isOld }: { readonly found: RouteResponse<"policy.dryRun">; readonly isOld: boolean }) {
  const t = usePolicyTexts();
  return (
    <Section title={t("dryRun.title")} lead={t("dryRun.lead")}>
      <div className="grid gap-4">
        {isOld && (
          <p>
            <Badge tone="note">{t("dryRun.stale")}</Badge>
          </p>
        )}
        <p role="status" className="font-semibold">
          {blocks.length === 0 ? t("dryRun.nothing") : t("dryRun.found", { count: blocks.length })}
        </p>
        {blocks.length > 0 && (
          <Table
            label={t("dryRun.title")}
            rows={blocks}
            keyOf={({ kind, install, name }) => `${kind} ${install} ${name}`}
            columns={[
              {
                name: t("dryRun.name"),
                isHeading: true,
                cell: ({ kind, name, extension }) => (
                  <span className="grid">
                    <span>
                      {t(`dryRun.kinds.${kind}`)}: <bdi className="font-semibold">{name}</bdi>
                    </span>
                    <bdi className="font-mono text-sm text-soft">{extension}</bdi>
                  </span>
                ),
              },
              {
                name: t("dryRun.rule"),
                cell: ({ rule, text }) => (
                  <span className="grid">
                    <bdi className="font-mono text-sm">{rule}</bdi>
                    <bdi className="text-sm">{text}</bdi>
                  </span>
                ),
              },
              { name: t("dryRun.calls"), cell: ({ calls }) => wholeNumber(calls) },
            ]}
          />
        )}
      </div>
    </Section>
  );
}
