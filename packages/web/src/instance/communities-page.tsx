/** All communities of the instance, and requests for new ones. */
import type { FoundingRequest } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useAct, usePages } from "../app/calls.ts";
import { wholeNumber } from "../app/times.ts";
import {
  Button,
  ConfirmDialog,
  EmptyState,
  LinkButton,
  ListState,
  Person,
  Refusal,
  SearchField,
  Section,
  Table,
  TextField,
  Time,
  useToast,
} from "../ui/index.ts";
import { InstanceFrame } from "./instance-frame.tsx";
import { useInstanceTexts } from "./texts.ts";

export function InstanceCommunitiesPage() {
  const t = useInstanceTexts();
  const [search, setSearch] = useState("");
  const list = usePages(
    "communities.list",
    (after) => ({ query: { limit: 100, ...(after === undefined ? {} : { after }) } }),
    ({ communities, next }) => ({ rows: communities, next }),
  );
  const wanted = search.trim().toLowerCase();
  const rows = list.rows.filter(({ name, displayName }) => name.includes(wanted) || displayName.toLowerCase().includes(wanted));
  const found = <LinkButton to="/communities/new">{t("communities.found")}</LinkButton>;
  return (
    <InstanceFrame title={t("communities.title")} lead={t("communities.lead")} actions={found}>
      <FoundingRequests />
      <ListState
        list={list}
        waiting={{ height: "h-27 sm:h-11" }}
        empty={
          <EmptyState title={t("communities.none")} actions={found}>
            {t("communities.noneText")}
          </EmptyState>
        }
      >
        <SearchField label={t("communities.search")} value={search} onChange={setSearch} />
        {rows.length === 0 ? (
          <EmptyState title={t("communities.noMatch")} />
        ) : (
          <Table
            label={t("communities.title")}
            rows={rows}
            keyOf={({ id }) => id}
            columns={[
              {
                name: t("communities.name"),
                isHeading: true,
                cell: ({ name, displayName }) => (
                  <Link to="/c/$community" params={{ community: name }} className="font-semibold">
                    <bdi>{displayName}</bdi>
                  </Link>
                ),
              },
              { name: t("communities.members"), cell: ({ members }) => wholeNumber(members) },
              { name: t("communities.founded"), cell: ({ createdAt }) => <Time at={createdAt} form="short" /> },
            ]}
          />
        )}
      </ListState>
    </InstanceFrame>
  );
}

function FoundingRequests() {
  const t = useInstanceTexts();
  const [declining, setDeclining] = useState<FoundingRequest>();
  const list = usePages(
    "founding.list",
    (after) => ({ query: { limit: 100, ...(after === undefined ? {} : { after }) } }),
    ({ requests, next }) => ({ rows: requests, next }),
  );
  const open = list.rows.filter(({ state }) => state === "open");
  return (
    <Section title={t("communities.requests")} lead={t("communities.requestsLead")}>
      <ListState list={{ ...list, rows: open }} empty={<p className="text-soft">{t("communities.noRequests")}</p>}>
        <ul className="grid gap-3">
          {open.map((request) => (
            <FoundingRow key={request.endpoint} request={request} onDecline={() => setDeclining(request)} />
          ))}
        </ul>
      </ListState>
      {declining !== undefined && <DeclineDialog request={declining} onClose={() => setDeclining(undefined)} />}
    </Section>
  );
}

function FoundingRow({ request, onDecline }: { readonly request: FoundingRequest; readonly onDecline: () => void }) {
  const t = useInstanceTexts();
  const toast = useToast();
  const approve = useAct((client) => client.call("founding.approve", { params: { endpoint: request.endpoint }, body: {} }), {
    changes: ["founding.", "communities.", "instance."],
    onDone: ({ displayName }) => toast({ text: t("communities.approved", { name: displayName }) }),
  });
  return (
    <li className="grid gap-2 rounded-lg border border-line p-3">
      <p className="font-semibold">
        <bdi>{request.displayName}</bdi>
      </p>
      <p className="text-soft">
        {t("communities.by")} <Person handle={request.handle} /> · <Time at={request.createdAt} />
      </p>
      <p className="whitespace-pre-wrap">
        <bdi>{request.reason}</bdi>
      </p>
      {approve.error !== null && <Refusal error={approve.error} />}
      <div className="flex flex-wrap gap-2">
        <Button busy={approve.isPending} onClick={() => approve.mutate()}>
          {t("communities.approve")}
        </Button>
        <Button tone="quiet" onClick={onDecline}>
          {t("communities.decline")}
        </Button>
      </div>
    </li>
  );
}

function DeclineDialog({ request, onClose }: { readonly request: FoundingRequest; readonly onClose: () => void }) {
  const t = useInstanceTexts();
  const [answer, setAnswer] = useState("");
  const decline = useAct(
    (client) => client.call("founding.decline", { params: { endpoint: request.endpoint }, body: { answer: answer.trim() } }),
    {
      changes: ["founding.", "instance."],
      onDone: onClose,
    },
  );
  return (
    <ConfirmDialog
      title={t("communities.declineTitle", { name: request.displayName })}
      action={t("communities.decline")}
      busy={decline.isPending}
      error={decline.error}
      onConfirm={() => decline.mutate()}
      onClose={onClose}
    >
      <TextField
        label={t("communities.reason")}
        hint={t("communities.reasonHint")}
        optional
        value={answer}
        maxLength={1_000}
        onChange={({ target }) => setAnswer(target.value)}
      />
    </ConfirmDialog>
  );
}
