/** Listings come a page at a time; this reads them to the end. */

/**
 * The pages of a listing, in order, one request each, no sooner than they are read.
 * @param read asks for one page; `from` is empty for the first, and goes into the query as it is
 */
export async function* pages<Cursor, Page extends { readonly next?: Cursor | undefined }>(
  read: (from: { readonly after?: Cursor }) => Promise<Page>,
): AsyncGenerator<Page, void, undefined> {
  let after: Cursor | undefined;
  do {
    const page = await read(after === undefined ? {} : { after });
    yield page;
    after = page.next;
  } while (after !== undefined);
}
