/**
 * Who asks, as the request pipeline read it from the store for this very request, and the check of what it may do.
 *
 * Invariant: default deny; services ask for a permission, never for a role.
 */
import { AppError, type EndpointId, type Handle, type InstancePermission, type InstanceRole, type SignPub } from "@althing/contract";
import { authorizeInstance } from "@althing/policy";

export interface Caller {
  readonly endpoint: EndpointId;
  readonly signPub: SignPub;
  readonly handle: Handle;
  readonly role: InstanceRole;
}

/** @throws {auth.forbidden} */
export function requireInstance(caller: Caller, permission: InstancePermission): void {
  const decision = authorizeInstance(caller.role, "active", permission);
  if (!decision.allowed) throw new AppError("auth.forbidden", { permission, who: decision.who });
}
