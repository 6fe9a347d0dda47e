/**
 * What was done to the instance, newest first, with the hash chain checked in this browser.
 *
 * Invariant: what is shown was checked, or is said not to fit: the server's word is not enough for a log that may be read against its operator.
 */
import { findAuditFault } from "@althing/client";
import type { AuditEntry } from "@althing/contract";
import { useEffect, useState } from "react";
import { usePages } from "../app/calls.ts";
import { Badge, Button, EmptyState, Facts, ListState, Person, SearchField, Table, Time, type Tone } from "../ui/index.ts";
import { saveFile } from "../ui/save-file.ts";
import { targetRows } from "./audit-target.ts";
import { InstanceFrame } from "./instance-frame.tsx";
import { useInstanceTexts } from "./texts.ts";

export function AuditPage() {
  const t = useInstanceTexts();
  const [search, setSearch] = useState("");
  const list = usePages(
    "instance.audit",
    (before) => ({ query: { limit: 50, ...(before === undefined ? {} : { before }) } }),
    ({ entries, next }) => ({ rows: entries, next }),
  );
  const wanted = search.trim().toLowerCase();
  const rows = list.rows.filter(({ actor, act, target, code }) =>
    JSON.stringify([actor?.handle, act, Object.values(target), code])
      .toLowerCase()
      .includes(wanted),
  );
  const save = () => saveFile("audit.json", JSON.stringify(list.rows, undefined, 2), "application/json");
  return (
    <InstanceFrame title={t("audit.title")} lead={t("audit.lead")}>
      <ListState
        list={list}
        waiting={{ height: "h-84 sm:h-30" }}
        empty={<EmptyState title={t("audit.none")}>{t("audit.noneText")}</EmptyState>}
      >
        <div className="flex flex-wrap items-center justify-between gap-3">
          <Chain entries={list.rows} />
          <Button tone="quiet" onClick={save}>
            {t("audit.export")}
          </Button>
        </div>
        <SearchField label={t("audit.search")} value={search} onChange={setSearch} />
        {rows.length === 0 ? <EmptyState title={t("audit.noMatch")} /> : <Entries entries={rows} />}
      </ListState>
    </InstanceFrame>
  );
}

function Chain({ entries }: { readonly entries: readonly AuditEntry[] }) {
  const t = useInstanceTexts();
  const [checked, setChecked] = useState<{ readonly of: readonly AuditEntry[]; readonly fault: number | undefined }>();
  const last = entries[0]?.hash;
  useEffect(() => {
    let isWanted = true;
    findAuditFault(entries.toReversed()).then(
      (fault) => isWanted && setChecked({ of: entries, fault }),
      // What cannot be written as the chain writes it was never in one.
      () => isWanted && setChecked({ of: entries, fault: entries.at(-1)?.index }),
    );
    return () => {
      isWanted = false;
    };
    // The newest hash and the count stand for all entries: they only grow.
  }, [last, entries.length]);
  if (checked === undefined) return <p className="text-soft">{t("audit.checking")}</p>;
  return checked.fault === undefined ? (
    <Badge tone="good">{t("audit.chain")}</Badge>
  ) : (
    <p role="alert" className="rounded-lg bg-bad-tint p-3 font-semibold text-bad">
      {t("audit.broken", { index: checked.fault })}
    </p>
  );
}

const actNames = {
  "claim.post": "audit.acts.claim",
  "join.post": "audit.acts.join",
  "invitations.create": "audit.acts.invite",
  "users.add": "audit.acts.addUser",
  "users.revoke": "audit.acts.revokeUser",
  "trust.add": "audit.acts.addTrust",
  "trust.remove": "audit.acts.removeTrust",
  "instancePolicy.put": "audit.acts.policy",
  "registry.publish": "audit.acts.publish",
  "registry.deprecate": "audit.acts.deprecate",
  "registry.yank": "audit.acts.yank",
  "registry.rebind": "audit.acts.rebind",
  "communities.create": "audit.acts.found",
  "communities.delete": "audit.acts.close",
  "founding.approve": "audit.acts.approve",
  "founding.decline": "audit.acts.decline",
} as const;

/** An act of a later version is shown by its route's name. */
function actText(act: string): string {
  const known = Object.entries(actNames).find(([route]) => route === act);
  return known === undefined ? act : useInstanceTexts.now(known[1]);
}

const tones: Readonly<Record<AuditEntry["outcome"], Tone>> = { done: "good", refused: "note", unknown: "bad" };

function Entries({ entries }: { readonly entries: readonly AuditEntry[] }) {
  const t = useInstanceTexts();
  return (
    <Table
      label={t("audit.title")}
      rows={entries}
      keyOf={({ index }) => String(index)}
      columns={[
        { name: t("audit.what"), isHeading: true, cell: ({ act }) => <strong>{actText(act)}</strong> },
        { name: t("audit.who"), cell: ({ actor }) => (actor === null ? t("audit.nobody") : <Person handle={actor.handle} />) },
        { name: t("audit.when"), cell: ({ time }) => <Time at={time} form="short" /> },
        {
          name: t("audit.target"),
          cell: ({ target }) => <Target target={target} />,
        },
        {
          name: t("audit.outcome"),
          cell: ({ outcome, code }) => (
            <div className="grid justify-items-start gap-1">
              <Badge tone={tones[outcome]}>{t(`audit.${outcome}`)}</Badge>
              {code !== undefined && <code className="text-sm">{code}</code>}
              {outcome === "unknown" && <span className="text-sm text-soft">{t("audit.unknownWhy")}</span>}
            </div>
          ),
        },
      ]}
    />
  );
}

const fields = [
  "handle",
  "signPub",
  "role",
  "anchors",
  "id",
  "defaults",
  "ceilings",
  "locks",
  "name",
  "version",
  "contentHash",
  "reason",
  "undo",
  "signer",
  "publisherId",
  "community",
  "endpoint",
] as const;

/** A field of a later version is shown by its own name. */
function Target({ target }: { readonly target: AuditEntry["target"] }) {
  const t = useInstanceTexts();
  return (
    <Facts
      facts={targetRows(target).map(({ name, text, whole }) => {
        const known = fields.find((field) => field === name);
        return [
          known === undefined ? name : t(`audit.fields.${known}`),
          <div key={name} className="grid min-w-0 gap-1">
            <bdi className="font-mono text-sm break-all">{text}</bdi>
            {whole !== undefined && (
              <details>
                <summary className="min-h-11 py-2 text-sm text-accent">{t("audit.whole")}</summary>
                <pre className="text-xs whitespace-pre-wrap break-all">{whole}</pre>
              </details>
            )}
          </div>,
        ] as const;
      })}
    />
  );
}
