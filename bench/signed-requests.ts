/**
 * Signed requests through the real hub process, against what one core could do if it did nothing but verify Ed25519 and hash.
 *
 * Another process sends requests it signed before, over keep-alive connections from several loopback addresses (the limit by address stays on).
 * Bare rounds and hub rounds take turns, so that a busy machine slows both. Two acts: joining a room one is in, which reads the room and the member
 * and writes nothing but the nonce, has the limit, because it is what the pipeline itself costs; making an invitation writes to the state
 * (an fsync shared by those who wait) and is shown beside it. Also: time from process start to ready, and the memory of an idle hub. Prints a
 * table with the limit beside each figure and one line of JSON; exits 1 when a limit is missed.
 */
import { fork } from "node:child_process";
import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { identityFromPhrase, newRecoveryPhrase, signRequest, type Identity } from "@althing/crypto";
import { startHubProcess, testConfig, type HubProcess } from "../packages/hub/test/hub-process.ts";
import { callAs } from "../packages/hub/test/serve-hub.ts";
import { tempDir } from "@althing/testkit";

const rounds = 3;
const bareMs = 700;
const loadMs = 2_500;
const requestsPerRound = 24_000;
const connections = 48;
const addresses = 12;
const limits = { ratioPercent: 50, idleMemoryMb: 150, startMs: 3_000 };

interface Order {
  readonly origin: string;
  readonly phrase: string;
  readonly path: string;
  readonly body: string;
  readonly requests: number;
}
interface Outcome {
  readonly answered: number;
  readonly failed: number;
  readonly firstFailure: string;
  readonly ms: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

// --- the sending process ---

async function presign(order: Order, identity: Identity): Promise<Buffer[]> {
  const body = Buffer.from(order.body);
  const made: Buffer[] = [];
  for (let i = 0; i < order.requests; i++) {
    const headers = await signRequest(identity, {
      method: "POST",
      url: order.origin + order.path,
      headers: { "content-type": "application/json" },
      body,
      now: Date.now() / 1_000,
    });
    const lines = Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    made.push(
      Buffer.concat([
        Buffer.from(`POST ${order.path} HTTP/1.1\r\nhost: ${new URL(order.origin).host}\r\ncontent-length: ${body.length}\r\n${lines}\r\n`),
        body,
      ]),
    );
  }
  return made;
}

const lengthField = Buffer.from("content-length: ");

/** Calls back once for each complete answer; one is awaited at a time, so nothing follows it. */
function readAnswers(socket: Socket, onAnswer: (status: string, answer: Buffer) => void): void {
  let held: Buffer | undefined;
  socket.on("data", (chunk: Buffer) => {
    const answer = held === undefined ? chunk : Buffer.concat([held, chunk]);
    const head = answer.indexOf("\r\n\r\n");
    const length = answer.indexOf(lengthField);
    const whole =
      head === -1
        ? Number.POSITIVE_INFINITY
        : head +
          4 +
          (length === -1
            ? 0
            : Number.parseInt(answer.toString("latin1", length + lengthField.length, length + lengthField.length + 8), 10));
    held = answer.length < whole ? answer : undefined;
    if (held === undefined) onAnswer(answer.toString("latin1", 9, 12), answer);
  });
}

async function send(order: Order): Promise<Outcome> {
  const requests = await presign(order, await identityFromPhrase(order.phrase));
  const port = Number(new URL(order.origin).port);
  const sockets = await Promise.all(
    Array.from({ length: connections }, async (_, i) => {
      const socket = connect({ host: "127.0.0.1", port, localAddress: `127.0.0.${2 + (i % addresses)}`, noDelay: true });
      await once(socket, "connect");
      return socket;
    }),
  );
  let [next, answered, failed, firstFailure] = [0, 0, 0, ""];
  const latencies: number[] = [];
  const started = performance.now();
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          let sentAt = 0;
          const sendNext = () => {
            const request = performance.now() - started < loadMs ? requests[next++] : undefined;
            if (request === undefined) return resolve();
            sentAt = performance.now();
            socket.write(request);
          };
          readAnswers(socket, (status, answer) => {
            latencies.push(performance.now() - sentAt);
            if (status.startsWith("2")) answered++;
            else if (failed++ === 0) firstFailure = answer.toString();
            sendNext();
          });
          sendNext();
        }),
    ),
  );
  const ms = performance.now() - started;
  for (const socket of sockets) socket.destroy();
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return { answered, failed, firstFailure, ms, p50Ms: at(0.5), p99Ms: at(0.99) };
}

// --- the measuring process ---

/** CPU time of all threads of a process, microseconds; the kernel counts in hundredths of a second. */
function cpuUs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** One verification and hash on one core: bytes as long as a real signature base and body. */
function bareRound(bodyBytes: number): { readonly perSecond: number; readonly cpuUs: number } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = createPublicKey(publicKey.export({ format: "pem", type: "spki" }));
  const base = Buffer.alloc(420, "b");
  const body = Buffer.alloc(bodyBytes, "c");
  const signature = sign(null, base, privateKey);
  const started = performance.now();
  const before = process.cpuUsage();
  let count = 0;
  while (performance.now() - started < bareMs) {
    for (let i = 0; i < 20; i++) {
      verify(null, base, key, signature);
      createHash("sha256").update(body).digest();
    }
    count += 20;
  }
  const used = process.cpuUsage(before);
  return { perSecond: (count / (performance.now() - started)) * 1_000, cpuUs: (used.user + used.system) / count };
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

interface Load {
  readonly name: string;
  readonly path: string;
  readonly body: string;
}

interface Measured {
  /** Bare CPU time of one operation, of the hub's CPU time (all threads) of one request, percent. */
  readonly cpuRatios: number[];
  readonly wallRatios: number[];
  readonly rates: number[];
  readonly cpuUs: number[];
  readonly outcomes: Outcome[];
}

async function measure(hub: HubProcess, phrase: string, load: Load): Promise<Measured> {
  const sender = fork(import.meta.filename, ["sender"], { execArgv: ["--disable-warning=ExperimentalWarning"] });
  const origin = `http://127.0.0.1:${hub.config.ports.hub}`;
  const result: Measured = { cpuRatios: [], wallRatios: [], rates: [], cpuUs: [], outcomes: [] };
  // The first round is not counted: it compiles.
  for (let round = -1; round < rounds; round++) {
    const bare = bareRound(load.body.length);
    const before = cpuUs(hub.pid);
    sender.send({ origin, phrase, path: load.path, body: load.body, requests: requestsPerRound } satisfies Order);
    const [outcome] = (await once(sender, "message")) as [Outcome];
    if (outcome.failed > 0) throw new Error(`${outcome.failed} requests failed, the first with ${outcome.firstFailure}`);
    if (round < 0) continue;
    const rate = (outcome.answered / outcome.ms) * 1_000;
    result.outcomes.push(outcome);
    const perRequestUs = (cpuUs(hub.pid) - before) / outcome.answered;
    result.rates.push(rate);
    result.cpuUs.push(perRequestUs);
    result.wallRatios.push((rate / bare.perSecond) * 100);
    result.cpuRatios.push((bare.cpuUs / perRequestUs) * 100);
  }
  sender.kill();
  return result;
}

async function main(): Promise<void> {
  const dir = await tempDir();
  const config = await testConfig(join(dir.path, "data"));
  const first = await startHubProcess(config);
  const phrase = newRecoveryPhrase();
  const admin = await identityFromPhrase(phrase);
  const token = new URL(first.adminLink ?? "").hash.replace("#token=", "");
  await callAs(first, admin, { method: "POST", path: "/api/claim", body: { token, handle: "bench", keys: admin.card } });
  await first.stop();
  const started = performance.now();
  const hub = await startHubProcess(config);
  try {
    const startMs = performance.now() - started;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const idleMemoryMb = residentMb(hub.pid);
    const room = "01K7Z0000000000000000000AB";
    const founded = await callAs(hub, admin, {
      method: "POST",
      path: "/api/rooms",
      body: { id: room, name: "bench", policy: { encrypt: false, persist: false, sign: true, history: "shared" } },
    });
    if (founded.status !== 201) throw new Error(founded.text);
    const join = await measure(hub, phrase, { name: "join", path: `/api/rooms/${room}/join`, body: "{}" });
    const invitation = await measure(hub, phrase, { name: "invitation", path: "/api/invitations", body: "{}" });
    const busyMemoryMb = residentMb(hub.pid);
    const figure = (name: string, values: readonly number[], unit: string) => ({
      name,
      observed: median(values),
      unit,
      limit: "",
      missed: false,
    });
    const figuresOf = (what: string, measured: Measured) => [
      figure(`${what}, a second`, measured.rates, "/s"),
      figure(`${what}: hub's CPU time, all threads`, measured.cpuUs, "µs"),
      figure(`${what}: bare verify + hash, of that CPU time`, measured.cpuRatios, "%"),
      figure(
        `${what}: latency p50 at ${connections} connections`,
        measured.outcomes.map((outcome) => outcome.p50Ms),
        "ms",
      ),
      figure(
        `${what}: latency p99 at ${connections} connections`,
        measured.outcomes.map((outcome) => outcome.p99Ms),
        "ms",
      ),
    ];
    const ratio = median(join.wallRatios);
    const rows = [
      {
        name: "signed POST (join a room one is in), of one core's bare verify + hash rate (node:crypto)",
        observed: ratio,
        unit: "%",
        limit: `≥ ${limits.ratioPercent}`,
        missed: ratio < limits.ratioPercent,
      },
      ...figuresOf("join", join),
      figure("signed POST (make an invitation), of one core's bare rate", invitation.wallRatios, "%"),
      ...figuresOf("invitation", invitation),
      {
        name: "existing folder to ready (hub and nats-server)",
        observed: startMs,
        unit: "ms",
        limit: `≤ ${limits.startMs}`,
        missed: startMs > limits.startMs,
      },
      {
        name: "idle hub, resident",
        observed: idleMemoryMb,
        unit: "MB",
        limit: `≤ ${limits.idleMemoryMb}`,
        missed: idleMemoryMb > limits.idleMemoryMb,
      },
      figure("hub after the load, resident", [busyMemoryMb], "MB"),
    ];
    for (const row of rows)
      process.stdout.write(
        `${row.name.padEnd(78)} ${row.observed.toFixed(1).padStart(9)} ${row.unit.padEnd(3)} ${row.limit.padEnd(8)} ${row.missed ? "MISSED" : ""}\n`,
      );
    process.stdout.write(
      `${JSON.stringify({ bench: "signed-requests", rows: rows.map(({ name, observed, unit, limit, missed }) => ({ name, observed, unit, limit, missed })) })}\n`,
    );
    if (rows.some((row) => row.missed)) process.exitCode = 1;
  } finally {
    await hub.stop();
    await dir[Symbol.asyncDispose]();
  }
}

if (process.argv[2] === "sender") {
  process.on("message", (order: Order) => void send(order).then((outcome) => process.send?.(outcome)));
} else {
  await main();
}
