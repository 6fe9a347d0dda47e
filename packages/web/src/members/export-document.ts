/**
 * The export of a community as one JSON document, page by page as the server gives it; the same shape as the command line's.
 *
 * Invariant: a document is whole or not given: whatever fails, and whoever stops it, ends it with an error.
 */
import type { RouteInput, RouteResponse } from "@althing/contract";

type Page = RouteResponse<"communities.export">;
type Query = NonNullable<RouteInput<"communities.export">["query"]>;
const pageRows = 200;

export interface ExportedSoFar {
  readonly section: string;
  readonly records: number;
}

/**
 * Pieces of `{format, community, exportedAt, sections: {<name>: [records]}}`.
 *
 * @param read one page @param onPage told after each page @throws whatever `read` throws
 */
export async function exportPieces(
  read: (query: Query) => Promise<Page>,
  exportedAt: string,
  onPage: (soFar: ExportedSoFar) => void,
): Promise<string[]> {
  const pieces: string[] = [];
  let section: string | undefined;
  let count = 0;
  let all = 0;
  let next: Page["next"] | undefined;
  do {
    const page: Page = await read({ limit: pageRows, ...next });
    if (section === undefined)
      pieces.push(`${JSON.stringify({ format: page.format, community: page.community, exportedAt }).slice(0, -1)},"sections":{`);
    if (section !== page.section) {
      pieces.push(`${section === undefined ? "" : "\n],"}\n${JSON.stringify(page.section)}:[`);
      [section, count] = [page.section, 0];
    }
    for (const record of page.records) {
      pieces.push(`${count === 0 ? "" : ","}\n${JSON.stringify(record)}`);
      count += 1;
    }
    all += page.records.length;
    onPage({ section, records: all });
    next = page.next;
  } while (next !== undefined);
  pieces.push("\n]}}\n");
  return pieces;
}
