/**
 * The roles of the community and what each may do, as one table; on a phone one role at a time.
 *
 * Invariant: every role can be read by every member; each has its buttons or the reason why it has none.
 */
import type { Role } from "@althing/contract";
import { useState } from "react";
import { usePages, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Button, Card, Refusal, Skeleton } from "../ui/index.ts";
import { MembersFrame } from "./members-frame.tsx";
import { RemoveRoleDialog, RoleEditor } from "./role-editor.tsx";
import { RoleMatrix } from "./role-matrix.tsx";
import { extensionPermissions, permissionAreas, type Areas } from "./role-rules.ts";
import { useMembersTexts } from "./texts.ts";

/** Every permission a role may hold here: the catalogue, and what packages ask for as far as the reader may see packages. */
function useAreas(roles: readonly Role[]): Areas {
  const { ref, can } = useCommunity();
  const installs = usePages(
    "packages.list",
    (after) => ({ params: { community: ref }, query: { limit: 200, ...(after === undefined ? {} : { after }) } }),
    ({ packages, next }) => ({ rows: packages, next }),
    { enabled: can("plugins.read") },
  );
  return [...permissionAreas, ["extensions", extensionPermissions(installs.rows, roles)]];
}

export function RolesPage() {
  const t = useMembersTexts();
  const { ref, can } = useCommunity();
  const read = useRead("roles.list", { params: { community: ref } });
  const roles = read.data?.roles ?? [];
  const areas = useAreas(roles);
  const [open, setOpen] = useState<{ readonly act: "change" | "remove"; readonly role: string } | "create" | undefined>();
  const close = () => setOpen(undefined);
  const chosen = typeof open === "object" ? roles.find(({ role }) => role === open.role) : undefined;
  const mayEdit = can("roles.manage");
  return (
    <MembersFrame
      wide
      title={t("matrix.title")}
      lead={t("matrix.lead")}
      actions={mayEdit && <Button onClick={() => setOpen("create")}>{t("matrix.create")}</Button>}
    >
      {!mayEdit && <Card>{t("matrix.readOnly")}</Card>}
      {read.error !== null && <Refusal error={read.error} onRetry={() => void read.refetch()} />}
      {read.isPending && <Skeleton rows={6} />}
      {roles.length > 0 && (
        <RoleMatrix
          roles={roles}
          areas={areas}
          mayEdit={mayEdit}
          onChange={(role) => setOpen({ act: "change", role })}
          onRemove={(role) => setOpen({ act: "remove", role })}
        />
      )}
      {open === "create" && <RoleEditor role={undefined} areas={areas} onClose={close} />}
      {typeof open === "object" && open.act === "change" && chosen !== undefined && (
        <RoleEditor role={chosen} areas={areas} onClose={close} />
      )}
      {typeof open === "object" && open.act === "remove" && chosen !== undefined && <RemoveRoleDialog role={chosen} onClose={close} />}
    </MembersFrame>
  );
}
