/**
 * Making and changing a role.
 *
 * Invariant: a change is made on the revision that was shown. When somebody else was faster, what was chosen stays, what the role holds now is shown, and
 * saving again is a decision and no accident. What the editor lacks can be neither given nor taken.
 */
import { hasCode, type Role } from "@althing/contract";
import { useState, type FormEvent } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Actions, Button, Card, CheckField, ConfirmDialog, Dialog, Refusal, TextArea, TextField, Told, useToast } from "../ui/index.ts";
import { usePermissionName } from "./permission-name.ts";
import { anyExtension, isHeld, type Areas } from "./role-rules.ts";
import { useMembersTexts } from "./texts.ts";

export interface RoleEditorProps {
  /** Undefined: a new one. */
  readonly role: Role | undefined;
  readonly areas: Areas;
  readonly onClose: () => void;
}

function useSaveRole({ role, onClose }: RoleEditorProps) {
  const t = useMembersTexts();
  const toast = useToast();
  const { ref } = useCommunity();
  const [shown] = useState(role?.revision ?? 0);
  const [draft, setDraft] = useState({ name: "", description: role?.description ?? "", permissions: role?.permissions ?? [] });
  const save = useAct(
    (client, revision: number) => {
      const { name, description } = draft;
      const permissions = [...draft.permissions];
      if (role === undefined)
        return client.call("roles.create", { params: { community: ref }, body: { role: name.trim(), description, permissions } });
      const body = role.role === "owner" ? { description } : { description, permissions };
      return client.call("roles.change", { params: { community: ref, role: role.role }, body }, { ifMatch: String(revision) });
    },
    {
      changes: ["roles.", "communities."],
      onDone: (saved) => {
        toast({ text: t(role === undefined ? "editor.created" : "editor.saved", { role: saved.role }) });
        onClose();
      },
    },
  );
  // What is read again after the refusal is what the next save is decided on.
  const isStale = hasCode(save.error, "request.precondition_failed") && role !== undefined;
  const saveNow = () => save.mutate(isStale ? role.revision : shown);
  return { draft, setDraft, save, saveNow, isStale };
}

export function RoleEditor(props: RoleEditorProps) {
  const t = useMembersTexts();
  const { role, areas, onClose } = props;
  const { draft, setDraft, save, saveNow, isStale } = useSaveRole(props);
  const faults = faultsByField(save.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saveNow();
  };
  return (
    <Dialog wide title={role === undefined ? t("editor.createTitle") : t("editor.changeTitle", { role: role.role })} onClose={onClose}>
      <form className="grid gap-4" onSubmit={submit}>
        {role === undefined && (
          <TextField
            label={t("editor.name")}
            hint={t("editor.nameHint")}
            required
            maxLength={32}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={draft.name}
            fault={faults.get("role")}
            onChange={({ target }) => setDraft({ ...draft, name: target.value })}
          />
        )}
        <TextArea
          label={t("editor.description")}
          optional
          rows={2}
          maxLength={300}
          value={draft.description}
          fault={faults.get("description")}
          onChange={({ target }) => setDraft({ ...draft, description: target.value })}
        />
        <PermissionChoice
          areas={areas}
          isFixed={role?.role === "owner"}
          chosen={draft.permissions}
          onChange={(permissions) => setDraft({ ...draft, permissions: [...permissions] })}
        />
        {isStale ? <Stale permissions={role?.permissions ?? []} /> : save.error !== null && <Refusal error={save.error} />}
        <Actions>
          <Button type="submit" busy={save.isPending}>
            {role === undefined ? t("editor.create") : t("editor.save")}
          </Button>
          <Button tone="quiet" onClick={onClose}>
            {t("cancel")}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}

function Stale({ permissions }: { readonly permissions: readonly string[] }) {
  const t = useMembersTexts();
  const nameOf = usePermissionName();
  return (
    <Told>
      <Card tone="note" className="grid gap-2">
        <p className="font-semibold">{t("editor.stale")}</p>
        <ul className="list-disc ps-5">
          {permissions.length === 0 && <li>{t("editor.staleNothing")}</li>}
          {permissions.map((permission) => (
            <li key={permission}>
              <bdi>{nameOf(permission)}</bdi>
            </li>
          ))}
        </ul>
        <p>{t("editor.staleSave")}</p>
      </Card>
    </Told>
  );
}

interface PermissionChoiceProps {
  readonly areas: Areas;
  readonly isFixed: boolean;
  readonly chosen: readonly string[];
  readonly onChange: (chosen: readonly string[]) => void;
}

function PermissionChoice({ areas, isFixed, chosen, onChange }: PermissionChoiceProps) {
  const t = useMembersTexts();
  const nameOf = usePermissionName();
  const { community } = useCommunity();
  if (isFixed) return <Card tone="note">{t("matrix.fixedOwner")}</Card>;
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      {areas.map(([area, permissions]) => (
        <fieldset key={area} className="grid content-start gap-2">
          <legend className="mb-1 font-semibold">{t(`area.${area}`)}</legend>
          {permissions.map((permission) => {
            const isMine = isHeld(community.permissions, permission);
            const isCovered = permission !== anyExtension && permission.startsWith("ext.") && chosen.includes(anyExtension);
            return (
              <CheckField
                key={permission}
                label={nameOf(permission)}
                {...(isMine ? (isCovered ? { hint: t("editor.covered") } : {}) : { hint: t("editor.lacks") })}
                disabled={!isMine || isCovered}
                checked={isCovered || chosen.includes(permission)}
                onChange={({ target }) => onChange(target.checked ? [...chosen, permission] : chosen.filter((one) => one !== permission))}
              />
            );
          })}
        </fieldset>
      ))}
    </div>
  );
}

export function RemoveRoleDialog({ role: { role, revision }, onClose }: { readonly role: Role; readonly onClose: () => void }) {
  const t = useMembersTexts();
  const toast = useToast();
  const { ref } = useCommunity();
  const remove = useAct((client) => client.call("roles.remove", { params: { community: ref, role } }, { ifMatch: String(revision) }), {
    changes: ["roles."],
    onDone: () => {
      toast({ text: t("editor.removeDone", { role }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      title={t("editor.removeTitle", { role })}
      action={t("matrix.remove")}
      danger
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      <p>{t("editor.removeText")}</p>
    </ConfirmDialog>
  );
}
