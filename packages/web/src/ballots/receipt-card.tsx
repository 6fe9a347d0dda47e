/**
 * What a voter keeps after the cast: the receipt of a secret ballot, or the word that an open one will stand beside their name.
 *
 * Invariant: the receipt of a secret ballot is shown here and kept nowhere; the file that is saved does not say what was voted.
 */
import { useEffect, useRef } from "react";
import { Actions, Button, Card, CopyButton } from "../ui/index.ts";
import type { OfProposal } from "../proposals/use-proposal.ts";
import { fileName, saveFile } from "./save-file.ts";
import { useBallotTexts } from "./texts.ts";

export interface GivenReceipt {
  readonly kind: "open" | "sealed";
  /** The nonce of a sealed ballot, the voter's id of an open one. */
  readonly text: string;
}

interface Props {
  readonly receipt: GivenReceipt;
  readonly title: string;
  readonly params: OfProposal;
  readonly onPutAway: () => void;
}

export function ReceiptCard({ receipt, title, params, onPutAway }: Props) {
  const t = useBallotTexts();
  const heading = useRef<HTMLHeadingElement>(null);
  const isSealed = receipt.kind === "sealed";
  useEffect(() => {
    heading.current?.scrollIntoView({ block: "center" });
    heading.current?.focus({ preventScroll: true });
  }, [receipt.text]);
  const save = () => {
    const row = (name: string, value: string) => `${name}: ${value}\n`;
    const lines = [
      row(t("receipt.file.proposal"), params.proposal),
      row(t("receipt.file.community"), params.community),
      row(t("receipt.file.title"), title),
      row(t("receipt.file.receipt"), receipt.text),
    ];
    saveFile(
      fileName(title, "receipt.txt"),
      `${t("receipt.file.heading")}\n\n${lines.join("")}\n${t("receipt.file.note")} ${params.proposal} ${receipt.text} --community ${params.community}\n`,
    );
  };
  return (
    <Card tone="good">
      <div className="grid gap-3">
        <h2 ref={heading} tabIndex={-1} className="text-xl font-bold outline-none">
          {t("receipt.title")}
        </h2>
        <p>{t(isSealed ? "receipt.sealed" : "receipt.open")}</p>
        <div className="grid gap-1">
          <p className="text-sm text-soft">{t(isSealed ? "receipt.label" : "receipt.idLabel")}</p>
          <code className="rounded-lg border border-edge bg-card p-3 break-all select-all" data-receipt="">
            {receipt.text}
          </code>
        </div>
        {isSealed && (
          <p className="font-semibold">
            {t("receipt.warn")} {t("receipt.replaced")}
          </p>
        )}
        <Actions>
          <CopyButton text={receipt.text} label={t("receipt.copy")} />
          <Button tone="quiet" onClick={save}>
            {t("receipt.save")}
          </Button>
          <Button tone="plain" onClick={onPutAway}>
            {t(isSealed ? "receipt.put" : "receipt.putOpen")}
          </Button>
        </Actions>
      </div>
    </Card>
  );
}
