/**
 * The identifiers of the platform and their grammars.
 *
 * Invariant: an id is normalised where it enters (hexadecimal to lower case) and compared byte for byte afterwards.
 * Types are branded, so that a room id cannot be passed where an endpoint id is meant.
 */
import { z } from "zod";

/** Ed25519 public key, 32 bytes as 64 hexadecimal digits; upper case is accepted and normalised to lower. */
export const signPubSchema = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, "must be 64 hexadecimal digits")
  .toLowerCase()
  .brand<"SignPub">();
export type SignPub = z.infer<typeof signPubSchema>;

/** X25519 public key, 32 bytes as 64 hexadecimal digits. */
export const kexPubSchema = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, "must be 64 hexadecimal digits")
  .toLowerCase()
  .brand<"KexPub">();
export type KexPub = z.infer<typeof kexPubSchema>;

/** base64url(sha256(Ed25519 public key)), 43 characters. */
export const endpointIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, "must be an endpoint id (43 characters, base64url)")
  .brand<"EndpointId">();
export type EndpointId = z.infer<typeof endpointIdSchema>;

/** ULID in canonical upper-case Crockford base 32. */
export const ulidPattern = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
export const ulidSchema = z.string().regex(ulidPattern, "must be a ULID");

export const roomIdSchema = ulidSchema.brand<"RoomId">();
export type RoomId = z.infer<typeof roomIdSchema>;

/** A person's or service's name on this instance; unique for ever. */
export const handleSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$/, "1–32 of a–z 0–9 . _ -, starting and ending with a letter or digit")
  .brand<"Handle">();
export type Handle = z.infer<typeof handleSchema>;

/** What an extension is called as a member of a room; no person can be called so. Unique in a community, not on the instance. */
export const extensionHandleSchema = z
  .string()
  .max(132)
  .regex(/^ext:[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+$/, "must be ext: and the id of an extension")
  .brand<"Handle">();
/** Whoever is in a room: a person or an extension. */
export const memberHandleSchema = z.union([handleSchema, extensionHandleSchema]);
/** Of an extension: its keys are the server's, so the server can read what it can read. */
export const isExtensionHandle = (handle: string): boolean => handle.startsWith("ext:");

/** A room's name, unique on the instance; never 26 characters of a ULID, so that name and id cannot be confused. */
export const roomNameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/, "1–64 of a–z 0–9 . _ -, starting and ending with a letter or digit")
  .brand<"RoomName">();
export type RoomName = z.infer<typeof roomNameSchema>;

export const communityIdSchema = ulidSchema.brand<"CommunityId">();
export type CommunityId = z.infer<typeof communityIdSchema>;

/** A community's name, unique on the instance; never 26 characters of a ULID. */
export const communityNameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, "1–64 of a–z 0–9 -, starting and ending with a letter or digit")
  .brand<"CommunityName">();
export type CommunityName = z.infer<typeof communityNameSchema>;

export const installIdSchema = ulidSchema.brand<"InstallId">();
export type InstallId = z.infer<typeof installIdSchema>;

/** Reverse domain name of a package: the extension's id. The manifest's own rule is stricter; this is what a path may hold. */
export const extensionIdSchema = z
  .string()
  .max(128)
  .regex(/^[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+$/, "must be a reverse domain name, e.g. org.example.greeter")
  .brand<"ExtensionId">();
export type ExtensionId = z.infer<typeof extensionIdSchema>;

/** sha256 of the canonical uncompressed tar of a bundle. */
export const contentHashSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 lower-case hexadecimal digits");

/** NATS user nkey: `U` and 55 characters of base 32. */
export const sessionNkeySchema = z
  .string()
  .regex(/^U[A-Z2-7]{55}$/, "must be a NATS user nkey (U…)")
  .brand<"SessionNkey">();
export type SessionNkey = z.infer<typeof sessionNkeySchema>;

/** sha256 of ciphertext, 64 hexadecimal digits. */
export const blobHashSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hexadecimal digits")
  .brand<"BlobHash">();
export type BlobHash = z.infer<typeof blobHashSchema>;

/** A 32-byte one-time token, base64url without padding. */
export const tokenSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "must be a one-time token (43 characters)");

/** base64url without padding of at most `maxBytes` bytes. */
export function base64urlSchema(maxBytes: number) {
  return z
    .string()
    .max(Math.ceil((maxBytes * 4) / 3), `at most ${maxBytes} bytes`)
    .regex(/^[A-Za-z0-9_-]*$/, "must be base64url without padding");
}
