/** Somebody's roles, by name; the names are the community's own. */
import { Badge } from "../ui/index.ts";

export function RoleBadges({ roles }: { readonly roles: readonly string[] }) {
  return (
    <span className="flex flex-wrap gap-1">
      {roles.map((role) => (
        <Badge key={role} tone={role === "owner" || role === "admin" || role === "moderator" ? "accent" : "plain"}>
          <bdi>{role}</bdi>
        </Badge>
      ))}
    </span>
  );
}
