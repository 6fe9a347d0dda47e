/** Checks the chain of the whole log in this browser, and saves the log as a file that `althing events verify` reads. */
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Actions, Button, Refusal, saveFile, Section } from "../ui/index.ts";
import type { ChainResult } from "./check-chain.ts";
import { useOverviewTexts } from "./texts.ts";

/** Recomputing a chain takes a good part of the cryptography, which nobody needs who only reads. */
const loadCheck = () => import("./check-chain.ts");

export function ChainCheck() {
  const t = useOverviewTexts();
  const { community, ref } = useCommunity();
  const [read, setRead] = useState(0);
  const check = useAct(async (client) => (await loadCheck()).checkChain(client, ref, setRead), { changes: [] });
  const save = useAct(
    async (client) => saveFile(`${community.name}.jsonl`, await (await loadCheck()).exportLines(client, ref), "application/jsonl"),
    { changes: [] },
  );
  return (
    <Section title={t("events.check")} lead={t("events.checkLead")}>
      <div className="grid gap-4">
        <div role="status" className="empty:hidden">
          {check.isPending ? t("events.checking", { count: read }) : check.data === undefined ? "" : <Verdict result={check.data} />}
        </div>
        {check.error !== null && <Refusal error={check.error} />}
        {save.error !== null && <Refusal error={save.error} />}
        <Actions>
          <Button
            busy={check.isPending}
            onClick={() => {
              setRead(0);
              check.mutate();
            }}
          >
            {check.data === undefined ? t("events.checkStart") : t("events.checkAgain")}
          </Button>
          <Button tone="quiet" busy={save.isPending} onClick={() => save.mutate()}>
            {t("events.exportLabel")}
          </Button>
        </Actions>
        <p className="max-w-prose text-sm text-soft">{t("events.keepHint")}</p>
      </div>
    </Section>
  );
}

function Verdict({ result: { events, redacted, fault, hasHead } }: { readonly result: ChainResult }) {
  const t = useOverviewTexts();
  if (fault === undefined && hasHead)
    return (
      <div className="grid gap-1 rounded-lg bg-good-tint p-4">
        <p className="font-semibold text-good">{t("events.chainOk", { count: events })}</p>
        {redacted > 0 && <p>{t("events.chainRedacted", { count: redacted })}</p>}
      </div>
    );
  return (
    <div className="grid gap-1 rounded-lg bg-bad-tint p-4">
      <p className="font-semibold text-bad">
        {fault === undefined ? t("events.chainHead") : t("events.chainBroken", { index: fault.index })}
      </p>
      {fault !== undefined && <p>{t(`events.fault.${fault.fault}`)}</p>}
      <p>{t("events.chainNext")}</p>
    </div>
  );
}
