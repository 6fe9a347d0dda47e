/**
 * `wasi:filesystem` and `wasi:sockets`: there, because standard libraries import them, and empty.
 *
 * Invariant: nothing here gives a descriptor, a socket or an address stream, so no method of one can ever be called; the classes are names
 * for the glue only. docs/architecture/wasi-http.md.
 */
import { type GuestFace, HostResource, WitError } from "./guest-face.ts";

class Unavailable {}
class Network extends HostResource {}

const denied = (): never => {
  throw new WitError("access-denied");
};

/** By interface. */
export function createClosedInterfaces(face: GuestFace): Readonly<Record<string, object>> {
  return {
    "wasi:filesystem/preopens": { getDirectories: () => [] },
    "wasi:filesystem/types": { Descriptor: Unavailable, DirectoryEntryStream: Unavailable, filesystemErrorCode: () => undefined },
    "wasi:sockets/network": { Network, networkErrorCode: () => undefined },
    "wasi:sockets/instance-network": { instanceNetwork: () => new Network(face) },
    "wasi:sockets/ip-name-lookup": { ResolveAddressStream: Unavailable, resolveAddresses: denied },
    "wasi:sockets/tcp": { TcpSocket: Unavailable },
    "wasi:sockets/tcp-create-socket": { createTcpSocket: denied },
    "wasi:sockets/udp": { UdpSocket: Unavailable, IncomingDatagramStream: Unavailable, OutgoingDatagramStream: Unavailable },
    "wasi:sockets/udp-create-socket": { createUdpSocket: denied },
  };
}
