/**
 * Whose data: one extension in one community.
 *
 * Invariant: keys of all records of an extension begin with its scope, which comes from the invocation's token and never from an argument, so
 * another community's data cannot be named. Data outlives an install that is removed with its data kept.
 */
import type { CommunityId } from "@althing/contract";

export interface Scope {
  readonly community: CommunityId;
  /** The extension's id. */
  readonly extension: string;
}

export const scopeKey = ({ community, extension }: Scope): [string, string] => [community, extension];
