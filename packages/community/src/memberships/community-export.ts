/**
 * The export of a community, section by section.
 *
 * Invariant: each area gives its own section, so that this knows none of their records; whoever follows the cursors to their end has seen every record that was
 * there throughout. It is no picture of one moment.
 */
import type { Caller } from "@althing/bus";
import { AppError, type CommunityId } from "@althing/contract";
import type { Collection, Key } from "@althing/store";
import type { Authority } from "../authority.ts";
import type { CommunityPermission } from "@althing/contract";
import type { InCommunity } from "./membership-deps.ts";

export interface ExportPage {
  readonly records: readonly unknown[];
  /** Where the next page begins; absent at the end. */
  readonly next?: string;
}

export interface ExportSection {
  readonly name: string;
  /** Besides `community.manage`. */
  readonly permission?: CommunityPermission;
  /** @param after `next` of the page before */
  read(community: CommunityId, after: string | undefined, limit: number): Promise<ExportPage>;
}

/** A page of a collection below a community; `next` is the rest of the last key, none of whose segments holds a slash. */
export async function exportPageOf<T>(
  collection: Collection<T>,
  [community, after, limit]: readonly [CommunityId, string | undefined, number],
  shown: (key: Key, value: T) => unknown,
): Promise<ExportPage> {
  const from = after === undefined ? {} : { after: [community, ...after.split("/")] as const };
  const page = await collection.list({ prefix: [community], limit, ...from });
  return {
    records: page.records.map(({ key, value }) => shown(key, value)),
    ...(page.next === undefined ? {} : { next: page.next.slice(1).join("/") }),
  };
}

export interface ExportedPage {
  readonly format: "althing/community/v1";
  readonly community: CommunityId;
  readonly sections: string[];
  readonly section: string;
  readonly records: unknown[];
  readonly next?: { readonly section: string; readonly after?: string };
}

export interface CommunityExport {
  /** @throws {community.not_found} {auth.forbidden} {export.section_unknown} */
  read(
    caller: Caller,
    input: InCommunity & { readonly section?: string | undefined; readonly after?: string | undefined; readonly limit: number },
  ): Promise<ExportedPage>;
}

/** @param sections in the order of the export; areas add theirs while the plane is built */
export function createCommunityExport(authority: Authority, sections: readonly ExportSection[]): CommunityExport {
  return {
    async read(caller, { community, section: wanted, after, limit }) {
      const { id } = (await authority.require(caller, community, "community.manage")).community.value;
      const at = wanted === undefined ? 0 : sections.findIndex(({ name }) => name === wanted);
      const section = sections[at];
      if (section === undefined) throw new AppError("export.section_unknown", { section: wanted ?? "" });
      if (section.permission !== undefined) await authority.require(caller, id, section.permission);
      const page = await section.read(id, after, limit);
      const following = sections[at + 1]?.name;
      const next =
        page.next !== undefined
          ? { next: { section: section.name, after: page.next } }
          : following !== undefined
            ? { next: { section: following } }
            : {};
      return {
        ...{ format: "althing/community/v1", community: id, sections: sections.map(({ name }) => name), section: section.name },
        records: [...page.records],
        ...next,
      };
    },
  };
}
