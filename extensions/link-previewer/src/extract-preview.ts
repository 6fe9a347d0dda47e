/**
 * Title and description of a page, as its author gave them to other sites.
 *
 * Invariant: the result is plain text of bounded length: it is shown beside what members write, and the page may be anybody's.
 */
export interface Preview {
  readonly title: string;
  readonly description: string;
}

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

function decodeEntities(html: string): string {
  return html.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return named[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
    return code > 0 && code <= 0x10_ff_ff ? String.fromCodePoint(code) : whole;
  });
}

function plain(html: string, max: number): string {
  const text = decodeEntities(html.replace(/<[^>]*>/g, ""))
    .replace(/\s+/g, " ")
    .trim();
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}

function attribute(tag: string, name: string): string | undefined {
  const match = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, "i").exec(tag);
  return match === null ? undefined : (match[1] ?? match[2] ?? match[3]);
}

/** `content` of the first `<meta>` whose name or property is one of these. */
function meta(head: string, names: readonly string[]): string | undefined {
  for (const [tag] of head.matchAll(/<meta\b[^>]*>/gi)) {
    const name = (attribute(tag, "property") ?? attribute(tag, "name") ?? "").toLowerCase();
    if (names.includes(name)) return attribute(tag, "content");
  }
  return undefined;
}

export function extractPreview(html: string): Preview {
  const head = html.slice(0, 64 * 1024);
  const title = meta(head, ["og:title", "twitter:title"]) ?? /<title[^>]*>([\s\S]*?)<\/title>/i.exec(head)?.[1] ?? "";
  const description = meta(head, ["og:description", "description", "twitter:description"]) ?? "";
  return { title: plain(title, 200), description: plain(description, 500) };
}
