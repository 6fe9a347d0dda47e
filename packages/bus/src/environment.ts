/**
 * What the bus takes from outside besides stores and connections: time, log, settings.
 *
 * Invariant: nothing in the bus reads a clock or a file of its own accord; log fields never hold tokens, keys, frames or record contents.
 */
import { limits } from "@althing/contract";

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export type BusLog = (
  level: "debug" | "info" | "warn" | "error",
  event: string,
  fields: Readonly<Record<string, string | number | boolean>>,
) => void;

/** The limits of the contract that the bus enforces; tests lower them. */
export type BusLimits = {
  readonly [
    K in
      | "roomMembersMax"
      | "roomsPerUserMax"
      | "roomMaxBytes"
      | "roomMessagesMax"
      | "joinRequestsMax"
      | "sessionsPerUserMax"
      | "sessionTtlSeconds"
      | "invitationTtlSeconds"
      | "adminLinkTtlSeconds"
      | "blobMaxBytes"
      | "blobsPerUserMaxBytes"
      | "historyPageMaxBytes"
  ]: number;
};

export interface BusConfig {
  /** Name of this node, told to clients. */
  readonly node: string;
  /** Addresses for NATS clients, this node's first, told to clients. */
  readonly natsUrls: readonly string[];
  /** In a cluster: addresses of its hubs, this node's first, told to clients. */
  readonly hubUrls?: readonly string[];
  /** Path of `acl.conf`. */
  readonly aclFile: string;
  readonly hubNkey: string;
  readonly systemNkey: string;
  /** 32 bytes, equal on all nodes. */
  readonly nameKey: Uint8Array;
  /** The instance listens beyond this machine: rooms must be encrypted. */
  readonly exposed: boolean;
  /** Copies of the rooms' stream (1 on one node). */
  readonly replicas?: number;
  /** Hubs of other nodes write to the same store. */
  readonly shared?: boolean;
  readonly limits?: Partial<BusLimits>;
}

export function effectiveLimits(config: BusConfig): BusLimits {
  return { ...limits, ...config.limits };
}

export const isoTime = (ms: number): string => new Date(ms).toISOString();
