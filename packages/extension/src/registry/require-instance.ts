/** The check of what a caller may do on the instance. Default deny; the table is @althing/policy's. */
import { AppError, type InstancePermission } from "@althing/contract";
import { authorizeInstance } from "@althing/policy";
import type { PluginCaller } from "../extension-deps.ts";

/** @throws {auth.forbidden} */
export function requireInstance(caller: PluginCaller, permission: InstancePermission): void {
  const decision = authorizeInstance(caller.role, "active", permission);
  if (!decision.allowed) throw new AppError("auth.forbidden", { permission, who: decision.who });
}
