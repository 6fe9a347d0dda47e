/**
 * The addresses of this machine's interfaces.
 *
 * Invariant: read at each call, because interfaces come and go; a public address that a router or load balancer translates is not seen here
 * and belongs to the operator's list beside it.
 */
import { networkInterfaces } from "node:os";

/** Addresses in text form, without zones. */
export function interfaceAddresses(): readonly string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? []).map(({ address }) => address.replace(/%.*$/, "")),
  );
  return [...new Set(addresses)];
}
