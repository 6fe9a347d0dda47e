/**
 * Sealing to one person's key-agreement key: HPKE base mode (RFC 9180) with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
 *
 * Invariant: one encapsulation, one message, always with an `info` that names its purpose. The library runs on WebCrypto on both platforms,
 * so that private keys may be non-extractable.
 */
import { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from "hpke";
import type { Bytes } from "./bytes.ts";

const suite = new CipherSuite<CryptoKey>(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_256_GCM);

export interface Sealed {
  readonly enc: Bytes;
  readonly ct: Bytes;
}

/** @param kexPub raw X25519 public key. @throws when it is of low order */
export async function sealTo(kexPub: Uint8Array, info: Uint8Array, plaintext: Uint8Array): Promise<Sealed> {
  const { encapsulatedSecret, ciphertext } = await suite.Seal(await suite.DeserializePublicKey(kexPub), plaintext, { info });
  return { enc: encapsulatedSecret as Bytes, ct: ciphertext as Bytes };
}

/** @throws when it was not sealed to this key with this `info` */
export async function openWith(keys: CryptoKeyPair, info: Uint8Array, sealed: Sealed): Promise<Bytes> {
  return (await suite.Open(keys, sealed.enc, sealed.ct, { info })) as Bytes;
}
