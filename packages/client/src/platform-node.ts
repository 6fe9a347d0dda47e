/**
 * The Node side of `#platform`: undici, NATS over TCP, native Ed25519, state in files.
 *
 * Invariant: the session key is drawn here, lives in this process's memory and signs NATS nonces only. Its signing goes through node:crypto because
 * the stock authenticator of nats.js needs 200 times as long (facts of the engine, docs/architecture/client.md).
 */
import { createPrivateKey, sign } from "node:crypto";
import { createUser } from "@nats-io/nkeys";
import { connect } from "@nats-io/transport-node";
import { Agent, request } from "undici";
import { checkNatsUrl } from "./target.ts";
import {
  HttpFailure,
  HttpOversize,
  type BusConnectionResult,
  type BusTarget,
  type Http,
  type HttpRequest,
  type HttpStreamAnswer,
  type Platform,
  type SessionKey,
} from "./platform-types.ts";

export { openFileState } from "./state-file.ts";

/** Errors after which the request cannot have reached a server. */
const notSent = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

function createHttp(options: { readonly ca?: string | undefined }): Http {
  const agent = new Agent({
    connections: 16,
    keepAliveTimeout: 10_000,
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
    connect: { timeout: 5_000, ...(options.ca === undefined ? {} : { ca: options.ca }) },
  });
  const apart = new Agent({
    connections: 2,
    keepAliveTimeout: 1_000,
    connect: { timeout: 2_000, ...(options.ca === undefined ? {} : { ca: options.ca }) },
  });
  async function ask(input: HttpRequest, wantedStatus: number | undefined): Promise<HttpStreamAnswer> {
    try {
      const answer = await request(input.url, {
        dispatcher: input.isApart === true ? apart : agent,
        method: input.method as "GET",
        headers: { ...input.headers },
        ...(input.body === undefined ? {} : { body: input.body }),
        ...(input.signal === undefined ? {} : { signal: input.signal }),
        ...(input.headersTimeoutMs === undefined ? {} : { headersTimeout: input.headersTimeoutMs }),
      });
      const isStream = answer.statusCode === wantedStatus;
      const body = isStream ? new Uint8Array() : await readAtMost(answer.body, input);
      const retryAfter = Number(answer.headers["retry-after"]);
      return {
        status: answer.statusCode,
        contentType: String(answer.headers["content-type"] ?? ""),
        retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
        body,
        ...(isStream ? { stream: answer.body } : {}),
      };
    } catch (cause) {
      if (input.signal?.aborted === true || cause instanceof HttpOversize) throw cause;
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
      throw new HttpFailure(code === "" ? String(cause) : code, !notSent.has(code), cause);
    }
  }
  return {
    send: (input) => ask(input, undefined),
    open: ask,
    close: async () => void (await Promise.all([agent.close(), apart.destroy()])),
  };
}

async function readAtMost(
  stream: AsyncIterable<Uint8Array> & { destroy(): unknown },
  { maxBytes, onReceived }: Pick<HttpRequest, "maxBytes" | "onReceived">,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stream) {
    length += part.length;
    if (length > maxBytes) {
      stream.destroy();
      throw new HttpOversize(maxBytes);
    }
    parts.push(part);
    onReceived?.(length);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** RFC 8410 PKCS #8 wrapper of a raw Ed25519 seed. */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");
/** An nkey seed is two bytes of prefix, 32 of seed, two of checksum, in base 32. */
const seedOffset = 2;

async function createSessionKey(): Promise<SessionKey> {
  const pair = createUser();
  const nkey = pair.getPublicKey();
  const seed = decodeBase32(new TextDecoder().decode(pair.getSeed())).subarray(seedOffset, seedOffset + 32);
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" });
  pair.clear();
  return {
    nkey,
    authenticator: (nonce) => ({ nkey, sig: nonce === undefined ? "" : sign(null, Buffer.from(nonce), key).toString("base64url") }),
  };
}

function decodeBase32(text: string): Uint8Array {
  const out: number[] = [];
  let bits = 0;
  let value = 0;
  for (const letter of text) {
    value = ((value << 5) | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter)) & 0xffff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out.push((value >> bits) & 0xff);
    }
  }
  return Uint8Array.from(out);
}

async function connectBus(target: BusTarget): Promise<BusConnectionResult> {
  let last: unknown;
  for (const address of target.nats) {
    const { server, tls } = checkNatsUrl(address);
    try {
      const connection = await connect({
        servers: server,
        reconnect: false,
        ignoreClusterUpdates: true,
        inboxPrefix: target.inboxPrefix,
        authenticator: target.key.authenticator,
        timeout: target.timeoutMs,
        pingInterval: target.pingMs,
        maxPingOut: 2,
        noAsyncTraces: true,
        ...(tls ? { tls: target.ca === undefined ? {} : { ca: target.ca } } : {}),
      });
      return { connection, url: address };
    } catch (cause) {
      // An access list that is a moment behind is worth asking again, also where the next node is down.
      if (!(last instanceof Error && last.name === "AuthorizationError")) last = cause;
    }
  }
  throw last instanceof Error ? last : new Error("no NATS address is usable");
}

export const platform: Platform = { isLearning: true, createHttp, createSessionKey, connectBus };
