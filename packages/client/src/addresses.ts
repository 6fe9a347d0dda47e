/**
 * The addresses of one instance, and which of them is tried first.
 *
 * Invariant: those that were given come first and are never forgotten; what a server names is added only when the address it names, asked in the open,
 * names one of those known in turn. An honest instance never names somebody else's nodes, so no server can turn signed requests to another instance
 * at which the same identity is known too; and what a server that is not honest names gets nothing that this server does not get already.
 */
import { healthSchema, isLoopbackHost } from "@althing/contract";
import type { Http } from "./platform-types.ts";
import { checkApiUrl } from "./target.ts";

export interface Addresses {
  /** To be tried first. */
  readonly first: string;
  readonly count: number;
  /** All of them, in the order in which they are to be tried. */
  order(): readonly string[];
  prefer(url: string): void;
  /** The others go first from now on. */
  leave(url: string): void;
  /** Asks each of those that a server named, and adds those that belong here. Never throws. */
  learn(named: readonly string[]): Promise<void>;
}

/** More nodes than any cluster has. */
const addressesMax = 16;
const healthMaxBytes = 64 * 1024;
const askTimeoutMs = 2_000;

export function createAddresses(given: readonly string[], http: Http): Addresses {
  const list = [...new Set(given)];
  let preferred = 0;

  /** @returns does it name one of the addresses known here? */
  async function namesUs(url: string): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(askTimeoutMs);
      const answer = await http.send({
        method: "GET",
        url: `${url}/healthz`,
        headers: {},
        maxBytes: healthMaxBytes,
        signal,
        isApart: true,
      });
      const health = healthSchema.safeParse(JSON.parse(new TextDecoder().decode(answer.body)));
      const known = new Set(list.map(sameHere));
      return health.success && (health.data.urls ?? []).some((one) => known.has(sameHere(one)));
    } catch {
      return false;
    }
  }

  return {
    get first() {
      return list[preferred] ?? "";
    },
    get count() {
      return list.length;
    },
    order: () => [...list.slice(preferred), ...list.slice(0, preferred)],
    prefer(url) {
      preferred = Math.max(0, list.indexOf(url));
    },
    leave(url) {
      if (list[preferred] === url) preferred = (preferred + 1) % list.length;
    },
    async learn(named) {
      const known = new Set(list.map(sameHere));
      const fresh = named.slice(0, addressesMax).flatMap((text) => safeUrl(text, list) ?? []);
      const asked = [...new Set(fresh)].filter((url) => !known.has(sameHere(url)));
      const ours = await Promise.all(asked.map(namesUs));
      for (const [index, url] of asked.entries()) if (ours[index] === true && list.length < addressesMax) list.push(url);
    },
  };
}

/** What a server names may be neither in clear text nor, from outside, on this machine. */
function safeUrl(text: string, known: readonly string[]): string | undefined {
  try {
    const url = checkApiUrl(text);
    const isHere = isLoopbackHost(new URL(url).hostname);
    return isHere && !known.some((one) => isLoopbackHost(new URL(one).hostname)) ? undefined : url;
  } catch {
    return undefined;
  }
}

/** One machine's own names are one name. */
function sameHere(text: string): string {
  const url = URL.parse(text);
  if (url === null) return text;
  return isLoopbackHost(url.hostname) ? `${url.protocol}//localhost:${url.port}` : url.origin;
}
