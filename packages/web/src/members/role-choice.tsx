/**
 * Choosing the roles of somebody.
 *
 * Invariant: a role that the reader may not give cannot be ticked, and the reason stands beside it; roles that cannot be read are not taken for none.
 */
import { useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { CheckField, Refusal, Skeleton } from "../ui/index.ts";
import { usePermissionName, useRoleWords } from "./permission-name.ts";
import { lackedOf } from "./role-rules.ts";
import { useMembersTexts } from "./texts.ts";

export interface RoleChoiceProps {
  /** Permissions of whoever chooses. */
  readonly held: readonly string[];
  readonly chosen: readonly string[];
  readonly fault?: string | undefined;
  readonly onChange: (chosen: readonly string[]) => void;
}

export function RoleChoice({ held, chosen, fault, onChange }: RoleChoiceProps) {
  const t = useMembersTexts();
  const { ref } = useCommunity();
  const read = useRead("roles.list", { params: { community: ref } });
  const nameOf = usePermissionName();
  const wordsOf = useRoleWords();
  return (
    <fieldset className="grid gap-3">
      <legend className="mb-1 font-semibold">{t("roles.label")}</legend>
      <p className="text-sm text-soft">{t("roles.rule")}</p>
      {read.isPending && <Skeleton rows={2} />}
      {read.error !== null && <Refusal error={read.error} onRetry={() => void read.refetch()} />}
      <div className="grid gap-3 sm:grid-cols-2">
        {read.data?.roles.map((role) => {
          const lacked = lackedOf(held, role.permissions);
          const words = role.role === "owner" ? t("roles.ownerHint") : wordsOf(role);
          return (
            <CheckField
              key={role.role}
              className="content-start"
              label={role.role}
              isGiven
              hint={lacked === undefined ? <bdi>{words}</bdi> : t("roles.lacks", { what: nameOf(lacked) })}
              disabled={lacked !== undefined}
              checked={chosen.includes(role.role)}
              onChange={({ target }) => onChange(target.checked ? [...chosen, role.role] : chosen.filter((one) => one !== role.role))}
            />
          );
        })}
      </div>
      {fault !== undefined && <p className="text-sm font-semibold text-bad">{fault}</p>}
    </fieldset>
  );
}
