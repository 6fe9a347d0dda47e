/**
 * What can be done about one member: other roles, an act of moderation, removal.
 *
 * Invariant: only what the reader may do is offered; removal says what stays and how it differs from a removal that can be appealed.
 */
import type { CommunityMember, Role } from "@althing/contract";
import { useState } from "react";
import { messageOf, useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { ModerateForm } from "../moderation/index.ts";
import { Actions, Button, Card, Dialog, Facts, Refusal, Time, useToast } from "../ui/index.ts";
import { usePermissionName } from "./permission-name.ts";
import { RoleBadges } from "./role-badges.tsx";
import { RoleChoice } from "./role-choice.tsx";
import { lackedOf } from "./role-rules.ts";
import { useMembersTexts } from "./texts.ts";

interface OfMember {
  readonly member: CommunityMember;
  readonly onClose: () => void;
}

const ways = ["roles", "moderate", "remove"] as const;

export function MemberDialog({ member, roles, onClose }: OfMember & { readonly roles: readonly Role[] }) {
  const t = useMembersTexts();
  const { can } = useCommunity();
  const open = ways.filter((way) => can(way === "moderate" ? "moderation.act" : "members.manage"));
  const [way, setWay] = useState(open[0]);
  return (
    <Dialog title={t("manage.title", { handle: member.handle })} onClose={onClose}>
      <Facts
        facts={[
          [t("list.since"), <Time key="since" at={member.since} form="day" />],
          [t("list.roles"), <RoleBadges key="roles" roles={member.roles} />],
        ]}
      />
      <div role="group" aria-label={t("manage.ways")} className="flex flex-wrap gap-2">
        {open.map((one) => (
          <Button key={one} tone={one === way ? "primary" : "quiet"} aria-pressed={one === way} onClick={() => setWay(one)}>
            {t(`manage.${one}`)}
          </Button>
        ))}
      </div>
      {way === "roles" && <RolesForm member={member} roles={roles} onClose={onClose} />}
      {way === "moderate" && <ModerateForm member={member} onDone={onClose} onCancel={onClose} />}
      {way === "remove" && <RemoveForm member={member} onClose={onClose} />}
    </Dialog>
  );
}

function RolesForm({ member, roles, onClose }: OfMember & { readonly roles: readonly Role[] }) {
  const t = useMembersTexts();
  const toast = useToast();
  const nameOf = usePermissionName();
  const { community, ref } = useCommunity();
  const [chosen, setChosen] = useState<readonly string[]>(member.roles);
  const { endpoint, handle } = member;
  const change = useAct(
    (client, given: readonly string[]) =>
      client.call("communities.setRoles", { params: { community: ref, endpoint }, body: { roles: [...given] } }),
    { changes: ["communities.", "roles."] },
  );
  const held = community.permissions;
  const beyond = roles.find(({ role, permissions }) => member.roles.includes(role) && lackedOf(held, permissions) !== undefined);
  const lacked = beyond === undefined ? undefined : lackedOf(held, beyond.permissions);
  if (beyond !== undefined && lacked !== undefined)
    return <Card tone="note">{t("manage.fixed", { handle, role: beyond.role, what: nameOf(lacked) })}</Card>;
  // The dialog is gone by then: a refusal has no other place.
  const undo = () =>
    void change.mutateAsync(member.roles).catch((error: unknown) => toast({ text: t("manage.undoRefused", { why: messageOf(error) }) }));
  const save = () =>
    change.mutate(chosen, {
      onSuccess: () => {
        toast({ text: t("manage.rolesDone", { handle }), undo });
        onClose();
      },
    });
  return (
    <div className="grid gap-4">
      <RoleChoice held={held} chosen={chosen} fault={chosen.length === 0 ? t("roles.needed") : undefined} onChange={setChosen} />
      {change.error !== null && <Refusal error={change.error} />}
      <Actions>
        <Button busy={change.isPending} disabled={chosen.length === 0 || sameRoles(chosen, member.roles)} onClick={save}>
          {t("manage.saveRoles")}
        </Button>
        <Button tone="quiet" onClick={onClose}>
          {t("cancel")}
        </Button>
      </Actions>
    </div>
  );
}

function sameRoles(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((role) => others.includes(role));
}

function RemoveForm({ member: { endpoint, handle }, onClose }: OfMember) {
  const t = useMembersTexts();
  const toast = useToast();
  const { ref, can } = useCommunity();
  const remove = useAct((client) => client.call("communities.removeMember", { params: { community: ref, endpoint } }), {
    changes: ["communities."],
    onDone: () => {
      toast({ text: t("manage.removeDone", { handle }) });
      onClose();
    },
  });
  return (
    <div className="grid gap-3">
      <p>{t("manage.removeText", { handle })}</p>
      {can("moderation.act") && <p>{t("manage.removeQuiet")}</p>}
      <p className="text-soft">{t("manage.removeBack")}</p>
      {remove.error !== null && <Refusal error={remove.error} />}
      <Actions>
        <Button tone="danger" busy={remove.isPending} onClick={() => remove.mutate()}>
          {t("manage.removeAction", { handle })}
        </Button>
        <Button tone="quiet" onClick={onClose}>
          {t("cancel")}
        </Button>
      </Actions>
    </div>
  );
}
