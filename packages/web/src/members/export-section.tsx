/**
 * The whole community as a file.
 *
 * Invariant: the file is offered only when it is whole; it is made in the page and saved by the reader's own click.
 */
import { useEffect, useRef, useState } from "react";
import { useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Actions, Button, Progress, Refusal, Section } from "../ui/index.ts";
import { exportPieces, type ExportedSoFar } from "./export-document.ts";
import { useMembersTexts } from "./texts.ts";

interface Made {
  readonly url: string;
  readonly records: number;
}

function useExport() {
  const { ref } = useCommunity();
  const [soFar, setSoFar] = useState<ExportedSoFar>();
  const [made, setMade] = useState<Made>();
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  useEffect(() => (made === undefined ? undefined : () => URL.revokeObjectURL(made.url)), [made]);
  const make = useAct(
    async (client) => {
      stop.current = new AbortController();
      const { signal } = stop.current;
      let records = 0;
      const pieces = await exportPieces(
        (query) => client.call("communities.export", { params: { community: ref }, query }, { signal }),
        new Date().toISOString(),
        (now) => {
          records = now.records;
          setSoFar(now);
        },
      );
      return { records, url: URL.createObjectURL(new Blob(pieces, { type: "application/json" })) };
    },
    { changes: [], onDone: setMade },
  );
  return {
    ...{ soFar, made, make },
    isStopped: make.error !== null && stop.current.signal.aborted,
    start: () => {
      setMade(undefined);
      setSoFar(undefined);
      make.mutate();
    },
    stop: () => stop.current.abort(),
  };
}

export function ExportSection() {
  const t = useMembersTexts();
  const { community } = useCommunity();
  const { soFar, made, make, isStopped, start, stop } = useExport();
  return (
    <Section title={t("settings.export")} lead={t("settings.exportLead")}>
      <div className="grid gap-4">
        {make.isPending && (
          <Progress
            label={
              soFar === undefined ? t("settings.export") : t("settings.exportRunning", { count: soFar.records, section: soFar.section })
            }
          />
        )}
        {make.error !== null && !isStopped && <Refusal error={make.error} />}
        {made !== undefined && <p role="status">{t("settings.exportDone", { count: made.records })}</p>}
        <Actions>
          {made === undefined ? (
            <Button tone="quiet" busy={make.isPending} onClick={start}>
              {t("settings.exportStart")}
            </Button>
          ) : (
            <a
              href={made.url}
              download={`${community.name}.json`}
              className="inline-flex min-h-11 items-center rounded-lg border border-transparent bg-accent px-4 py-2 font-semibold text-on-accent no-underline hover:brightness-110"
            >
              {t("settings.exportSave")}
            </a>
          )}
          {make.isPending && (
            <Button tone="plain" onClick={stop}>
              {t("settings.exportStop")}
            </Button>
          )}
        </Actions>
      </div>
    </Section>
  );
}
