/** Bringing in somebody who is a user of the instance, by handle. */
import { useState, type FormEvent } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Actions, Button, Dialog, Refusal, TextField, useToast } from "../ui/index.ts";
import { RoleChoice } from "./role-choice.tsx";
import { useMembersTexts } from "./texts.ts";

export function AddMemberDialog({ onClose }: { readonly onClose: () => void }) {
  const t = useMembersTexts();
  const toast = useToast();
  const { community, ref } = useCommunity();
  const [handle, setHandle] = useState("");
  const [chosen, setChosen] = useState<readonly string[]>(["member"]);
  const add = useAct(
    (client) =>
      client.call("communities.addMember", {
        params: { community: ref },
        body: { identity: handle.trim().toLowerCase(), roles: [...chosen] },
      }),
    {
      changes: ["communities."],
      onDone: (member) => {
        toast({ text: t("add.done", { handle: member.handle }) });
        onClose();
      },
    },
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (chosen.length > 0) add.mutate();
  };
  return (
    <Dialog title={t("add.title")} onClose={onClose}>
      <form className="grid gap-4" onSubmit={submit}>
        <p className="text-soft">{t("add.lead")}</p>
        <TextField
          label={t("add.handle")}
          hint={t("add.handleHint")}
          required
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={handle}
          fault={faultsByField(add.error).get("identity")}
          onChange={({ target }) => setHandle(target.value)}
        />
        <RoleChoice
          held={community.permissions}
          chosen={chosen}
          fault={chosen.length === 0 ? t("roles.needed") : undefined}
          onChange={setChosen}
        />
        {add.error !== null && <Refusal error={add.error} />}
        <Actions>
          <Button type="submit" busy={add.isPending} disabled={handle.trim() === "" || chosen.length === 0}>
            {t("add.submit")}
          </Button>
          <Button tone="quiet" onClick={onClose}>
            {t("cancel")}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
