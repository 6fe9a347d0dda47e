/**
 * `Idempotency-Key`: a change that is sent again after a lost answer gets the same answer, once done.
 *
 * Invariant: one record per (user, key) for 24 hours, claimed by create-if-absent before the act, so of concurrent copies one acts and the others
 * get 409. Another request under the same key is 422. The batch that commits the act marks the record (request-outcome.ts), so that a request which died
 * with its process is known for what it did: unmarked it did nothing and may be done again; marked it is never done again, and its answer is made of what
 * was noted with the mark. Answers can hold secrets (an invitation's token), so the store keeps them, and what is noted, sealed (AES-256-GCM) under a key
 * made of the instance's secrets key *and* the Idempotency-Key, which itself is never stored: neither the data folder nor its backup can show an answer
 * again, only the caller who knows its key can. See docs/architecture/hub.md, "Idempotency".
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { AppError, hasCode, isAppError, limits, type SignPub } from "@althing/contract";
import type { Collection, Rec, Store } from "@althing/store";
import { z } from "zod";
import type { PeerLife } from "./cluster-watch.ts";
import { createOutcome } from "./request-outcome.ts";

const recordSchema = z.object({
  state: z.enum(["running", "committed", "done"]),
  /** sha256 over method, target and body's digest; tells another request under the same key. */
  request: z.string(),
  startedAtMs: z.int(),
  expiresAtMs: z.int(),
  /** Of a request that is not done: which life of which node has it. */
  node: z.string().optional(),
  boot: z.string().optional(),
  /** Nobody works on it any more; its answer is to be made of what was committed. */
  isOver: z.boolean().optional(),
  /** nonce ‖ ciphertext ‖ tag of the answer, or of what was noted at the commit; base64. */
  sealed: z.string().optional(),
});
type IdempotencyRecord = z.infer<typeof recordSchema>;

const answerSchema = z.object({ status: z.int(), headers: z.record(z.string(), z.string()), body: z.string() });
/** An answer that can be given again. */
export type StoredAnswer = z.infer<typeof answerSchema>;

export const idempotencyCollection = { name: "idempotency", schema: recordSchema } as const;
/** After this a record that is not done is of a process that died, whosever it is; of a node that is known to be gone it is not waited for. */
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
   * @param recover makes the answer of an act that was committed by a process that died; without it that answer is lost
   * @throws {request.invalid} {request.idempotency_mismatch} {request.in_progress} {request.answer_lost} {request.too_many_changes}
   */
  run(request: IdempotentRequest, act: () => Promise<StoredAnswer>, recover?: Recover): Promise<StoredAnswer>;
  /** Removes expired records. @returns how many */
  sweep(): Promise<number>;
}

/** A record at the revision at which this process knows it. */
type Held = Pick<Rec<IdempotencyRecord>, "key" | "value" | "revision">;
type Claim = { readonly claimed: Held } | { readonly answer: StoredAnswer } | { readonly committed: Held };

/** @param noted what was decided, as it was noted with the commit; `undefined` when nothing was */
export type Recover = (noted: unknown) => Promise<StoredAnswer>;

export interface IdempotencyOptions {
  readonly store: Store;
  /** A data folder is one process's at a time, so of one node an earlier life has ended. */
  readonly node: string;
  readonly secretsKey: Uint8Array;
  readonly nowMs: () => number;
  readonly keysPerUserMax?: number;
  /** This life of the node, as other nodes hear of it; made up where there are none. */
  readonly boot?: string | undefined;
  /** What is known of a life of another node; without it the lease alone tells. */
  readonly lifeOf?: ((node: string, boot: string | undefined) => PeerLife) | undefined;
  /** An answer was given but could not be remembered. */
  readonly onLost: (error: unknown) => void;
}

export function createIdempotency(options: IdempotencyOptions): Idempotency {
  const records: Collection<IdempotencyRecord> = options.store.collection(idempotencyCollection);
  const life = { node: options.node, boot: options.boot ?? randomBytes(12).toString("base64url") };
  const counts = new Map<string, number>();
  /** Requests that this life has in hand, by their record's key. */
  const inHand = new Map<string, number>();
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

  const recordKey = (request: IdempotentRequest) => [request.signPub, derive("record", request).toString("base64url")] as const;

  /** @returns the request is in hand until this is called */
  function takeInHand(request: IdempotentRequest): () => void {
    const id = recordKey(request).join(" ");
    inHand.set(id, (inHand.get(id) ?? 0) + 1);
    return () => {
      const left = (inHand.get(id) ?? 1) - 1;
      if (left === 0) inHand.delete(id);
      else inHand.set(id, left);
    };
  }

  /**
   * Will nobody answer it any more? Of this life's own it is known: a record that its writer was told could not be written may be there all the same. Of a
   * node that fell silent a moment ago it is not sure, and need not be where the answer can be made of what was committed: whoever takes the record over ends
   * what the other still has in hand. An act that is bound to no record is not begun twice, so for it the other's end must be sure.
   */
  function isDead({ key: id, value: { isOver, node, boot, startedAtMs } }: Rec<IdempotencyRecord>, now: number, isBound: boolean): boolean {
    if (isOver === true || startedAtMs + idempotencyLeaseMs <= now) return true;
    if (node === life.node) return boot !== life.boot || (inHand.get(id.join(" ")) ?? 0) <= 1;
    const state = node === undefined ? "here" : (options.lifeOf?.(node, boot) ?? "here");
    return state === "over" || (state === "silent" && isBound);
  }

  /** @returns the revision of our claim, the answer given before, or the record of an act that was committed and has no answer */
  async function claim(request: IdempotentRequest, fingerprint: string, isBound: boolean): Promise<Claim> {
    const key = recordKey(request);
    const now = options.nowMs();
    const running: IdempotencyRecord = {
      ...{ state: "running", request: fingerprint, startedAtMs: now, ...life },
      expiresAtMs: now + limits.idempotencyTtlSeconds * 1_000,
    };
    const found = await records.get(key);
    if (found === undefined) {
      if ((await countOf(request.signPub)) >= keysMax)
        throw new AppError("request.too_many_changes", { limit: String(keysMax) }, { retryAfterSeconds: 3_600 });
      const revision = await orInProgress(records.create(key, running));
      counts.set(request.signPub, (counts.get(request.signPub) ?? 0) + 1);
      return { claimed: { key, value: running, revision } };
    }
    const record = found.value;
    const takeOver = record.expiresAtMs <= now || (record.state === "running" && isDead(found, now, isBound));
    if (!takeOver && record.request !== fingerprint) throw new AppError("request.idempotency_mismatch");
    if (takeOver) return { claimed: { key, value: running, revision: await orInProgress(records.put(key, running, found.revision)) } };
    if (record.state === "done" && record.sealed !== undefined) return { answer: unseal(derive("answer", request), record.sealed) };
    if (record.state === "running" || !isDead(found, now, isBound)) throw new AppError("request.in_progress", {}, { retryAfterSeconds: 1 });
    return { committed: found };
  }

  /** Remembers the answer for later copies. */
  async function remember(request: IdempotentRequest, held: Held, answer: StoredAnswer): Promise<void> {
    const now = options.nowMs();
    const { request: fingerprint } = held.value;
    const done: IdempotencyRecord = {
      ...{ state: "done", request: fingerprint, startedAtMs: now },
      expiresAtMs: now + limits.idempotencyTtlSeconds * 1_000,
      sealed: seal(derive("answer", request), JSON.stringify(answer)),
    };
    await records.put(held.key, done, held.revision);
  }

  /** Where the record stands: a mark moved it. */
  async function marked(claimed: Held, isMarked: boolean): Promise<Held> {
    const now = isMarked ? await records.get(claimed.key) : claimed;
    // Somebody else's by now: what they write of it stands.
    if (now?.value.boot !== life.boot)
      throw new AppError("store.conflict", { key: "idempotency", expected: "its own record", observed: "another" });
    return now;
  }

  /** The answer of an act that was committed, made anew. @throws {request.answer_lost} */
  async function recovered(request: IdempotentRequest, found: Held, recover: Recover | undefined): Promise<StoredAnswer> {
    if (recover === undefined) throw new AppError("request.answer_lost");
    const { sealed } = found.value;
    let answer: StoredAnswer;
    try {
      answer = await recover(sealed === undefined ? undefined : JSON.parse(open(derive("noted", request), sealed)));
    } catch (cause) {
      // A store that is away is asked again; otherwise what it made is gone or not to be seen any more.
      if (!isAppError(cause) || cause.row.kind === "system") throw cause;
      throw new AppError("request.answer_lost", {}, { cause });
    }
    await remember(request, found, answer).catch(options.onLost);
    return answer;
  }

  /** The act failed. Unless it was committed all the same, nothing is remembered: a retry may change what was in its way. */
  async function forget(request: IdempotentRequest, { key, revision }: Held, isMarked: boolean, canRecover: boolean): Promise<void> {
    const isGone = () => void counts.set(request.signPub, (counts.get(request.signPub) ?? 1) - 1);
    if (!isMarked) {
      try {
        await records.delete(key, revision);
        return isGone();
      } catch (error) {
        // Marked after all, by a batch whose outcome the store could not tell.
        if (!hasCode(error, "store.conflict")) throw error;
      }
    }
    const now = await records.get(key);
    if (now?.value.boot !== life.boot) return;
    if (canRecover) return void (await records.put(key, { ...now.value, isOver: true }, now.revision));
    await records.delete(key, now.revision);
    isGone();
  }

  async function runOnce(
    request: IdempotentRequest,
    act: () => Promise<StoredAnswer>,
    recover: Recover | undefined,
  ): Promise<StoredAnswer> {
    const fingerprint = createHash("sha256").update(`${request.method} ${request.target}\0`).update(request.bodySha256).digest("base64url");
    const found = await claim(request, fingerprint, recover !== undefined);
    if ("answer" in found) return found.answer;
    if ("committed" in found) return recovered(request, found.committed, recover);
    const { claimed } = found;
    const toMark = (noted: string | undefined) => {
      const sealed = noted === undefined ? {} : { sealed: seal(derive("noted", request), noted) };
      return records.toPut(claimed.key, { ...claimed.value, state: "committed", ...sealed }, claimed.revision);
    };
    const outcome = createOutcome(toMark);
    let answer: StoredAnswer;
    try {
      answer = await outcome.run(act);
    } catch (error) {
      // If this fails, too, the end of this process or the lease ends it.
      await forget(request, claimed, outcome.isMarked, recover !== undefined).catch(() => undefined);
      throw error;
    }
    // The act is done: a store that fails only now must not turn its answer into an error.
    await marked(claimed, outcome.isMarked)
      .then((held) => remember(request, held, answer))
      .catch(options.onLost);
    return answer;
  }

  return {
    async run(request, act, recover) {
      if (!keyGrammar.test(request.key)) {
        throw new AppError(
          "request.invalid",
          { detail: "idempotency-key: must be 8–128 visible ASCII characters" },
          { faults: [{ path: "headers.idempotency-key", message: "must be 8–128 visible ASCII characters" }] },
        );
      }
      const letGo = takeInHand(request);
      try {
        return await runOnce(request, act, recover);
      } finally {
        letGo();
      }
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

function seal(key: Uint8Array, plain: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  const text = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, text, cipher.getAuthTag()]).toString("base64");
}

function open(key: Uint8Array, sealed: string): string {
  const bytes = Buffer.from(sealed, "base64");
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(bytes.length - 16));
  return Buffer.concat([decipher.update(bytes.subarray(12, bytes.length - 16)), decipher.final()]).toString("utf8");
}

const unseal = (key: Uint8Array, sealed: string): StoredAnswer => answerSchema.parse(JSON.parse(open(key, sealed)));
