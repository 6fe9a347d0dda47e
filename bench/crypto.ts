/**
 * What the protocol costs over the bare primitives it cannot do without. The bare ones are node:crypto's; the protocol's Ed25519 may be libsodium's.
 *
 * Baseline and subject run in alternating slices of one process, so that a busy machine slows both; the medians of the slices are compared. Prints a
 * table with the limit beside each figure and one line of JSON; exits 1 when a limit is missed.
 */
import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, hash, sign, verify, type KeyObject } from "node:crypto";
import type { Handle, RoomId, RoomName, RoomPolicy } from "@althing/contract";
import {
  checkContentDigest,
  checkFreshness,
  checkTransition,
  createFrameSealer,
  decodeProposal,
  fromHex,
  identityFromSeeds,
  openEpochKey,
  openFrame,
  parseFrame,
  parseSignature,
  proposeEpoch,
  randomBytes,
  signRequest,
  toBase64url,
  utf8,
  verifyEpochSignature,
  verifyRequestSignature,
  type EpochKey,
  type EpochMember,
  type HttpRequestView,
  type Identity,
  type ProposedEpoch,
} from "@althing/crypto";

interface Row {
  readonly name: string;
  readonly observed: number;
  readonly unit: "% of bare" | "ms";
  readonly limit: number;
  readonly detail: string;
}

const sliceMs = 150;
const slices = 15;
const room = "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C" as RoomId;
const name = "garden" as RoomName;
const messageId = "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7E";
const policy: RoomPolicy = { encrypt: true, persist: true, sign: true, history: "shared" };

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

async function rateOf(run: () => unknown): Promise<number> {
  const start = performance.now();
  let count = 0;
  let elapsed = 0;
  while (elapsed < sliceMs) {
    for (let index = 0; index < 20; index++) {
      const result = run();
      if (result instanceof Promise) await result;
    }
    count += 20;
    elapsed = performance.now() - start;
  }
  return (count * 1_000) / elapsed;
}

async function share(what: string, bare: () => unknown, own: () => unknown): Promise<Row> {
  const rates = { bare: [] as number[], own: [] as number[] };
  await rateOf(own);
  for (let slice = 0; slice < slices; slice++) {
    rates.bare.push(await rateOf(bare));
    rates.own.push(await rateOf(own));
  }
  const [bareRate, ownRate] = [median(rates.bare), median(rates.own)];
  return {
    name: what,
    observed: (100 * ownRate) / bareRate,
    unit: "% of bare",
    limit: 50,
    detail: `${Math.round(ownRate)}/s, bare ${Math.round(bareRate)}/s`,
  };
}

function keyPair(seed: Uint8Array): { privateKey: KeyObject; publicKey: KeyObject } {
  const privateKey = createPrivateKey({
    key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]),
    format: "der",
    type: "pkcs8",
  });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

async function signedRequests(identity: Identity, keys: ReturnType<typeof keyPair>): Promise<Row> {
  const body = randomBytes(1_024);
  const url = "https://hub.example:8443/api/rooms/01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C/invite";
  const now = 1_790_000_000;
  const headers = await signRequest(identity, {
    method: "POST",
    url,
    headers: { "content-type": "application/json", "idempotency-key": messageId },
    body,
    now,
  });
  const others: [string, string][] = [
    ["host", "hub.example:8443"],
    ["user-agent", "bench"],
    ["accept", "*/*"],
    ["accept-encoding", "gzip"],
    ["connection", "keep-alive"],
    ["content-length", "1024"],
  ];
  const view: HttpRequestView = { method: "POST", targetUri: url, headers: [...others, ...Object.entries(headers)], hasBody: true };
  const base = utf8(parseSignature(view).base);
  const signature = sign(null, base, keys.privateKey);
  return share(
    "verify a signed POST, 1 KiB",
    () => verify(null, base, keys.publicKey, signature) && hash("sha256", body, "buffer"),
    async () => {
      const parsed = parseSignature(view);
      await checkContentDigest(headers["content-digest"] as string, body);
      checkFreshness(parsed, now + 1);
      await verifyRequestSignature(parsed, fromHex(parsed.keyId));
    },
  );
}

async function frames(identity: Identity, keys: ReturnType<typeof keyPair>): Promise<Row[]> {
  const payload = randomBytes(1_024);
  const key = randomBytes(32);
  const epochKey: EpochKey = { epoch: 1, key, recordHash: toBase64url(randomBytes(32)) };
  const place = { room, subject: "s.3.mJ0nq1xXk2sV5Yt8", policy };
  const sealer = createFrameSealer({ identity, ...place, epoch: epochKey });
  const sealOne = () => sealer.seal({ type: "msg", id: messageId, payload });
  const frame = await sealOne();
  const nonce = randomBytes(12);
  const aad = frame.subarray(0, 190);
  const signature = sign(null, frame, keys.privateKey);
  const bareSeal = () => {
    const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
    cipher.setAAD(aad);
    const sealed = cipher.update(payload);
    cipher.final();
    return { sealed, tag: cipher.getAuthTag() };
  };
  const { sealed, tag } = bareSeal();
  const bareOpen = () => {
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
    decipher.setAAD(aad);
    decipher.setAuthTag(tag);
    decipher.update(sealed);
    decipher.final();
  };
  return [
    await share("seal and sign a frame, 1 KiB", () => (bareSeal(), sign(null, frame, keys.privateKey)), sealOne),
    await share(
      "verify and open a frame, 1 KiB",
      () => (verify(null, frame, keys.publicKey, signature), bareOpen()),
      () => openFrame(parseFrame(frame), { ...place, senderSignPub: identity.signPub, epochKey }),
    ),
  ];
}

async function timeOf<T>(times: number, run: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const elapsed: number[] = [];
  let result = await run();
  for (let warmUp = 0; warmUp < Math.min(5, times - 2); warmUp++) result = await run();
  for (let index = 0; index < times; index++) {
    const start = performance.now();
    result = await run();
    elapsed.push(performance.now() - start);
  }
  return { ms: median(elapsed), result };
}

async function rekey(): Promise<Row[]> {
  const identities: Identity[] = [];
  for (let index = 0; index < 1_000; index++)
    identities.push(await identityFromSeeds({ signSeed: randomBytes(32), kexSeed: randomBytes(32) }));
  const members = identities.map(({ endpoint, signPub, kexPub }, index): EpochMember => ({
    endpoint,
    signPub,
    kexPub,
    handle: `member-${index}` as Handle,
    role: index === 0 ? "owner" : "member",
  }));
  const [maker, receiver] = identities as [Identity, Identity];
  const common = { room, name, policy, members, identity: maker, now: Date.now(), link: true };
  const first = await proposeEpoch({ ...common, reason: "create" });
  const commit = await timeOf(3, () => proposeEpoch({ ...common, previous: first, reason: "rekey" }));
  const { proposal }: ProposedEpoch = commit.result;
  const copy = proposal.sealed.find(({ endpoint }) => endpoint === receiver.endpoint);
  if (copy === undefined) throw new Error("the receiver has no copy");
  const receive = await timeOf(15, async () => {
    const decoded = decodeProposal(proposal);
    if (!(await verifyEpochSignature(decoded, maker.signPub))) throw new Error("the record does not verify");
    checkTransition(first.record, decoded.record, first.hash);
    return openEpochKey(receiver, decoded, copy);
  });
  const bytes = `record ${Math.round((proposal.record.length * 3) / 4 / 1024)} KiB`;
  return [
    { name: "renew the key of 1,000 members", observed: commit.ms, unit: "ms", limit: 2_000, detail: "record, seals, link" },
    {
      name: "receive a record of 1,000 members",
      observed: receive.ms,
      unit: "ms",
      limit: 50,
      detail: `${bytes}, read, verify, rules, open`,
    },
  ];
}

const seed = randomBytes(32);
const identity = await identityFromSeeds({ signSeed: seed, kexSeed: randomBytes(32) });
const keys = keyPair(seed);
const rows: Row[] = [await signedRequests(identity, keys), ...(await frames(identity, keys)), ...(await rekey())];
const holds = (row: Row) => (row.unit === "ms" ? row.observed <= row.limit : row.observed >= row.limit);

for (const row of rows) {
  const observed = `${row.observed.toFixed(row.unit === "ms" ? 1 : 0)} ${row.unit}`;
  console.log(
    `${row.name.padEnd(36)}${observed.padStart(16)}   limit ${row.unit === "ms" ? "≤" : "≥"} ${String(row.limit).padEnd(6)}${holds(row) ? "ok    " : "MISSED"}  ${row.detail}`,
  );
}
console.log(JSON.stringify({ bench: "crypto", rows: rows.map((row) => ({ ...row, ok: holds(row) })) }));
process.exitCode = rows.every(holds) ? 0 : 1;
