/** Events that a package could not take: replayed or given up, one or all. */
import type { DeadLetter, DiscardResult, ReplayResult } from "@althing/contract";
import { useState } from "react";
import { useAct, usePages, useRead } from "../app/calls.ts";
import { wholeNumber } from "../app/times.ts";
import { Actions, Button, ConfirmDialog, EmptyState, ListState, Refusal, Section, Table, Time, useToast } from "../ui/index.ts";
import { useJobTexts } from "./job-texts.ts";
import type { PackageHere } from "./package-here.ts";

const pageRows = 100;

function replayWords(t: ReturnType<typeof useJobTexts>, { delivered, failed, left, stopped }: ReplayResult): string {
  return [
    t("letters.delivered", { count: delivered }),
    ...(failed.length === 0 ? [] : [t("letters.failed", { count: failed.length })]),
    ...(left === 0 ? [] : [t("letters.left", { count: left })]),
    ...(stopped === undefined ? [] : [t("letters.stopped", { why: stopped })]),
  ].join(" ");
}

export function LettersTab({ here }: { readonly here: PackageHere }) {
  const t = useJobTexts();
  const toast = useToast();
  const { params, mayManage, view } = here;
  const [discarded, setDiscarded] = useState<number | "all">();
  const list = usePages(
    "deadLetters.list",
    (after) => ({ params, query: { limit: pageRows, ...(after === undefined ? {} : { after: Number(after) }) } }),
    ({ letters, next }) => ({ rows: letters, next }),
    { everyMs: 10_000 },
  );
  const replay = useAct(
    (client, index: number | undefined) => client.call("deadLetters.replay", { params, body: index === undefined ? {} : { index } }),
    {
      changes: ["deadLetters.", "packages."],
      onDone: (result: ReplayResult) => toast({ text: replayWords(t, result) }),
    },
  );
  const actions = mayManage && list.rows.length > 0 && (
    <Actions>
      <Button
        tone="quiet"
        busy={replay.isPending && replay.variables === undefined}
        disabled={replay.isPending}
        onClick={() => replay.mutate(undefined)}
      >
        {t("letters.replayAll")}
      </Button>
      <Button tone="quiet" onClick={() => setDiscarded("all")}>
        {t("letters.discardAll")}
      </Button>
    </Actions>
  );
  return (
    <Section title={t("letters.title")} lead={t("letters.lead")} actions={actions}>
      {replay.isError && <Refusal error={replay.error} />}
      <ListState
        list={list}
        empty={
          <EmptyState title={t("letters.emptyTitle")}>
            <p>{t(view.events.length === 0 ? "letters.noEvents" : "letters.empty")}</p>
          </EmptyState>
        }
      >
        <Letters
          rows={list.rows}
          mayManage={mayManage}
          busy={replay.isPending ? replay.variables : undefined}
          onReplay={(index) => replay.mutate(index)}
          onDiscard={setDiscarded}
        />
      </ListState>
      <Counts here={here} />
      {discarded !== undefined && <DiscardDialog here={here} which={discarded} onClose={() => setDiscarded(undefined)} />}
    </Section>
  );
}

interface LettersProps {
  readonly rows: readonly DeadLetter[];
  readonly mayManage: boolean;
  readonly busy: number | undefined;
  readonly onReplay: (index: number) => void;
  readonly onDiscard: (index: number) => void;
}

function Letters({ rows, mayManage, busy, onReplay, onDiscard }: LettersProps) {
  const t = useJobTexts();
  return (
    <Table
      label={t("letters.title")}
      rows={rows}
      keyOf={({ index }) => String(index)}
      columns={[
        {
          name: t("letters.event"),
          isHeading: true,
          cell: ({ index, topic }) => (
            <span>
              <bdi className="font-mono text-sm">{topic}</bdi> <span className="text-soft">{wholeNumber(index)}</span>
            </span>
          ),
        },
        { name: t("letters.attempts"), cell: ({ attempts }) => wholeNumber(attempts) },
        { name: t("letters.last"), cell: ({ at }) => <Time at={at} /> },
        {
          name: t("letters.fault"),
          cell: ({ detail, code }) => (
            <span>
              <bdi>{detail}</bdi> <code className="text-soft">{code}</code>
            </span>
          ),
        },
        ...(mayManage
          ? [
              {
                name: t("letters.replay"),
                cell: ({ index }: DeadLetter) => (
                  <span className="flex flex-wrap gap-1">
                    <Button
                      tone="plain"
                      busy={busy === index}
                      disabled={busy !== undefined}
                      aria-label={t("letters.replayOne", { index })}
                      onClick={() => onReplay(index)}
                    >
                      {t("letters.replay")}
                    </Button>
                    <Button tone="plain" aria-label={t("letters.discardOne", { index })} onClick={() => onDiscard(index)}>
                      {t("letters.discard")}
                    </Button>
                  </span>
                ),
              },
            ]
          : []),
      ]}
    />
  );
}

function Counts({ here: { params } }: { readonly here: PackageHere }) {
  const t = useJobTexts();
  const { data } = useRead("deadLetters.list", { params, query: { limit: 1 } });
  if (data === undefined || data.dropped + data.skipped === 0) return null;
  return (
    <p className="mt-4 text-sm text-soft">
      {data.dropped > 0 && t("letters.dropped", { count: data.dropped })}{" "}
      {data.skipped > 0 && t("letters.skipped", { count: data.skipped })}
    </p>
  );
}

function DiscardDialog({
  here: { params },
  which,
  onClose,
}: {
  readonly here: PackageHere;
  readonly which: number | "all";
  readonly onClose: () => void;
}) {
  const t = useJobTexts();
  const toast = useToast();
  const discard = useAct((client) => client.call("deadLetters.discard", { params, body: which === "all" ? {} : { index: which } }), {
    changes: ["deadLetters."],
    onDone: ({ discarded }: DiscardResult) => {
      toast({ text: t("letters.discarded", { count: discarded }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      danger
      title={t("letters.discardTitle")}
      action={t(which === "all" ? "letters.discardAll" : "letters.discard")}
      busy={discard.isPending}
      error={discard.error}
      onConfirm={() => discard.mutate()}
      onClose={onClose}
    >
      <p>{which === "all" ? t("letters.discardAllText") : t("letters.discardText", { index: which })}</p>
    </ConfirmDialog>
  );
}
