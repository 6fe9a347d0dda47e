/**
 * Looks for a receipt in the count.
 *
 * Invariant: the whole list is read and looked through here; no request names the receipt, because that would tell the server whose it is.
 */
import type { CountedBallot, Proposal } from "@althing/contract";
import { countedBallots } from "@althing/client";
import { useState, type ChangeEvent } from "react";
import { useAct } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { ChoiceWords } from "../ballots/choice-words.tsx";
import type { OfProposal } from "../proposals/use-proposal.ts";
import { Actions, Button, Refusal, TextArea } from "../ui/index.ts";
import { receiptIn } from "./amounts.ts";
import { useResultTexts } from "./texts.ts";

interface Looked {
  readonly found: CountedBallot | undefined;
  readonly count: number;
}

export function ReceiptCheck({ proposal, params }: { readonly proposal: Proposal; readonly params: OfProposal }) {
  const t = useResultTexts();
  const { identity } = useSession();
  const [text, setText] = useState("");
  const [isNone, setNone] = useState(false);
  const looking = useAct(
    async (client, receipt: string): Promise<Looked> => {
      const ballots = await countedBallots((...call) => client.call(...call), params);
      return { found: ballots.find(({ nonce, voter }) => nonce === receipt || voter === receipt), count: ballots.length };
    },
    { changes: [] },
  );
  const change = (next: string) => {
    setText(next);
    setNone(false);
    looking.reset();
  };
  return (
    <form
      noValidate
      aria-label={t("receipt.title")}
      className="grid content-start gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        const receipt = receiptIn(text);
        setNone(receipt === undefined);
        if (receipt !== undefined && !looking.isPending) looking.mutate(receipt);
      }}
    >
      <h4 className="font-semibold">{t("receipt.title")}</h4>
      <p className="text-sm text-soft">{t("receipt.lead")}</p>
      <TextArea
        label={t("receipt.field")}
        hint={t("receipt.hint")}
        rows={2}
        spellCheck={false}
        value={text}
        fault={isNone ? t("receipt.none") : undefined}
        onChange={(event) => change(event.target.value)}
      />
      <Actions>
        <Button type="submit" busy={looking.isPending}>
          {t("receipt.find")}
        </Button>
        <FileChoice onText={change} />
        <Button tone="plain" onClick={() => change(identity.endpoint)}>
          {t("receipt.mine")}
        </Button>
      </Actions>
      {looking.error !== null && <Refusal error={looking.error} />}
      {looking.data !== undefined && <Found looked={looking.data} proposal={proposal} />}
    </form>
  );
}

const fileMaxBytes = 16 * 1024;

function FileChoice({ onText }: { readonly onText: (text: string) => void }) {
  const t = useResultTexts();
  const read = async ({ target }: ChangeEvent<HTMLInputElement>) => {
    const [file] = target.files ?? [];
    if (file !== undefined) onText(await file.slice(0, fileMaxBytes).text());
    target.value = "";
  };
  return (
    <label className="inline-flex min-h-11 cursor-pointer items-center rounded-lg border border-edge bg-card px-4 py-2 font-semibold hover:bg-raised has-focus-visible:outline-3 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent">
      {t("receipt.file")}
      <input type="file" accept=".txt,text/plain" className="sr-only" onChange={(event) => void read(event)} />
    </label>
  );
}

function Found({ looked: { found, count }, proposal }: { readonly looked: Looked; readonly proposal: Proposal }) {
  const t = useResultTexts();
  return found === undefined ? (
    <div role="alert" className="grid gap-1 rounded-lg bg-bad-tint p-3">
      <p className="font-semibold">{t("receipt.missing")}</p>
      <p>{t("receipt.missingText")}</p>
      <p className="text-sm text-soft">{t("receipt.count", { count })}</p>
    </div>
  ) : (
    <div role="status" className="grid gap-2 rounded-lg bg-good-tint p-3">
      <p className="font-semibold">{t("receipt.found")}</p>
      <ChoiceWords options={proposal.options} choice={found.choice} />
      <p className="text-sm text-soft">{t("receipt.count", { count })}</p>
    </div>
  );
}
