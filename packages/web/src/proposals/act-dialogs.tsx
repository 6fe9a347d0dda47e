/**
 * What may be done to a proposal now, each act asked about in words that say what will happen.
 *
 * Invariant: a vote is opened on the version that its opener read; what changed meanwhile is shown and asked about again.
 */
import { hasCode, moduleSettings, type Proposal } from "@althing/contract";
import type { AlthingClient } from "@althing/client";
import { useState, type ReactNode } from "react";
import { useAct } from "../app/calls.ts";
import { Button, ConfirmDialog, LinkButton, TextArea, useToast } from "../ui/index.ts";
import { useModule } from "./community-defaults.ts";
import { EndField, endOf, noEnd, type EndChoice } from "./end-field.tsx";
import { actsOf, type ProposalAct } from "./proposal-life.ts";
import { unready } from "./rule-draft.ts";
import { useProposalTexts } from "./texts.ts";
import { useProposalRef, useReader, type OfProposal } from "./use-proposal.ts";

type Asked = Exclude<ProposalAct, "edit">;

export function ActBar({ proposal }: { readonly proposal: Proposal }) {
  const t = useProposalTexts();
  const params = useProposalRef();
  const acts = actsOf(proposal, useReader());
  const [open, setOpen] = useState<Asked>();
  const isUnready = proposal.state === "discussion" ? unready(proposal.rule, proposal.options) : undefined;
  if (acts.length === 0) return <Others proposal={proposal} />;
  return (
    <div className="grid gap-3">
      {isUnready !== undefined && acts.includes("open") && (
        <p className="rounded-lg bg-note-tint p-3 text-note">{t(`unready.${isUnready}`)}</p>
      )}
      <div className="flex flex-wrap gap-2">
        {acts.map((act, at) =>
          act === "edit" ? (
            <LinkButton key={act} tone="quiet" to="/c/$community/proposals/$proposal/edit" params={params}>
              {t("act.edit")}
            </LinkButton>
          ) : (
            <Button key={act} tone={at === 0 && (act === "discuss" || act === "open") ? "primary" : "quiet"} onClick={() => setOpen(act)}>
              {t(`act.${act}`)}
            </Button>
          ),
        )}
      </div>
      {open !== undefined && <ActDialog act={open} proposal={proposal} params={params} onClose={() => setOpen(undefined)} />}
    </div>
  );
}

function Others({ proposal: { state } }: { readonly proposal: Proposal }) {
  const t = useProposalTexts();
  return state === "decided" || state === "withdrawn" ? null : <p className="text-soft">{t(`who.${state}`)}</p>;
}

interface Given {
  readonly reason: string;
  readonly end: EndChoice;
}

/** @throws what the routes refuse */
async function run(client: AlthingClient, act: Asked, params: OfProposal, { reason, end }: Given, version: number): Promise<unknown> {
  const closesAt = endOf(end, Date.now());
  switch (act) {
    case "discuss":
      return client.call("proposals.discuss", { params, body: {} });
    case "open":
      return client.call("proposals.open", { params, body: closesAt === undefined ? {} : { closesAt } }, { ifMatch: String(version) });
    case "extend":
      return client.call("proposals.extend", { params, body: { closesAt: closesAt ?? "" } });
    case "close":
      return client.call("proposals.close", { params, body: {} });
    case "void":
      return client.call("votes.declareVoid", { params, body: {} });
    case "withdraw":
      return client.call("proposals.withdraw", { params, body: reason.trim() === "" ? {} : { reason } });
  }
}

interface DialogProps {
  readonly act: Asked;
  readonly proposal: Proposal;
  readonly params: OfProposal;
  readonly onClose: () => void;
}

function ActDialog({ act, proposal, params, onClose }: DialogProps) {
  const t = useProposalTexts();
  const toast = useToast();
  const [given, setGiven] = useState<Given>({ reason: "", end: noEnd });
  // What was read when the question was asked, whatever comes meanwhile.
  const [version, setVersion] = useState(proposal.version);
  const doing = useAct((client) => run(client, act, params, given, version), {
    changes: ["proposals.", "votes."],
    onDone: () => {
      toast({ text: t(`done.${act}`) });
      onClose();
    },
  });
  const isAfter = act === "extend" || act === "open";
  const hasEnd = !isAfter || given.end.kind === "default" ? act !== "extend" : endOf(given.end, Date.now()) !== undefined;
  const isChanged = act === "open" && proposal.version !== version;
  return (
    <ConfirmDialog
      title={t(`act.${act}`)}
      action={t(`act.${act}`)}
      danger={act === "withdraw" || act === "void"}
      busy={doing.isPending}
      error={isChanged && hasCode(doing.error, "request.precondition_failed") ? undefined : doing.error}
      ready={hasEnd && !isChanged}
      onConfirm={() => doing.mutate()}
      onClose={onClose}
    >
      {isChanged ? <Changed onRead={() => setVersion(proposal.version)} onClose={onClose} /> : <Ask act={act} proposal={proposal} />}
      {isAfter && <EndField act={act} value={given.end} closesAt={proposal.closesAt} onChange={(end) => setGiven({ ...given, end })} />}
      {act === "withdraw" && (
        <TextArea
          label={t("reason")}
          optional={proposal.state === "draft" || proposal.state === "discussion"}
          value={given.reason}
          onChange={({ target: { value } }) => setGiven({ ...given, reason: value })}
        />
      )}
    </ConfirmDialog>
  );
}

function Ask({ act, proposal }: { readonly act: Asked; readonly proposal: Proposal }): ReactNode {
  const t = useProposalTexts();
  const defaults = useModule("proposals", moduleSettings.proposals);
  if (act === "withdraw")
    return <p>{t(proposal.state === "voting" || proposal.state === "opening" ? "ask.withdrawVoting" : "ask.withdraw")}</p>;
  return (
    <>
      <p>{t(`ask.${act}`, { version: proposal.version })}</p>
      {act === "open" && defaults !== undefined && defaults.discussionDays > 0 && (
        <p className="text-soft">{t("discussionDays", { count: defaults.discussionDays })}</p>
      )}
    </>
  );
}

function Changed({ onRead, onClose }: { readonly onRead: () => void; readonly onClose: () => void }) {
  const t = useProposalTexts();
  return (
    <div role="alert" className="grid gap-3 rounded-lg bg-note-tint p-3 text-note">
      <p>{t("changedMeanwhile")}</p>
      <div className="flex flex-wrap gap-2">
        <Button tone="quiet" onClick={onClose}>
          {t("backToOne")}
        </Button>
        <Button tone="plain" onClick={onRead}>
          {t("readIt")}
        </Button>
      </div>
    </div>
  );
}
