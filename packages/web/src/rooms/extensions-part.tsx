/**
 * Extensions that may be brought into a room.
 *
 * Invariant: nobody brings one in without having said that the server can then read the room.
 */
import type { Room, RoomExtension } from "@althing/contract";
import type { RoomHandle } from "@althing/client";
import { useState } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { Button, CheckField, ConfirmDialog, Refusal } from "../ui/index.ts";
import { useRoomTexts } from "./texts.ts";

export function ExtensionsPart({ room, handle }: { readonly room: Room; readonly handle: RoomHandle }) {
  const t = useRoomTexts();
  const read = useRead("rooms.extensions", { params: { room: room.id } });
  const [asked, setAsked] = useState<RoomExtension>();
  const extensions = (read.data?.extensions ?? []).filter(({ status, member }) => status === "active" || member);
  if (read.isError) return <Refusal error={read.error} onRetry={() => void read.refetch()} />;
  if (extensions.length === 0) return null;
  return (
    <section aria-label={t("members.extensions")} className="grid gap-2">
      <h2 className="text-lg font-bold">{t("members.extensions")}</h2>
      <p className="text-sm text-soft">{t("members.extensionsText")}</p>
      <ul className="grid gap-2">
        {extensions.map((extension) => (
          <li key={extension.endpoint} className="flex flex-wrap items-center justify-between gap-2">
            <bdi className="min-w-0 font-semibold">{extension.extension}</bdi>
            {extension.member ? (
              <span className="text-sm text-soft">{t("members.extensionIn")}</span>
            ) : (
              <Button
                tone="plain"
                aria-label={t("members.extensionInviteOf", { name: extension.extension })}
                onClick={() => setAsked(extension)}
              >
                {t("members.extensionInvite")}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {asked !== undefined && <InviteExtension extension={asked.extension} handle={handle} onClose={() => setAsked(undefined)} />}
    </section>
  );
}

function InviteExtension({
  extension,
  handle,
  onClose,
}: {
  readonly extension: string;
  readonly handle: RoomHandle;
  readonly onClose: () => void;
}) {
  const t = useRoomTexts();
  const [knows, setKnows] = useState(false);
  const invite = useAct(() => handle.inviteExtension(extension, { serverCanRead: knows }), { changes: ["rooms."], onDone: onClose });
  return (
    <ConfirmDialog
      title={t("members.extensionTitle", { name: extension })}
      action={t("members.extensionAction")}
      danger
      ready={knows}
      busy={invite.isPending}
      error={invite.error}
      onConfirm={() => invite.mutate()}
      onClose={onClose}
    >
      <p>{t("members.extensionText")}</p>
      <CheckField label={t("members.extensionConsent")} checked={knows} onChange={(event) => setKnows(event.target.checked)} />
    </ConfirmDialog>
  );
}
