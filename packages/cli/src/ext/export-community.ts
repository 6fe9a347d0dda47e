/**
 * The export of a community as one JSON document, made page by page as the hub gives it.
 *
 * Invariant: a document is whole or not given: whatever fails ends it with an error. Memory is that of a page, whatever the community's size.
 */
import type { PackagesClient } from "@althing/client";
import type { RouteResponse } from "@althing/contract";

type Page = RouteResponse<"communities.export">;

/** Pieces of `{format, community, exportedAt, sections: {<name>: [records]}}`. @param onSection told of each section's number of records */
export async function* exportText(
  client: PackagesClient,
  community: string,
  exportedAt: string,
  onSection: (name: string, records: number) => void = () => undefined,
): AsyncGenerator<string> {
  let section: string | undefined;
  let count = 0;
  let next: Page["next"] | undefined;
  do {
    const query = {
      limit: 200,
      ...(next === undefined ? {} : { section: next.section, ...(next.after === undefined ? {} : { after: next.after }) }),
    };
    const page: Page = await client.call("communities.export", { params: { community }, query });
    if (section === undefined) {
      const head = JSON.stringify({ format: page.format, community: page.community, exportedAt });
      yield `${head.slice(0, -1)},"sections":{`;
    }
    if (section !== page.section) {
      if (section !== undefined) onSection(section, count);
      yield `${section === undefined ? "" : "\n],"}\n${JSON.stringify(page.section)}:[`;
      [section, count] = [page.section, 0];
    }
    for (const record of page.records) {
      yield `${count === 0 ? "" : ","}\n${JSON.stringify(record)}`;
      count += 1;
    }
    next = page.next;
  } while (next !== undefined);
  if (section !== undefined) onSection(section, count);
  yield "\n]}}\n";
}
