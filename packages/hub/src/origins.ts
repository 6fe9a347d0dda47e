/**
 * The addresses under which this instance answers (`origins`), and the one a request came for.
 *
 * Invariant: the base of a signature is made of an origin from this list, never of what the request says about itself, so a request signed for another
 * instance is refused before any cryptography (421). The same list decides WebSocket origins and what the page may connect to.
 */
import { AppError, isLoopbackHost, urlHost, type Config } from "@althing/contract";

export interface Origins {
  readonly list: readonly string[];
  /** The origin whose authority is `host`. @throws {auth.wrong_authority} */
  forAuthority(host: string): string;
  /** Is this the value of an Origin header of one of our pages? */
  has(origin: string): boolean;
  /** WebSocket sources for the page's content security policy. */
  readonly webSocketSources: readonly string[];
}

/** @throws {config.invalid} an entry is no origin */
export function createOrigins(entries: readonly string[]): Origins {
  const list = entries.map(normalised);
  const byAuthority = new Map<string, string>();
  for (const origin of list) {
    const url = new URL(origin);
    byAuthority.set(url.host, origin);
    // The default port may be written out in Host; URL drops it.
    if (url.port === "") byAuthority.set(`${url.hostname}:${url.protocol === "https:" ? 443 : 80}`, origin);
  }
  const known = new Set(list);
  return {
    list,
    forAuthority(host) {
      const origin = byAuthority.get(host) ?? byAuthority.get(host.toLowerCase());
      if (origin === undefined) throw new AppError("auth.wrong_authority", { observed: printable(host) });
      return origin;
    },
    has: (origin) => known.has(origin),
    // A source list has no form for IPv6 literals (CSP 3, host-source); there 'self' alone admits the page's own socket.
    webSocketSources: list.filter((origin) => !origin.includes("[")).map((origin) => origin.replace(/^http/, "ws")),
  };
}

const wildcards: readonly string[] = ["0.0.0.0", "::"];

/** The configured list; else the one address that is listened on, or where that is loopback or all of them the loopback names, with the hub's port. */
export function originsOf(config: Pick<Config, "origins" | "host" | "ports" | "tls_cert">): string[] {
  if (config.origins.length > 0) return [...config.origins];
  const scheme = config.tls_cert === undefined ? "http" : "https";
  const isOne = !isLoopbackHost(config.host) && !wildcards.includes(config.host);
  const hosts = isOne ? [urlHost(config.host)] : ["localhost", "127.0.0.1", "[::1]"];
  return hosts.map((host) => `${scheme}://${host}:${config.ports.hub}`);
}

function normalised(entry: string): string {
  const invalid = () =>
    new AppError("config.invalid", {
      key: "origins",
      source: "the configuration",
      observed: JSON.stringify(entry),
      detail: "an origin is scheme://host[:port] with http or https",
    });
  let url: URL;
  try {
    url = new URL(entry);
  } catch {
    throw invalid();
  }
  const plain = url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "" && url.password === "";
  if (!plain || (url.protocol !== "http:" && url.protocol !== "https:")) throw invalid();
  return url.origin;
}

/** What a refusal may repeat of a header: a short, visible ASCII form. */
export function printable(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, "?").slice(0, 100) || "(none)";
}
