/**
 * Counts a vote again in this browser, and gives everything that was counted as a file.
 *
 * Invariant: nothing of the report goes into the recount; what differs is shown line by line in its own words.
 */
import type { Proposal, VoteExport } from "@althing/contract";
import { exportVote } from "@althing/client";
import type { Recount } from "@althing/tally";
import { useAct } from "../app/calls.ts";
import { fileName, saveFile } from "../ballots/save-file.ts";
import type { OfProposal } from "../proposals/use-proposal.ts";
import { Actions, Button, Refusal } from "../ui/index.ts";
import { useResultTexts } from "./texts.ts";

interface Counted {
  readonly exported: VoteExport;
  readonly recount: Recount;
}

export function RecountPanel({ proposal, params }: { readonly proposal: Proposal; readonly params: OfProposal }) {
  const t = useResultTexts();
  const file = fileName(proposal.title, "export.json");
  const counting = useAct(
    async (client): Promise<Counted> => {
      const exported = await exportVote((...call) => client.call(...call), params);
      const { recount } = await import("@althing/tally");
      return { exported, recount: recount(exported) };
    },
    { changes: [] },
  );
  const saving = useAct(
    async (client) =>
      saveFile(file, `${JSON.stringify(await exportVote((...call) => client.call(...call), params))}\n`, "application/json"),
    { changes: [] },
  );
  return (
    <div className="grid content-start gap-3">
      <h4 className="font-semibold">{t("recount.title")}</h4>
      <p className="text-sm text-soft">{t("recount.lead")}</p>
      <Actions>
        <Button busy={counting.isPending} onClick={() => counting.mutate()}>
          {t("recount.start")}
        </Button>
      </Actions>
      {counting.isPending && <p role="status">{t("recount.running")}</p>}
      {counting.error !== null && <Refusal error={counting.error} />}
      {counting.data !== undefined && <Outcome counted={counting.data} />}
      <Actions>
        <Button tone="quiet" busy={saving.isPending} onClick={() => saving.mutate()}>
          {t("recount.download")}
        </Button>
      </Actions>
      <p className="text-sm text-soft">{t("recount.downloadHint", { file })}</p>
      {saving.error !== null && <Refusal error={saving.error} />}
    </div>
  );
}

function Outcome({ counted: { exported, recount } }: { readonly counted: Counted }) {
  const t = useResultTexts();
  const { agrees, differences } = recount;
  const spoilt = exported.spoilt > 0 ? t("recount.spoilt", { count: exported.spoilt }) : undefined;
  return agrees ? (
    <div role="status" className="rounded-lg bg-good-tint p-3">
      <p className="font-semibold">{t("recount.agrees", { count: exported.ballots.length })}</p>
      {spoilt !== undefined && <p>{spoilt}</p>}
    </div>
  ) : (
    <div role="alert" className="grid gap-2 rounded-lg bg-bad-tint p-3">
      <p className="font-semibold">{t("recount.differs", { count: differences.length })}</p>
      <p>{t("recount.differsText")}</p>
      <ul className="list-disc ps-6 text-sm">
        {differences.map((line) => (
          <li key={line}>
            <bdi>{line}</bdi>
          </li>
        ))}
      </ul>
    </div>
  );
}
