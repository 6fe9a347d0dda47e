/**
 * What the extension plane takes from outside: callers, the log, and its questions about communities.
 *
 * Invariant: this package knows neither HTTP nor the bus nor how communities keep their members; the hub joins the parts. Each question reads the
 * store freshly, so that a role taken away or a policy changed holds for the next call.
 */
import type {
  CommunityId,
  CommunityPermission,
  EndpointId,
  Handle,
  InstancePluginPolicy,
  InstanceRole,
  PluginPolicyChange,
  SignPub,
} from "@althing/contract";

/** An active user of the instance, as the hub authenticated it. */
export interface PluginCaller {
  readonly endpoint: EndpointId;
  readonly signPub: SignPub;
  readonly handle: Handle;
  readonly role: InstanceRole;
}

/** Fields never hold bodies, headers, tokens or secrets. */
export type ExtensionLog = (
  level: "debug" | "info" | "warn" | "error",
  event: string,
  fields: Readonly<Record<string, string | number | boolean>>,
) => void;

export interface ExtensionClock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface MemberView {
  readonly id: string;
  readonly handle: string;
  readonly roles: readonly string[];
  readonly since: string;
}

export interface CommunityGate {
  /** Id of a community that the caller may see. @throws {community.not_found} */
  resolve(caller: PluginCaller, ref: string): Promise<CommunityId>;
  /** Id, whoever asks; for public endpoints. */
  find(ref: string): Promise<CommunityId | undefined>;
  /** @throws {community.not_found} {auth.forbidden} */
  authorize(caller: PluginCaller, community: CommunityId, permission: CommunityPermission | `ext.${string}`): Promise<void>;
  /** `undefined`: not a member. */
  permissionsOf(caller: PluginCaller, community: CommunityId): Promise<readonly string[] | undefined>;
  policy(community: CommunityId): Promise<CommunityPolicy>;
  members(community: CommunityId, page: { readonly after?: string; readonly limit: number }): Promise<MemberPage>;
}

export interface CommunityPolicy {
  readonly community: PluginPolicyChange;
  readonly instance: InstancePluginPolicy;
  /** Grows with every change of either. */
  readonly revision: number;
}

export interface MemberPage {
  readonly members: readonly MemberView[];
  readonly next?: string;
}
