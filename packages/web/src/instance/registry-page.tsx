/** Packages that the instance offers: versions, deprecating, yanking. */
import type { PackageVersion, RouteResponse } from "@althing/contract";
import { useState, type ReactNode } from "react";
import { useAct, usePages, useRead } from "../app/calls.ts";
import {
  Badge,
  Button,
  ConfirmDialog,
  EmptyState,
  ListState,
  Refusal,
  SearchField,
  Skeleton,
  Table,
  TextField,
  Time,
  useToast,
} from "../ui/index.ts";
import { InstanceFrame } from "./instance-frame.tsx";
import { useInstanceTexts } from "./texts.ts";

type Summary = RouteResponse<"registry.list">["packages"][number];

export function RegistryPage() {
  const t = useInstanceTexts();
  const [search, setSearch] = useState("");
  const wanted = search.trim();
  const list = usePages(
    "registry.list",
    (after) => ({ query: { limit: 50, ...(wanted === "" ? {} : { search: wanted }), ...(after === undefined ? {} : { after }) } }),
    ({ packages, next }) => ({ rows: packages, next }),
  );
  return (
    <InstanceFrame title={t("registry.title")} lead={t("registry.lead")}>
      <SearchField label={t("registry.search")} value={search} onChange={setSearch} />
      <ListState
        list={list}
        waiting={{ height: "h-56 sm:h-35" }}
        empty={<EmptyState title={t("registry.none")}>{t("registry.noneText")}</EmptyState>}
      >
        <ul className="grid gap-3">
          {list.rows.map((summary) => (
            <PackageRow key={summary.name} summary={summary} />
          ))}
        </ul>
      </ListState>
    </InstanceFrame>
  );
}

function PackageRow({ summary: { name, latest, versions } }: { readonly summary: Summary }) {
  const t = useInstanceTexts();
  const [isOpen, setIsOpen] = useState(false);
  return (
    <li className="grid gap-3 rounded-card border border-line bg-card p-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="grid min-w-0 gap-1">
          <h2 className="text-lg font-bold">
            <bdi>{latest.displayName}</bdi>
          </h2>
          <code className="text-sm text-soft">{name}</code>
          {latest.description !== undefined && (
            <p>
              <bdi>{latest.description}</bdi>
            </p>
          )}
          <p className="text-sm text-soft">
            {t("registry.latest")} {latest.version} · {t("registry.versions", { count: versions })} · {t("registry.publisher")}{" "}
            <bdi>{latest.publisher.name}</bdi>
          </p>
        </div>
        <Button
          tone="quiet"
          aria-expanded={isOpen}
          aria-label={t(isOpen ? "registry.hideName" : "registry.showName", { name: latest.displayName })}
          onClick={() => setIsOpen(!isOpen)}
        >
          {isOpen ? t("registry.hide") : t("registry.show")}
        </Button>
      </div>
      {isOpen && <Versions name={name} />}
    </li>
  );
}

type Mark = { readonly act: "deprecate" | "yank"; readonly undo: boolean; readonly version: PackageVersion };

function Versions({ name }: { readonly name: PackageVersion["name"] }) {
  const t = useInstanceTexts();
  const [marking, setMarking] = useState<Mark>();
  const read = useRead("registry.get", { params: { name } });
  if (read.data === undefined)
    return read.isError ? <Refusal error={read.error} onRetry={() => void read.refetch()} /> : <Skeleton rows={2} />;
  const button = (act: Mark["act"], version: PackageVersion, isSet: boolean) => {
    const text =
      act === "deprecate"
        ? isSet
          ? t("registry.undeprecate")
          : t("registry.deprecate")
        : isSet
          ? t("registry.unyank")
          : t("registry.yank");
    return (
      <Button
        tone="quiet"
        aria-label={t("registry.actName", { act: text, version: version.version })}
        onClick={() => setMarking({ act, undo: isSet, version })}
      >
        {text}
      </Button>
    );
  };
  return (
    <>
      <Table
        label={t("registry.showName", { name })}
        rows={read.data.versions}
        keyOf={({ version }) => version}
        columns={[
          { name: t("registry.version"), isHeading: true, cell: ({ version }) => <strong>{version}</strong> },
          { name: t("registry.published"), cell: ({ publishedAt }) => <Time at={publishedAt} form="short" /> },
          {
            name: t("registry.state"),
            cell: ({ deprecated, yanked }) => (
              <div className="grid gap-1">
                {yanked !== undefined && <Mention badge={<Badge tone="bad">{t("registry.yanked")}</Badge>} why={yanked} />}
                {deprecated !== undefined && <Mention badge={<Badge tone="note">{t("registry.deprecated")}</Badge>} why={deprecated} />}
                {yanked === undefined && deprecated === undefined && <Badge tone="good">{t("registry.current")}</Badge>}
              </div>
            ),
          },
          {
            name: t("registry.acts"),
            cell: (version) => (
              <span className="flex flex-wrap gap-2">
                {button("deprecate", version, version.deprecated !== undefined)}
                {button("yank", version, version.yanked !== undefined)}
              </span>
            ),
          },
        ]}
      />
      {marking !== undefined && <MarkDialog mark={marking} onClose={() => setMarking(undefined)} />}
    </>
  );
}

function Mention({ badge, why }: { readonly badge: ReactNode; readonly why: string }) {
  return (
    <span className="inline-flex flex-wrap items-center gap-2">
      {badge}
      <bdi className="text-sm text-soft">{why}</bdi>
    </span>
  );
}

function MarkDialog({ mark: { act, undo, version }, onClose }: { readonly mark: Mark; readonly onClose: () => void }) {
  const t = useInstanceTexts();
  const toast = useToast();
  const [reason, setReason] = useState("");
  const send = useAct(
    (client) =>
      client.call(act === "deprecate" ? "registry.deprecate" : "registry.yank", {
        params: { name: version.name, version: version.version },
        body: { reason: reason.trim(), undo },
      }),
    {
      changes: ["registry.", "packages.", "instance."],
      onDone: () => {
        toast({ text: t("registry.done") });
        onClose();
      },
    },
  );
  const text =
    act === "deprecate" ? (undo ? t("registry.undeprecate") : t("registry.deprecate")) : undo ? t("registry.unyank") : t("registry.yank");
  return (
    <ConfirmDialog
      title={t("registry.actName", { act: text, version: version.version })}
      action={text}
      danger={act === "yank" && !undo}
      busy={send.isPending}
      error={send.error}
      ready={reason.trim() !== ""}
      onConfirm={() => send.mutate()}
      onClose={onClose}
    >
      {!undo && <p>{act === "deprecate" ? t("registry.deprecateText") : t("registry.yankText")}</p>}
      <TextField label={t("registry.reason")} value={reason} maxLength={300} onChange={({ target }) => setReason(target.value)} />
    </ConfirmDialog>
  );
}
