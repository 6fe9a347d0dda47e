/**
 * Which request targets belong to extensions.
 *
 * Invariant: read from the raw target, because routers decode; what comes after the extension's id is passed on as it was sent.
 */
export interface GatewayTarget {
  /** From the path; else the header speaks. */
  readonly community: string | undefined;
  readonly extension: string;
  readonly rawPath: string;
  readonly query: string;
}

const target = /^\/api\/(?:communities\/([^/?]{1,64})\/)?ext\/([^/?]{1,128})(\/[^?]*)?(?:\?(.*))?$/s;

/** What a request target names; `undefined` when it is no extension's. */
export function gatewayTarget(url: string): GatewayTarget | undefined {
  const found = target.exec(url);
  if (found === null) return undefined;
  const [, community, extension = "", rawPath = "", query = ""] = found;
  return { community, extension, rawPath, query };
}

/** Was this head, which the parser gave up on for its size, meant for an extension? */
export function isGatewayHead(head: Uint8Array | undefined): boolean {
  if (head === undefined) return false;
  const line = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, 512)).toString("latin1");
  return /^[A-Z]+ \/api\/(?:communities\/[^/ ]+\/)?ext\//.test(line);
}
