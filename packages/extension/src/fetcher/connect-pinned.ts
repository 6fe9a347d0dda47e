/**
 * Opens the connection to an address that was vetted, and to no other.
 *
 * Invariant: the socket gets an address, never a name, and its look-up function throws, so no second look-up exists that a rebinding name
 * could win; TLS verifies the name all the same. No proxy, no agent, no session or socket is reused: each connection is vetted for itself.
 * `rejectUnauthorized` is set outright, because NODE_TLS_REJECT_UNAUTHORIZED changes its default.
 */
import { isIP, connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext, type TLSSocket } from "node:tls";
import { AppError } from "@althing/contract";
import { parseAddress } from "./classify-address.ts";

export interface PinnedTarget {
  /** The vetted address. */
  readonly address: string;
  readonly port: number;
  readonly scheme: "http" | "https";
  /** The name, or the literal address, that the certificate must be for. */
  readonly host: string;
}

/** Resolves with a socket ready for HTTP/1.1 (for https after the handshake); destroys what it opened when `signal` aborts. */
export type Connect = (target: PinnedTarget, signal: AbortSignal) => Promise<Socket>;

export interface ConnectOptions {
  /** Authorities in PEM that are trusted besides Node's own, for a registry with a private one. */
  readonly extraAuthorities?: readonly string[];
}

/** The longest time an address may take while others wait for their turn. */
const attemptTimeoutMs = 1_000;

function noLookup(): never {
  throw new Error("a vetted connection never looks a name up");
}

function openSocket(target: PinnedTarget, secureContext: () => SecureContext): Socket | TLSSocket {
  const place = { host: target.address, port: target.port, lookup: noLookup, autoSelectFamily: false };
  if (target.scheme === "http") return connectTcp(place);
  return connectTls({
    ...place,
    ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
    secureContext: secureContext(),
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: true,
  });
}

function isSameAddress(socket: Socket, address: string): boolean {
  const remote = socket.remoteAddress === undefined ? undefined : parseAddress(socket.remoteAddress);
  return remote !== undefined && remote.toString() === parseAddress(address)?.toString();
}

function certificateFault(socket: Socket): string | undefined {
  const fault = "authorizationError" in socket ? socket.authorizationError : undefined;
  if (fault === undefined || fault === null) return undefined;
  return fault instanceof Error ? fault.message : String(fault as unknown);
}

/** The product's connector. */
export function createConnect(options: ConnectOptions = {}): Connect {
  const extra = options.extraAuthorities ?? [];
  let context: SecureContext | undefined;
  const secureContext = () => {
    context ??= createSecureContext({ minVersion: "TLSv1.2", ca: [...getCACertificates("default"), ...extra] });
    return context;
  };
  return async (target, signal) => {
    signal.throwIfAborted();
    const socket = openSocket(target, secureContext);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed")));
    socket.once(target.scheme === "https" ? "secureConnect" : "connect", () => resolve());
    signal.addEventListener("abort", abort, { once: true });
    try {
      await promise;
      if (!isSameAddress(socket, target.address)) throw new Error("the socket is connected to another address than the vetted one");
      return socket;
    } catch (error) {
      socket.on("error", () => undefined);
      socket.destroy();
      const detail = certificateFault(socket);
      if (detail !== undefined)
        throw new AppError(
          "fetch.certificate",
          { host: target.host, observed: target.address, detail, rule: "certificate" },
          { cause: error },
        );
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  };
}

/** The families in turns, each in the order of the answer (RFC 8305 §4), so that a broken family costs one attempt, not all. */
function inTurns(addresses: readonly string[]): readonly string[] {
  const families = [addresses.filter((address) => isIP(address) === 4), addresses.filter((address) => isIP(address) === 6)];
  const longest = Math.max(...families.map((family) => family.length));
  return Array.from({ length: longest }, (_, index) => families.flatMap((family) => family.slice(index, index + 1))).flat();
}

/**
 * Tries the vetted addresses one after the other until one answers; a refused certificate ends it at once.
 *
 * @param signal the limit of the whole phase
 * @throws {fetch.unreachable} none answered
 * @throws {fetch.certificate}
 */
export async function connectVetted(
  connect: Connect,
  place: Omit<PinnedTarget, "address">,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly socket: Socket; readonly address: string }> {
  const order = inTurns(addresses);
  let last: unknown;
  for (const [index, address] of order.entries()) {
    const isLast = index === order.length - 1;
    const attempt = isLast ? signal : AbortSignal.any([signal, AbortSignal.timeout(attemptTimeoutMs)]);
    try {
      return { socket: await connect({ ...place, address }, attempt), address };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AppError) throw error;
      last = error;
    }
  }
  const detail = last instanceof Error && "code" in last ? String(last.code) : last instanceof Error ? last.message : String(last);
  throw new AppError(
    "fetch.unreachable",
    { host: place.host, observed: `${order.at(-1)} port ${place.port}`, detail, rule: "connect" },
    { cause: last },
  );
}
