/**
 * Secret ballots: a key a proposal, made by its trustee's client; ballots sealed to it; the nonce inside is the receipt.
 *
 * Invariant: a ballot opens only for its community and proposal, and its sealed form has one length whatever it says; what does not decode to exactly one
 * nonce and one choice in the one encoding is spoilt, never guessed. Nothing in a ballot names its voter, so who opens it learns what was said and not by
 * whom. Suite: HPKE base mode (hpke.ts). docs/architecture/voting.md, "Ballots".
 */
import {
  AppError,
  ballotPlainBytes,
  voteChoiceSchema,
  type BallotKey,
  type CommunityId,
  type KexPub,
  type SealedBallot,
  type VoteChoice,
  type VoteOption,
} from "@althing/contract";
import * as primitives from "#primitives";
import { concat, fromBase64url, fromHex, randomBytes, toBase64url, toHex, utf8, type Bytes } from "./bytes.ts";
import { decodeCbor, encodeCbor } from "./canonical.ts";
import { openWith, sealTo } from "./hpke.ts";
import { importKexPub, importKexSeed } from "./kex-keys.ts";
import type { Identity } from "./identity.ts";
import { isSoundKexPub } from "./weak-points.ts";

export interface BallotContext {
  readonly community: CommunityId;
  readonly proposal: string;
  readonly options: readonly Pick<VoteOption, "id">[];
}

/** What a ballot says once it is open. */
export interface OpenedBallot {
  /** 32 bytes, base64url. */
  readonly nonce: string;
  readonly choice: VoteChoice;
}

const nonceBytes = 32;
const lengthBytes = 4;
/** u = 9 (RFC 7748 §4.1). */
const basePoint = Uint8Array.of(9, ...new Uint8Array(31));

const infoOf = (label: string, { community, proposal }: BallotContext): Bytes =>
  concat(utf8(`althing/${label}/v1\0`), encodeCbor([community, proposal]));

/** May ballots be sealed to it? A key of small order would let anybody open them. */
export const isBallotKey = (publicKey: KexPub): boolean => isSoundKexPub(fromHex(publicKey));

/** A new key for one proposal; only the holder of `trustee` can open its secret half. */
export async function makeBallotKey(trustee: Pick<Identity, "kexPub">, context: BallotContext): Promise<BallotKey> {
  const seed = randomBytes(32);
  const publicKey = toHex(await primitives.x25519(seed, basePoint)) as KexPub;
  const { enc, ct } = await sealTo(fromHex(trustee.kexPub), infoOf("ballot-key", context), seed);
  return { publicKey, sealedSecret: { enc: toBase64url(enc), ct: toBase64url(ct) } };
}

/** @throws {ballot.key_forged} it was not sealed to this trustee for this proposal, or belongs to another public key */
export async function openBallotKey(trustee: Pick<Identity, "openSealed">, context: BallotContext, key: BallotKey): Promise<CryptoKeyPair> {
  let seed: Bytes;
  try {
    const { enc, ct } = key.sealedSecret;
    seed = await trustee.openSealed(infoOf("ballot-key", context), fromBase64url(enc), fromBase64url(ct));
  } catch (cause) {
    throw new AppError("ballot.key_forged", { detail: "its secret half does not open" }, { cause });
  }
  const raw = await primitives.x25519(seed, basePoint);
  if (toHex(raw) !== key.publicKey) throw new AppError("ballot.key_forged", { detail: "its halves do not belong together" });
  return { privateKey: await importKexSeed(seed), publicKey: await importKexPub(raw) };
}

/**
 * Seals a choice. The nonce is the voter's receipt: keep it, and show it to nobody before the end.
 * @throws {ballot.invalid} a choice that these options do not allow {ballot.key_forged} a key of small order
 */
export async function sealBallot(
  publicKey: KexPub,
  context: BallotContext,
  choice: VoteChoice,
): Promise<{ readonly sealed: SealedBallot; readonly nonce: string }> {
  if (!isBallotKey(publicKey)) throw new AppError("ballot.key_forged", { detail: "it is of small order" });
  const nonce = randomBytes(nonceBytes);
  const said = encodeCbor({ choice, nonce });
  const plain = new Uint8Array(ballotPlainBytes(context.options));
  if (said.length + lengthBytes > plain.length) throw new AppError("ballot.invalid", { reason: "it says more than these options allow" });
  new DataView(plain.buffer).setUint32(0, said.length);
  plain.set(said, lengthBytes);
  const { enc, ct } = await sealTo(fromHex(publicKey), infoOf("ballot", context), plain);
  return { sealed: { enc: toBase64url(enc), ct: toBase64url(ct) }, nonce: toBase64url(nonce) };
}

/** @returns undefined for a spoilt ballot: sealed to another key or proposal, or not one nonce and one choice */
export async function openBallot(key: CryptoKeyPair, context: BallotContext, sealed: SealedBallot): Promise<OpenedBallot | undefined> {
  try {
    const plain = await openWith(key, infoOf("ballot", context), { enc: fromBase64url(sealed.enc), ct: fromBase64url(sealed.ct) });
    return readPlain(plain, ballotPlainBytes(context.options));
  } catch {
    return undefined;
  }
}

function readPlain(plain: Bytes, expectedBytes: number): OpenedBallot | undefined {
  if (plain.length !== expectedBytes) return undefined;
  const end = lengthBytes + new DataView(plain.buffer, plain.byteOffset).getUint32(0);
  if (end > plain.length || plain.subarray(end).some((byte) => byte !== 0)) return undefined;
  const said = decodeCbor(plain.subarray(lengthBytes, end));
  if (typeof said !== "object" || said === null || !("nonce" in said) || !("choice" in said) || Object.keys(said).length !== 2)
    return undefined;
  const { nonce, choice } = said;
  const parsed = voteChoiceSchema.safeParse(choice);
  if (!parsed.success || !(nonce instanceof Uint8Array) || nonce.length !== nonceBytes) return undefined;
  return { nonce: toBase64url(nonce), choice: parsed.data };
}
