/**
 * The allowlist: who may come in, adding by key, revoking.
 *
 * Invariant: revoking is asked about in words that say it is for good; the row changes when the hub has shut the user out, not before.
 */
import type { User } from "@althing/contract";
import { useState } from "react";
import { useAct, usePages } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { Badge, Button, ConfirmDialog, EmptyState, ListState, Person, SearchField, Section, Table, Time, useToast } from "../ui/index.ts";
import { AddUserDialog } from "./add-user-dialog.tsx";
import { InstanceFrame } from "./instance-frame.tsx";
import { InstanceInvitation } from "../start/instance-invitation.tsx";
import { useInstanceTexts } from "./texts.ts";

export function UsersPage() {
  const t = useInstanceTexts();
  const { user } = useSession();
  const isAdmin = user.role === "admin";
  const [search, setSearch] = useState("");
  const [isAdding, setIsAdding] = useState(false);
  const [revoking, setRevoking] = useState<User>();
  const list = usePages(
    "users.list",
    (after) => ({ query: { limit: 100, ...(after === undefined ? {} : { after }) } }),
    ({ users, next }) => ({ rows: users, next }),
  );
  const wanted = search.trim().toLowerCase();
  const rows = list.rows.filter(({ handle, signPub }) => handle.includes(wanted) || signPub.startsWith(wanted));
  return (
    <InstanceFrame
      title={t("users.title")}
      lead={t("users.lead")}
      actions={
        isAdmin && (
          <Button tone="quiet" onClick={() => setIsAdding(true)}>
            {t("users.add")}
          </Button>
        )
      }
    >
      {isAdmin && (
        <>
          <Section title={t("users.invite")} lead={t("users.inviteLead")}>
            <InstanceInvitation />
          </Section>
          <SearchField label={t("users.search")} value={search} onChange={setSearch} />
        </>
      )}
      <ListState list={list} waiting={{ height: "h-46 sm:h-14" }} empty={null}>
        {rows.length === 0 ? (
          <EmptyState title={t("users.noMatch")}>{t("users.noMatchText")}</EmptyState>
        ) : (
          <UsersTable rows={rows} onRevoke={setRevoking} />
        )}
      </ListState>
      {isAdding && <AddUserDialog onClose={() => setIsAdding(false)} />}
      {revoking !== undefined && <RevokeDialog user={revoking} onClose={() => setRevoking(undefined)} />}
    </InstanceFrame>
  );
}

function UsersTable({ rows, onRevoke }: { readonly rows: readonly User[]; readonly onRevoke: (user: User) => void }) {
  const t = useInstanceTexts();
  const { user: me } = useSession();
  return (
    <Table
      label={t("users.title")}
      rows={rows}
      keyOf={({ signPub }) => signPub}
      columns={[
        {
          name: t("users.handle"),
          isHeading: true,
          cell: ({ handle, signPub }) => <Person handle={handle} you={signPub === me.signPub} />,
        },
        {
          name: t("users.role"),
          cell: ({ role }) => (role === "admin" ? <Badge tone="accent">{t("users.admin")}</Badge> : t("users.member")),
        },
        { name: t("users.since"), cell: ({ createdAt }) => <Time at={createdAt} form="short" /> },
        {
          name: t("users.status"),
          cell: ({ status, revokedAt }) =>
            status === "active" ? (
              <Badge tone="good">{t("users.active")}</Badge>
            ) : (
              <span className="inline-flex flex-wrap items-center gap-2">
                <Badge tone="bad">{t("users.revoked")}</Badge>
                {revokedAt !== undefined && <Time at={revokedAt} form="short" />}
              </span>
            ),
        },
        {
          name: t("users.acts"),
          cell: (user) =>
            user.status === "active" && (
              <Button tone="quiet" aria-label={t("users.revokeName", { handle: user.handle })} onClick={() => onRevoke(user)}>
                {t("users.revoke")}
              </Button>
            ),
        },
      ]}
    />
  );
}

function RevokeDialog({ user: { handle, signPub }, onClose }: { readonly user: User; readonly onClose: () => void }) {
  const t = useInstanceTexts();
  const toast = useToast();
  const revoke = useAct((client) => client.call("users.revoke", { params: { signPub } }), {
    changes: ["users.", "instance."],
    onDone: () => {
      toast({ text: t("users.gone", { handle }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      title={t("users.revokeTitle", { handle })}
      action={t("users.revoke")}
      danger
      busy={revoke.isPending}
      error={revoke.error}
      onConfirm={() => revoke.mutate()}
      onClose={onClose}
    >
      <p>{t("users.revokeText")}</p>
    </ConfirmDialog>
  );
}
