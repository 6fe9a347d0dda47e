/**
 * Who is in a room, and everything that changes it: bringing in, removing, roles, requests, extensions, safety numbers.
 *
 * Invariant: the list is the signed record's, not the server's; what the reader may not do is not offered, and who may is said.
 */
import { type Room, type RoomRole, roomRoles } from "@althing/contract";
import type { Member, RoomHandle } from "@althing/client";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { Badge, Button, ConfirmDialog, Person, Refusal, SelectField, Skeleton, useToast } from "../ui/index.ts";
import { ExtensionsPart } from "./extensions-part.tsx";
import { InvitePart } from "./invite-part.tsx";
import { RequestsPart } from "./requests-part.tsx";
import type { RoomSnapshot } from "./room-store.ts";
import { SafetyDialog } from "./safety-dialog.tsx";
import { useRoomTexts } from "./texts.ts";

export function MembersPanel({ room, snapshot: { handle } }: { readonly room: Room; readonly snapshot: RoomSnapshot }) {
  const t = useRoomTexts();
  const members = useQuery({
    queryKey: ["rooms.members", room.id, "verified"],
    queryFn: async () => (await handle?.members()) ?? [],
    enabled: handle !== undefined,
  });
  const mayInvite = room.role !== "member";
  return (
    <div className="grid gap-6">
      {handle !== undefined && mayInvite && <RequestsPart room={room} handle={handle} />}
      <section aria-label={t("members.people")} className="grid gap-3">
        <h2 className="text-lg font-bold">{t("members.people")}</h2>
        {members.isError && <Refusal error={members.error} onRetry={() => void members.refetch()} />}
        {members.isPending ? (
          <Skeleton rows={3} height="h-10" />
        ) : (
          <ul className="grid gap-1">
            {inOrder(members.data ?? []).map((member) => (
              <MemberRow key={member.endpoint} member={member} room={room} handle={handle} />
            ))}
          </ul>
        )}
      </section>
      {handle !== undefined && mayInvite ? (
        <InvitePart room={room} handle={handle} members={members.data ?? []} />
      ) : (
        <p className="text-sm text-soft">{t("members.whoInvites")}</p>
      )}
      {handle !== undefined && mayInvite && room.community !== undefined && <ExtensionsPart room={room} handle={handle} />}
    </div>
  );
}

/** Who runs the room first, extensions last. */
function inOrder(members: readonly Member[]): readonly Member[] {
  const rank = ({ role, kind }: Member) => (kind === "extension" ? roomRoles.length : roomRoles.indexOf(role));
  return members.toSorted((a, b) => rank(a) - rank(b) || a.handle.localeCompare(b.handle));
}

type Asked = { readonly kind: "remove" } | { readonly kind: "safety" } | { readonly kind: "role"; readonly role: RoomRole };

function MemberRow({ member, room, handle }: { readonly member: Member; readonly room: Room; readonly handle: RoomHandle | undefined }) {
  const t = useRoomTexts();
  const { user } = useSession();
  const [asked, setAsked] = useState<Asked>();
  const who = member.handle;
  const isOwn = member.endpoint === user.endpoint;
  const isPerson = member.kind === "person";
  // The record names them until the next one is made, and says nothing of it: only the server knows who went.
  const isGone = room.gone.includes(member.endpoint);
  const isOwner = room.role === "owner";
  const mayRemove = !isOwn && !isGone && (isOwner || (room.role === "moderator" && member.role === "member"));
  return (
    <li className="grid gap-1 border-b border-line py-2 last:border-0">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <Person handle={who} you={isOwn} />
        {member.role !== "member" && <Badge tone="accent">{t(`members.${member.role}`)}</Badge>}
      </div>
      {!isPerson && <Badge tone="note">{t("members.extension")}</Badge>}
      {isGone && <p className="text-sm text-soft">{t("members.gone")}</p>}
      {isPerson && !isGone && !member.joined && <p className="text-sm text-soft">{t("members.invitedYet")}</p>}
      <div className="flex flex-wrap items-center gap-x-1">
        {isOwner && isPerson && !isGone && (
          <SelectField
            label={t("members.role", { who })}
            hideLabel
            className="w-36"
            value={member.role}
            options={roomRoles.map((value) => ({ value, label: t(`members.${value}`) }))}
            onChange={(event) => {
              const role = roomRoles.find((one) => one === event.target.value);
              if (role !== undefined && role !== member.role) setAsked({ kind: "role", role });
            }}
          />
        )}
        {isPerson && !isOwn && (
          <Button tone="plain" aria-label={t("members.safetyOf", { who })} onClick={() => setAsked({ kind: "safety" })}>
            {t("members.safety")}
          </Button>
        )}
        {mayRemove && (
          <Button tone="plain" aria-label={t("members.removeOf", { who })} onClick={() => setAsked({ kind: "remove" })}>
            {t("members.remove")}
          </Button>
        )}
      </div>
      {handle !== undefined && asked?.kind === "remove" && (
        <RemoveMember who={who} room={room} handle={handle} onClose={() => setAsked(undefined)} />
      )}
      {handle !== undefined && asked?.kind === "role" && (
        <ChangeRole who={who} role={asked.role} handle={handle} onClose={() => setAsked(undefined)} />
      )}
      {handle !== undefined && asked?.kind === "safety" && (
        <SafetyDialog who={who} room={room} handle={handle} onClose={() => setAsked(undefined)} />
      )}
    </li>
  );
}

function RemoveMember({
  who,
  room,
  handle,
  onClose,
}: {
  readonly who: string;
  readonly room: Room;
  readonly handle: RoomHandle;
  readonly onClose: () => void;
}) {
  const t = useRoomTexts();
  const toast = useToast();
  const remove = useAct(() => handle.kick(who), {
    changes: ["rooms."],
    onDone: () => {
      toast({ text: t("members.removed", { who }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      title={t("members.removeTitle", { who })}
      action={t("members.remove")}
      danger
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      <p>{t(room.policy.encrypt ? "members.removeText" : "members.removePlain", { who })}</p>
    </ConfirmDialog>
  );
}

function ChangeRole({
  who,
  role,
  handle,
  onClose,
}: {
  readonly who: string;
  readonly role: RoomRole;
  readonly handle: RoomHandle;
  readonly onClose: () => void;
}) {
  const t = useRoomTexts();
  const change = useAct(() => handle.setRole(who, role), { changes: ["rooms."], onDone: onClose });
  const title = t("members.roleTitle", { who, role: t(`members.${role}`).toLowerCase() });
  return (
    <ConfirmDialog
      title={title}
      action={t("members.roleAction")}
      busy={change.isPending}
      error={change.error}
      onConfirm={() => change.mutate()}
      onClose={onClose}
    >
      <p>{t(`members.roleText.${role}`)}</p>
    </ConfirmDialog>
  );
}
