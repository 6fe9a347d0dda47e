/** Adds a key to the allowlist: for bots and services, whose owner sends the key. */
import { addUserSchema, instanceRoles } from "@althing/contract";
import { useState, type FormEvent } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { Actions, Button, Dialog, Refusal, SelectField, TextField, useToast } from "../ui/index.ts";
import { useInstanceTexts } from "./texts.ts";

export function AddUserDialog({ onClose }: { readonly onClose: () => void }) {
  const t = useInstanceTexts();
  const toast = useToast();
  const [typed, setTyped] = useState({ signPub: "", handle: "", role: "member" });
  const [isTried, setIsTried] = useState(false);
  const parsed = addUserSchema.safeParse({
    ...typed,
    signPub: typed.signPub.trim().toLowerCase(),
    handle: typed.handle.trim().toLowerCase(),
  });
  const add = useAct((client, body: typeof parsed.data) => client.call("users.add", { ...(body === undefined ? {} : { body }) }), {
    changes: ["users.", "instance."],
    onDone: ({ handle }) => {
      toast({ text: t("users.added", { handle }) });
      onClose();
    },
  });
  const refused = faultsByField(add.error);
  const faultOf = (field: string): string | undefined =>
    refused.get(field) ?? (isTried ? parsed.error?.issues.find(({ path }) => path[0] === field)?.message : undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setIsTried(true);
    if (parsed.success) add.mutate(parsed.data);
  };
  const set = (part: Partial<typeof typed>) => setTyped((before) => ({ ...before, ...part }));
  return (
    <Dialog title={t("users.addTitle")} onClose={onClose}>
      <form noValidate className="grid gap-4" onSubmit={submit}>
        <p className="text-soft">{t("users.addLead")}</p>
        <TextField
          label={t("users.key")}
          hint={t("users.keyHint")}
          fault={faultOf("signPub")}
          value={typed.signPub}
          autoComplete="off"
          spellCheck={false}
          onChange={({ target }) => set({ signPub: target.value })}
        />
        <TextField
          label={t("users.handle")}
          hint={t("users.handleHint")}
          fault={faultOf("handle")}
          value={typed.handle}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={({ target }) => set({ handle: target.value })}
        />
        <SelectField
          label={t("users.role")}
          hint={t("users.roleHint")}
          value={typed.role}
          options={instanceRoles.map((role) => ({ value: role, label: t(`users.${role}`) }))}
          onChange={({ target }) => set({ role: target.value })}
        />
        {add.error !== null && <Refusal error={add.error} />}
        <Actions>
          <Button type="submit" busy={add.isPending}>
            {t("users.add")}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
