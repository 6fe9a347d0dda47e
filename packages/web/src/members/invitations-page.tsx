/**
 * Invitations to the community: made, shown once as a link, listed, withdrawn.
 *
 * Invariant: the token is in the link that is shown right after it was made and nowhere else in the page; it is gone when the dialog closes.
 */
import type { CommunityInvitation, RouteResponse } from "@althing/contract";
import { useState } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { PersonOf } from "../app/people.tsx";
import { shortTime, wholeNumber } from "../app/times.ts";
import {
  Actions,
  Button,
  Card,
  ConfirmDialog,
  CopyButton,
  Dialog,
  EmptyState,
  ListState,
  Section,
  Table,
  Time,
  useToast,
  type Column,
} from "../ui/index.ts";
import { InviteForm } from "./invite-form.tsx";
import { MembersFrame } from "./members-frame.tsx";
import { RoleBadges } from "./role-badges.tsx";
import { useMembersTexts } from "./texts.ts";

/** What the holder opens: the page spends the token and takes it out of the address. */
export function invitationLink(origin: string, token: string): string {
  return `${origin}/communities/invitation#invitation=${token}`;
}

/** Uses are counted down by people who are no members yet. */
const askedAgainMs = 30_000;

export function InvitationsPage() {
  const t = useMembersTexts();
  const { can } = useCommunity();
  return (
    <MembersFrame title={t("invitations.title")} lead={t("invitations.lead")}>
      {can("members.invite") ? <Invitations /> : <EmptyState title={t("invitations.notYours")} />}
    </MembersFrame>
  );
}

function Invitations() {
  const t = useMembersTexts();
  const { community } = useCommunity();
  const [made, setMade] = useState<RouteResponse<"communities.invite"> | undefined>();
  return (
    <>
      <Section title={t("invitations.create")}>
        {community.registration === "closed" ? (
          <Card tone="note">{t("invitations.closed", { mode: t("settings.mode.closed") })}</Card>
        ) : (
          <InviteForm onMade={setMade} />
        )}
      </Section>
      <OpenInvitations />
      {made !== undefined && <MadeDialog token={made.token} onClose={() => setMade(undefined)} />}
    </>
  );
}

function MadeDialog({ token, onClose }: { readonly token: string; readonly onClose: () => void }) {
  const t = useMembersTexts();
  const link = invitationLink(location.origin, token);
  return (
    <Dialog title={t("invitations.madeTitle")} onClose={onClose}>
      <p>{t("invitations.madeText")}</p>
      <p
        aria-label={t("invitations.link")}
        role="group"
        className="rounded-lg border border-line bg-raised p-3 font-mono text-sm break-all select-all"
      >
        {link}
      </p>
      <CopyButton text={link} label={t("invitations.copy")} />
      <p className="text-sm text-soft">{t("invitations.strangers")}</p>
      <Actions>
        <Button tone="quiet" onClick={onClose}>
          {t("invitations.done")}
        </Button>
      </Actions>
    </Dialog>
  );
}

function OpenInvitations() {
  const t = useMembersTexts();
  const { ref } = useCommunity();
  const [leaving, setLeaving] = useState<CommunityInvitation | undefined>();
  const read = useRead("communities.invitations", { params: { community: ref } }, { everyMs: askedAgainMs });
  const rows = read.data?.invitations ?? [];
  const columns: readonly Column<CommunityInvitation>[] = [
    { name: t("invitations.gives"), isHeading: true, cell: ({ roles }) => <RoleBadges roles={roles} /> },
    { name: t("invitations.left"), cell: ({ usesLeft }) => wholeNumber(usesLeft) },
    { name: t("invitations.ends"), cell: ({ expiresAt }) => <Time at={expiresAt} /> },
    { name: t("invitations.by"), cell: ({ by }) => <PersonOf endpoint={by} gone={t("unnamed")} /> },
    {
      name: t("list.acts"),
      cell: (invitation) => (
        <Button
          tone="quiet"
          aria-label={t("invitations.withdrawOne", { roles: invitation.roles.join(", "), when: shortTime(invitation.createdAt) })}
          onClick={() => setLeaving(invitation)}
        >
          {t("invitations.withdraw")}
        </Button>
      ),
    },
  ];
  return (
    <Section title={t("invitations.listTitle")}>
      <ListState
        list={{ rows, isPending: read.isPending, error: read.error, retry: () => void read.refetch() }}
        waiting={{ height: "h-46 sm:h-14" }}
        empty={<EmptyState title={t("invitations.noneTitle")}>{t("invitations.noneText")}</EmptyState>}
      >
        <Table label={t("invitations.listTitle")} columns={columns} rows={rows} keyOf={({ id }) => id} />
      </ListState>
      {leaving !== undefined && <WithdrawDialog invitation={leaving} onClose={() => setLeaving(undefined)} />}
    </Section>
  );
}

function WithdrawDialog({ invitation, onClose }: { readonly invitation: CommunityInvitation; readonly onClose: () => void }) {
  const t = useMembersTexts();
  const toast = useToast();
  const { ref } = useCommunity();
  const withdraw = useAct(
    (client) => client.call("communities.withdrawInvitation", { params: { community: ref, invitation: invitation.id } }),
    {
      changes: ["communities.invitations"],
      onDone: () => {
        toast({ text: t("invitations.withdrawDone") });
        onClose();
      },
    },
  );
  return (
    <ConfirmDialog
      title={t("invitations.withdrawTitle")}
      action={t("invitations.withdraw")}
      danger
      busy={withdraw.isPending}
      error={withdraw.error}
      onConfirm={() => withdraw.mutate()}
      onClose={onClose}
    >
      <RoleBadges roles={invitation.roles} />
      <p>{t("invitations.withdrawText")}</p>
    </ConfirmDialog>
  );
}
