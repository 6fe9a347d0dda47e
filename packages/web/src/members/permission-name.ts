/** Permissions and roles in plain words. */
import { anyExtension, isBuiltInRole, isCommunityPermission } from "./role-rules.ts";
import { useMembersTexts } from "./texts.ts";

/** @returns words for a permission; an extension's by its own name */
export function usePermissionName(): (permission: string) => string {
  const t = useMembersTexts();
  return (permission) => {
    if (permission === anyExtension) return t("matrix.allExtensions");
    return isCommunityPermission(permission) ? t(`permission.${permission}`) : permission;
  };
}

/** @returns what a role is for: its own description, or ours of a built-in one */
export function useRoleWords(): (role: { readonly role: string; readonly description: string }) => string {
  const t = useMembersTexts();
  return ({ role, description }) => {
    if (description !== "") return description;
    return isBuiltInRole(role) ? t(`roles.words.${role}`) : t("roles.own");
  };
}
