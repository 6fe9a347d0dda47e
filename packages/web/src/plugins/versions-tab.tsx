/** Versions that were current here, and the way back to each. */
import type { Install } from "@althing/contract";
import { useState } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { Badge, Button, ConfirmDialog, Refusal, Section, Skeleton, Table, Time, useToast } from "../ui/index.ts";
import { SignatureBadge } from "./package-badges.tsx";
import { packageChanges, type PackageHere } from "./package-here.ts";
import { usePackageTexts } from "./package-texts.ts";

interface Target {
  readonly version: string;
  readonly contentHash: string;
}

export function VersionsTab({ here }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const { install, params, mayManage } = here;
  const [target, setTarget] = useState<Target>();
  const read = useRead("packages.versions", { params });
  if (read.isError) return <Refusal error={read.error} onRetry={() => void read.refetch()} />;
  if (read.data === undefined) return <Skeleton rows={2} />;
  const { versions } = read.data;
  return (
    <Section title={t("versions.title")} lead={t("versions.lead")}>
      <Table
        label={t("versions.title")}
        rows={versions}
        keyOf={({ contentHash }) => contentHash}
        columns={[
          {
            name: t("about.version"),
            isHeading: true,
            cell: ({ version, contentHash }) => (
              <span className="flex flex-wrap items-center gap-2 font-semibold">
                {version}
                {contentHash === install.contentHash && <Badge tone="good">{t("versions.current")}</Badge>}
              </span>
            ),
          },
          { name: t("versions.installedAt"), cell: ({ installedAt }) => <Time at={installedAt} form="short" /> },
          { name: t("versions.trust"), cell: ({ trust }) => <SignatureBadge trust={trust} /> },
          { name: t("versions.hash"), cell: ({ contentHash }) => <code title={contentHash}>{contentHash.slice(0, 19)}…</code> },
          {
            name: t("versions.actions"),
            cell: (version) =>
              mayManage && version.contentHash !== install.contentHash ? (
                <Button tone="quiet" onClick={() => setTarget(version)}>
                  {t("versions.back", { version: version.version })}
                </Button>
              ) : null,
          },
        ]}
      />
      {versions.length < 2 && <p className="mt-4 text-soft">{t("versions.only")}</p>}
      {target !== undefined && <RollbackDialog here={here} target={target} onClose={() => setTarget(undefined)} />}
    </Section>
  );
}

function RollbackDialog({
  here: { install, params },
  target,
  onClose,
}: {
  readonly here: PackageHere;
  readonly target: Target;
  readonly onClose: () => void;
}) {
  const t = usePackageTexts();
  const toast = useToast();
  const { version } = target;
  const rollback = useAct(
    (client) =>
      client.call("packages.rollback", { params, body: { contentHash: target.contentHash } }, { ifMatch: String(install.revision) }),
    {
      changes: packageChanges,
      onDone: (after: Install) => {
        toast({ text: t("versions.done", { name: after.displayName, version: after.version }) });
        onClose();
      },
    },
  );
  return (
    <ConfirmDialog
      title={t("versions.backTitle", { version })}
      action={t("versions.back", { version })}
      busy={rollback.isPending}
      error={rollback.error}
      onConfirm={() => rollback.mutate()}
      onClose={onClose}
    >
      <p>{t("versions.backText", { before: install.version, version })}</p>
      {install.pending !== undefined && <p>{t("versions.waiting")}</p>}
    </ConfirmDialog>
  );
}
