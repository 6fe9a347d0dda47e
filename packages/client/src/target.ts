/**
 * Which addresses a client is willing to talk to.
 *
 * Invariant: whatever leaves this machine is encrypted in transit; plain `http:` and `nats:` are for loopback alone. Checked here, once, before
 * the first byte, and again for addresses that a server hands out: a server must not be able to talk a client into clear text.
 */
import { AppError, isLoopbackHost } from "@althing/contract";

/**
 * An API address without its trailing slash.
 *
 * @throws {client.insecure_target} not `https:` and not loopback
 */
export function checkApiUrl(text: string): string {
  const url = parse(text);
  const plainHere = url.protocol === "http:" && isLoopbackHost(url.hostname);
  if ((url.protocol !== "https:" && !plainHere) || url.username !== "" || url.password !== "") {
    throw new AppError("client.insecure_target", { url: url.origin === "null" ? text : url.origin });
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/**
 * A NATS address as `host:port` with its need for TLS.
 *
 * @throws {client.insecure_target} not `tls:` and not loopback
 */
export function checkNatsUrl(text: string): { readonly server: string; readonly tls: boolean } {
  const url = parse(text);
  const tls = url.protocol === "tls:";
  if (!tls && !(url.protocol === "nats:" && isLoopbackHost(url.hostname))) throw new AppError("client.insecure_target", { url: text });
  if (url.username !== "" || url.password !== "") throw new AppError("client.insecure_target", { url: `${url.protocol}//${url.host}` });
  return { server: `${url.hostname}:${url.port === "" ? "4222" : url.port}`, tls };
}

/** The WebSocket address of a hub: same origin, `/api/bus`. */
export function busSocketUrl(apiUrl: string): string {
  return `${apiUrl.replace(/^http/, "ws")}/api/bus`;
}

function parse(text: string): URL {
  if (!URL.canParse(text)) throw new AppError("client.insecure_target", { url: text });
  return new URL(text);
}
