/** Whose signatures count: keys, authorities, revocation lists; adding and taking away. */
import type { RouteResponse } from "@althing/contract";
import { useState, type FormEvent } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import {
  Actions,
  Badge,
  Button,
  ConfirmDialog,
  EmptyState,
  Refusal,
  Section,
  Skeleton,
  Table,
  TextArea,
  Time,
  useToast,
} from "../ui/index.ts";
import { InstanceFrame } from "./instance-frame.tsx";
import { useInstanceTexts } from "./texts.ts";

type Trust = RouteResponse<"trust.list">;
type Anchor = Trust["anchors"][number];

export function TrustPage() {
  const t = useInstanceTexts();
  const { user } = useSession();
  const read = useRead("trust.list");
  return (
    <InstanceFrame title={t("trust.title")} lead={t("trust.lead")}>
      {read.data === undefined ? (
        read.isError ? (
          <Refusal error={read.error} onRetry={() => void read.refetch()} />
        ) : (
          <Skeleton />
        )
      ) : (
        <Known trust={read.data} />
      )}
      {user.role === "admin" && <AddTrust />}
    </InstanceFrame>
  );
}

function Known({ trust: { anchors, revocationLists } }: { readonly trust: Trust }) {
  const t = useInstanceTexts();
  const [removing, setRemoving] = useState<Anchor>();
  return (
    <>
      <Section title={t("trust.anchors")}>
        {anchors.length === 0 ? (
          <EmptyState title={t("trust.none")}>{t("trust.noneText")}</EmptyState>
        ) : (
          <AnchorsTable anchors={anchors} onRemove={setRemoving} />
        )}
      </Section>
      <Section title={t("trust.lists")}>
        {revocationLists.length === 0 ? (
          <p className="text-soft">{t("trust.noLists")}</p>
        ) : (
          <Table
            label={t("trust.lists")}
            rows={revocationLists}
            keyOf={({ id }) => id}
            columns={[
              { name: t("trust.issuer"), isHeading: true, cell: ({ issuer }) => <bdi>{issuer}</bdi> },
              { name: t("trust.next"), cell: ({ nextUpdate }) => nextUpdate !== undefined && <Time at={nextUpdate} form="short" /> },
            ]}
          />
        )}
      </Section>
      {removing !== undefined && <RemoveDialog anchor={removing} onClose={() => setRemoving(undefined)} />}
    </>
  );
}

function AnchorsTable({ anchors, onRemove }: { readonly anchors: readonly Anchor[]; readonly onRemove: (anchor: Anchor) => void }) {
  const t = useInstanceTexts();
  const { user } = useSession();
  return (
    <Table
      label={t("trust.anchors")}
      rows={anchors}
      keyOf={({ id }) => id}
      columns={[
        {
          name: t("trust.subject"),
          isHeading: true,
          cell: ({ subject, id }) => (
            <div className="grid gap-1">
              <bdi className="font-semibold">{subject}</bdi>
              {/* A plain key has no other name than itself. */}
              {subject !== id && <code className="text-sm break-all text-soft">{id}</code>}
            </div>
          ),
        },
        { name: t("trust.kind"), cell: ({ kind }) => <Badge>{t(`trust.${kind}`)}</Badge> },
        { name: t("trust.until"), cell: ({ notAfter }) => notAfter !== undefined && <Time at={notAfter} form="short" /> },
        { name: t("trust.from"), cell: ({ source }) => t(`trust.${source}`) },
        {
          name: t("users.acts"),
          cell: (anchor) =>
            anchor.source === "file" ? (
              <span className="text-sm text-soft">{t("trust.fileWhy")}</span>
            ) : user.role !== "admin" ? null : (
              <Button tone="quiet" aria-label={t("trust.removeName", { who: anchor.subject })} onClick={() => onRemove(anchor)}>
                {t("trust.remove")}
              </Button>
            ),
        },
      ]}
    />
  );
}

function RemoveDialog({ anchor: { id, subject }, onClose }: { readonly anchor: Anchor; readonly onClose: () => void }) {
  const t = useInstanceTexts();
  const toast = useToast();
  const remove = useAct((client) => client.call("trust.remove", { params: { id } }), {
    changes: ["trust.", "packages.", "instance."],
    onDone: () => {
      toast({ text: t("trust.removed", { who: subject }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      title={t("trust.removeTitle", { who: subject })}
      action={t("trust.remove")}
      danger
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      <p>{t("trust.removeText")}</p>
    </ConfirmDialog>
  );
}

function AddTrust() {
  const t = useInstanceTexts();
  const toast = useToast();
  const [pem, setPem] = useState("");
  const add = useAct((client) => client.call("trust.add", { body: { pem } }), {
    changes: ["trust.", "packages.", "instance."],
    onDone: () => {
      setPem("");
      toast({ text: t("trust.added") });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (pem.trim() !== "") add.mutate();
  };
  return (
    <Section title={t("trust.add")} lead={t("trust.addLead")}>
      <form noValidate className="grid gap-4" onSubmit={submit}>
        <TextArea
          label={t("trust.pem")}
          hint={t("trust.pemHint")}
          rows={6}
          spellCheck={false}
          autoComplete="off"
          value={pem}
          onChange={({ target }) => setPem(target.value)}
        />
        {add.error !== null && <Refusal error={add.error} />}
        <Actions>
          <Button type="submit" busy={add.isPending} disabled={pem.trim() === ""}>
            {t("trust.addAction")}
          </Button>
        </Actions>
      </form>
    </Section>
  );
}
