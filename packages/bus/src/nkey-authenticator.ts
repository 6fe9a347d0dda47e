/**
 * Answers a nats-server's nonce with node:crypto's Ed25519.
 *
 * Invariant: only session and service keys sign here, never an identity: a hostile server chooses the nonce. The stock authenticator does
 * the same with TweetNaCl and blocks the event loop 7 ms a connection.
 */
import { createPrivateKey, sign } from "node:crypto";
import type { Authenticator } from "@nats-io/nats-core";
import { nkeyOfSeed, seedBytes, type NkeySeed } from "./nkey.ts";

/** RFC 8410: PKCS #8 of an Ed25519 seed is this prefix and the 32 bytes. */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");

/** @param seed `SU…` of the connection's own key */
export function nativeNkeyAuthenticator(seed: NkeySeed): Authenticator {
  const nkey = nkeyOfSeed(seed);
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seedBytes(seed)]), format: "der", type: "pkcs8" });
  return (nonce) => ({ nkey, sig: nonce ? sign(null, Buffer.from(nonce), key).toString("base64url") : "" });
}
