/**
 * Permissions by role: a table where there is room, one role at a time where there is none.
 *
 * Invariant: a mark is a shape and a word, never a colour alone; both forms say the same.
 */
import type { Role } from "@althing/contract";
import { Check, Minus } from "lucide-react";
import { Fragment, useState } from "react";
import { useCommunity } from "../app/community.tsx";
import { Badge, Button, Card, SelectField } from "../ui/index.ts";
import { usePermissionName, useRoleWords } from "./permission-name.ts";
import { isHeld, lackedOf, type Areas } from "./role-rules.ts";
import { useMembersTexts } from "./texts.ts";

export interface RoleMatrixProps {
  readonly roles: readonly Role[];
  readonly areas: Areas;
  readonly mayEdit: boolean;
  readonly onChange: (role: string) => void;
  readonly onRemove: (role: string) => void;
}

export function RoleMatrix(props: RoleMatrixProps) {
  const t = useMembersTexts();
  return (
    <>
      <div className="grid gap-3 max-md:hidden">
        <Wide {...props} />
        {props.mayEdit && <p className="text-sm text-soft">{t("matrix.notes")}</p>}
      </div>
      <div className="md:hidden">
        <Narrow {...props} />
      </div>
    </>
  );
}

function Wide(props: RoleMatrixProps) {
  const t = useMembersTexts();
  const nameOf = usePermissionName();
  const { roles, areas } = props;
  return (
    <div role="region" aria-label={t("matrix.area")} tabIndex={0} className="more-beside overflow-x-auto rounded-card border border-line">
      <table className="w-full border-collapse text-sm">
        <thead>
          <tr>
            <th scope="col" className="sticky start-0 z-10 min-w-56 bg-card p-3 text-start align-bottom">
              {t("matrix.permission")}
            </th>
            {roles.map((role) => (
              <th key={role.role} scope="col" className="min-w-28 border-s border-line p-3 text-center align-bottom">
                <bdi>{role.role}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {areas.map(([area, permissions]) => (
            <Fragment key={area}>
              <tr>
                <th scope="colgroup" colSpan={roles.length + 1} className="bg-raised text-start">
                  <span className="sticky start-0 inline-block px-3 py-2 font-semibold text-soft">{t(`area.${area}`)}</span>
                </th>
              </tr>
              {permissions.map((permission) => (
                <tr key={permission} className="border-b border-line">
                  <th scope="row" className="sticky start-0 z-10 bg-card px-3 py-2 text-start font-normal">
                    <bdi>{nameOf(permission)}</bdi>
                  </th>
                  {roles.map(({ role, permissions: held }) => (
                    <td key={role} className="border-s border-line p-2 text-center">
                      <Mark isHeld={isHeld(held, permission)} />
                    </td>
                  ))}
                </tr>
              ))}
            </Fragment>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td className="sticky start-0 z-10 bg-card p-3" />
            {roles.map((role) => (
              <td key={role.role} className="border-s border-line p-2 align-top">
                <RoleActs {...props} role={role} isStacked />
              </td>
            ))}
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

function Mark({ isHeld: held }: { readonly isHeld: boolean }) {
  const t = useMembersTexts();
  return (
    <>
      {held ? (
        <Check aria-hidden="true" className="mx-auto size-5 text-good" strokeWidth={3} />
      ) : (
        <Minus aria-hidden="true" className="mx-auto size-4 text-edge" />
      )}
      <span className="sr-only">{held ? t("matrix.held") : t("matrix.notHeld")}</span>
    </>
  );
}

function Narrow(props: RoleMatrixProps) {
  const t = useMembersTexts();
  const nameOf = usePermissionName();
  const wordsOf = useRoleWords();
  const { roles, areas } = props;
  const [chosen, setChosen] = useState("member");
  const role = roles.find((one) => one.role === chosen) ?? roles[0];
  if (role === undefined) return null;
  return (
    <Card className="grid gap-4">
      <SelectField
        label={t("matrix.role")}
        options={roles.map((one) => ({ value: one.role, label: one.role }))}
        value={role.role}
        onChange={({ target }) => setChosen(target.value)}
      />
      <p className="text-soft">
        <bdi>{wordsOf(role)}</bdi>
      </p>
      {areas.map(([area, permissions]) => (
        <section key={area} aria-label={t(`area.${area}`)}>
          <h2 className="mb-1 text-sm font-semibold text-soft">{t(`area.${area}`)}</h2>
          <ul className="grid gap-1">
            {permissions.map((permission) => (
              <li key={permission} className="grid grid-cols-[1.5rem_1fr] items-start gap-2">
                <span className="pt-0.5">
                  <Mark isHeld={isHeld(role.permissions, permission)} />
                </span>
                <bdi>{nameOf(permission)}</bdi>
              </li>
            ))}
          </ul>
        </section>
      ))}
      <RoleActs {...props} role={role} isStacked={false} />
    </Card>
  );
}

function RoleActs({
  role,
  mayEdit,
  isStacked,
  onChange,
  onRemove,
}: RoleMatrixProps & { readonly role: Role; readonly isStacked: boolean }) {
  const t = useMembersTexts();
  const nameOf = usePermissionName();
  const { community } = useCommunity();
  const lacked = lackedOf(community.permissions, role.permissions);
  const name = role.role;
  if (!mayEdit)
    return (
      <p>
        <Badge>{role.builtIn ? t("matrix.builtIn") : t("matrix.own")}</Badge>
      </p>
    );
  if (lacked !== undefined) return <p className="text-xs text-soft">{t("matrix.beyond", { what: nameOf(lacked) })}</p>;
  return (
    <div className={isStacked ? "grid justify-items-stretch gap-2 text-center" : "flex flex-wrap items-center gap-2"}>
      <Button tone="quiet" aria-label={t("matrix.changeOne", { role: name })} onClick={() => onChange(name)}>
        {t("matrix.change")}
      </Button>
      {role.builtIn ? (
        !isStacked && <p className="text-sm text-soft">{name === "owner" ? t("matrix.fixedOwner") : t("matrix.fixedBuiltIn")}</p>
      ) : (
        <Button
          tone="plain"
          className="whitespace-nowrap"
          aria-label={t("matrix.removeOne", { role: name })}
          onClick={() => onRemove(name)}
        >
          {t("matrix.remove")}
        </Button>
      )}
    </div>
  );
}
