/** Brings somebody into a room, by handle; people of the community are suggested. */
import { hasCode, type Room } from "@althing/contract";
import type { Member, RoomHandle } from "@althing/client";
import { useId, useState } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { Button, Refusal, TextField, useRefusalLine, useToast } from "../ui/index.ts";
import { useRoomTexts } from "./texts.ts";

export function InvitePart({
  room,
  handle,
  members,
}: {
  readonly room: Room;
  readonly handle: RoomHandle;
  readonly members: readonly Member[];
}) {
  const t = useRoomTexts();
  const id = useId();
  const toast = useToast();
  const [who, setWho] = useState("");
  const invite = useAct(
    async (_, name: string) => {
      await handle.invite(name);
      return name;
    },
    {
      changes: ["rooms."],
      onDone: (name) => {
        toast({ text: t("members.invited", { who: name }) });
        // Perhaps the next name is being typed already.
        setWho((typed) => (typed.trim() === name ? "" : typed));
      },
    },
  );
  const people = useRead(
    "communities.members",
    { params: { community: room.community ?? "" }, query: { limit: 500 } },
    { enabled: room.community !== undefined },
  );
  const inside = new Set<string>(members.map(({ endpoint }) => endpoint));
  const suggested = (people.data?.members ?? []).filter(({ endpoint }) => !inside.has(endpoint));
  const line = useRefusalLine(invite.error);
  // What is wrong with the handle stands at the handle.
  const isOfField = hasCode(
    invite.error,
    "user.not_found",
    "room.already_member",
    "room.not_in_community",
    "room.no_keys",
    "room.invitee_busy",
  );
  return (
    <form
      className="grid gap-3"
      aria-label={t("members.invite")}
      onSubmit={(event) => {
        event.preventDefault();
        if (who.trim() !== "" && !invite.isPending) invite.mutate(who.trim());
      }}
    >
      <h2 className="text-lg font-bold">{t("members.invite")}</h2>
      <TextField
        label={t("members.inviteLabel")}
        hint={room.community === undefined ? t("members.inviteHint") : t("members.inviteMember")}
        fault={isOfField ? line : undefined}
        value={who}
        list={`${id}-people`}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        onChange={(event) => {
          if (invite.isError) invite.reset();
          setWho(event.target.value);
        }}
      />
      <datalist id={`${id}-people`}>
        {suggested.map(({ endpoint, handle: name }) => (
          <option key={endpoint} value={name} />
        ))}
      </datalist>
      {invite.isError && !isOfField && <Refusal error={invite.error} />}
      <div>
        <Button type="submit" tone="quiet" busy={invite.isPending} disabled={who.trim() === ""}>
          {t("members.inviteAction")}
        </Button>
      </div>
    </form>
  );
}
