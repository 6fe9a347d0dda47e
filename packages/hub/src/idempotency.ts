/**
 * `Idempotency-Key`: a change that is sent again after a lost answer gets the same answer, once done.
 *
 * Invariant: one record per (user, key) for 24 hours, claimed by create-if-absent before the act, so of concurrent copies one acts and the others
 * get 409. Another request under the same key is 422. Answers can hold secrets (an invitation's token), so the store keeps them
 * sealed (AES-256-GCM) under a key made of the instance's secrets key *and* the Idempotency-Key, which itself is never stored: neither
 * the data folder nor its backup can show an answer again, only the caller who knows its key can. The record of a request that died with
 * its process expires after a minute; what may be repeated after that is what every act is anyway: compare-and-set.
 * See docs/architecture/hub.md, "Idempotency".
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { AppError, hasCode, limits, type SignPub } from "@althing/contract";
import type { Collection, Store } from "@althing/store";
import { z } from "zod";

const recordSchema = z.object({
  state: z.enum(["running", "done"]),
  /** sha256 over method, target and body's digest; tells another request under the same key. */
  request: z.string(),
  startedAtMs: z.int(),
  expiresAtMs: z.int(),
  /** nonce ‖ ciphertext ‖ tag of the answer, base64. */
  sealed: z.string().optional(),
});
type IdempotencyRecord = z.infer<typeof recordSchema>;

const answerSchema = z.object({ status: z.int(), headers: z.record(z.string(), z.string()), body: z.string() });
/** An answer that can be given again. */
export type StoredAnswer = z.infer<typeof answerSchema>;

export const idempotencyCollection = { name: "idempotency", schema: recordSchema } as const;
/** After this a `running` record is of a process that died. */
export const idempotencyLeaseMs = 60_000;
/** Live records of one user; beyond it the header is refused, so that nobody fills the store with answers. */
export const idempotencyKeysPerUserMax = 10_000;
const keyGrammar = /^[\x21-\x7e]{8,128}$/;

export interface IdempotentRequest {
  readonly signPub: SignPub;
  /** The header's value. */
  readonly key: string;
  readonly method: string;
  readonly target: string;
  /** Digest of the raw body. */
  readonly bodySha256: Uint8Array;
}

export interface Idempotency {
  /**
   * Runs `act` once per (user, key) and gives its answer to every later copy.
   * @param act answers of every status that would be the same again; throws what a retry may change
   * @throws {request.invalid} {request.idempotency_mismatch} {request.in_progress} {request.rate_limited}
   */
  run(request: IdempotentRequest, act: () => Promise<StoredAnswer>): Promise<StoredAnswer>;
  /** Removes expired records. @returns how many */
  sweep(): Promise<number>;
}

export interface IdempotencyOptions {
  readonly store: Store;
  readonly secretsKey: Uint8Array;
  readonly nowMs: () => number;
  readonly keysPerUserMax?: number;
  /** An answer was given but could not be remembered. */
  readonly onLost: (error: unknown) => void;
}

export function createIdempotency(options: IdempotencyOptions): Idempotency {
  const records: Collection<IdempotencyRecord> = options.store.collection(idempotencyCollection);
  const counts = new Map<string, number>();
  const keysMax = options.keysPerUserMax ?? idempotencyKeysPerUserMax;
  const derive = (label: string, request: IdempotentRequest) =>
    createHmac("sha256", options.secretsKey).update(`althing/idempotency/${label}/v1\0${request.signPub}\0${request.key}`).digest();

  async function countOf(signPub: string): Promise<number> {
    const known = counts.get(signPub);
    if (known !== undefined) return known;
    let total = 0;
    for await (const page of pages(records, [signPub])) total += page.length;
    counts.set(signPub, total);
    return total;
  }

  /** @returns the revision of our claim, or the answer given before */
  async function claim(request: IdempotentRequest, fingerprint: string): Promise<{ revision: number } | { answer: StoredAnswer }> {
    const key = [request.signPub, derive("record", request).toString("base64url")] as const;
    const now = options.nowMs();
    const running: IdempotencyRecord = {
      state: "running",
      request: fingerprint,
      startedAtMs: now,
      expiresAtMs: now + limits.idempotencyTtlSeconds * 1_000,
    };
    const found = await records.get(key);
    if (found === undefined) {
      if ((await countOf(request.signPub)) >= keysMax)
        throw new AppError("request.rate_limited", { limit: `${keysMax} idempotency keys a day` }, { retryAfterSeconds: 3_600 });
      const revision = await orInProgress(records.create(key, running));
      counts.set(request.signPub, (counts.get(request.signPub) ?? 0) + 1);
      return { revision };
    }
    const record = found.value;
    const takeOver = record.expiresAtMs <= now || (record.state === "running" && record.startedAtMs + idempotencyLeaseMs <= now);
    if (!takeOver && record.request !== fingerprint) throw new AppError("request.idempotency_mismatch");
    if (takeOver) return { revision: await orInProgress(records.put(key, running, found.revision)) };
    if (record.state === "running" || record.sealed === undefined) throw new AppError("request.in_progress", {}, { retryAfterSeconds: 1 });
    return { answer: unseal(derive("answer", request), record.sealed) };
  }

  return {
    async run(request, act) {
      if (!keyGrammar.test(request.key)) {
        throw new AppError(
          "request.invalid",
          { detail: "idempotency-key: must be 8–128 visible ASCII characters" },
          { faults: [{ path: "headers.idempotency-key", message: "must be 8–128 visible ASCII characters" }] },
        );
      }
      const fingerprint = createHash("sha256")
        .update(`${request.method} ${request.target}\0`)
        .update(request.bodySha256)
        .digest("base64url");
      const claimed = await claim(request, fingerprint);
      if ("answer" in claimed) return claimed.answer;
      const key = [request.signPub, derive("record", request).toString("base64url")] as const;
      let answer: StoredAnswer;
      try {
        answer = await act();
      } catch (error) {
        // Nothing is remembered of a failure that a retry may change; if this delete fails too, the lease ends it.
        await records.delete(key, claimed.revision).then(
          () => counts.set(request.signPub, (counts.get(request.signPub) ?? 1) - 1),
          () => undefined,
        );
        throw error;
      }
      const now = options.nowMs();
      const sealed = seal(derive("answer", request), answer);
      const done: IdempotencyRecord = {
        state: "done",
        request: fingerprint,
        startedAtMs: now,
        expiresAtMs: now + limits.idempotencyTtlSeconds * 1_000,
        sealed,
      };
      // The act is done: a store that fails only now must not turn its answer into an error. The lease ends the open record.
      await records.put(key, done, claimed.revision).catch(options.onLost);
      return answer;
    },
    async sweep() {
      const now = options.nowMs();
      let removed = 0;
      for await (const page of pages(records, [])) {
        for (const record of page) {
          if (record.value.expiresAtMs > now) continue;
          const gone = await records.delete(record.key, record.revision).then(
            () => true,
            () => false,
          );
          if (gone) removed++;
        }
      }
      // Counted anew when needed: the cheap way to stay right with several hubs on one store.
      counts.clear();
      return removed;
    },
  };
}

async function* pages(records: Collection<IdempotencyRecord>, prefix: readonly string[]) {
  let page = await records.list({ prefix, limit: 1_000 });
  for (;;) {
    yield page.records;
    if (page.next === undefined) return;
    page = await records.list({ prefix, limit: 1_000, after: page.next });
  }
}

async function orInProgress(write: Promise<number>): Promise<number> {
  try {
    return await write;
  } catch (error) {
    if (hasCode(error, "store.conflict")) throw new AppError("request.in_progress", {}, { retryAfterSeconds: 1 });
    throw error;
  }
}

function seal(key: Uint8Array, answer: StoredAnswer): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  const text = Buffer.concat([cipher.update(JSON.stringify(answer), "utf8"), cipher.final()]);
  return Buffer.concat([nonce, text, cipher.getAuthTag()]).toString("base64");
}

function unseal(key: Uint8Array, sealed: string): StoredAnswer {
  const bytes = Buffer.from(sealed, "base64");
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(bytes.length - 16));
  const text = Buffer.concat([decipher.update(bytes.subarray(12, bytes.length - 16)), decipher.final()]).toString("utf8");
  return answerSchema.parse(JSON.parse(text));
}
