/**
 * The way to several runners on other machines, against real TLS servers: free slots decide, the dead are left out in time and taken back, and nothing is
 * sent twice or to a machine that is not the one that was meant.
 */
import { createServer, type Server } from "node:https";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { AppError, executeHeadSchema, type ExecuteHead } from "@althing/contract";
import { makePeerAuthority, tempDir, type PeerAuthority, type PeerCertificate, type TempDir } from "@althing/testkit";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { answerOf, community, extension, installId } from "../../test/invocation-world.ts";
import { peerServerOptions, type PeerTls } from "../peer-tls/index.ts";
import { createRunnerClient, encodeFrame, hasBegun } from "./index.ts";

const head: ExecuteHead = executeHeadSchema.parse({
  requestId: "r1",
  ...{ community, install: installId, extension, version: "1.0.0", contentHash: `sha256:${"0".repeat(64)}`, settings: "{}" },
  call: { kind: "job", name: "j", slot: "s" },
  limits: { fuel: 1, timeMs: 1, memoryBytes: 1, hostCalls: 0, logBytes: 0, liftedBytes: 1, resultBytes: 1, fetches: 0, egressBytes: 0 },
  ...{ capabilities: [], egress: [], broker: { url: "https://localhost:1", token: "T".repeat(43) } },
});
const good = answerOf(200);
const goodFrame = Buffer.from(encodeFrame(good.result, good.body));
const cleanups: (() => Promise<void> | void)[] = [];
let dir: TempDir;
let house: PeerAuthority;
let hub: PeerTls;
let runner: PeerTls;

async function raw({ cert, key, ca }: PeerCertificate): Promise<PeerTls> {
  return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8"), ca: await readFile(ca, "utf8") };
}

beforeAll(async () => {
  dir = await tempDir();
  house = await makePeerAuthority(join(dir.path, "house"));
  [hub, runner] = [await raw(await house.issue("localhost")), await raw(await house.issue("127.0.0.1"))];
});
afterAll(() => dir.remove());
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Machine {
  readonly url: string;
  readonly port: number;
  /** Calls and looks, in order. */
  readonly calls: string[];
  looks: number;
  readonly authorizations: (string | undefined)[];
  slots: { running: number; queued: number; max: number };
  status: "ready" | "stopping";
  isolation: string;
  /** Answers nothing any more, as a machine without power. */
  isHung: boolean;
  kill(): Promise<void>;
}

async function startMachine(max: number, tls = runner, port = 0): Promise<Machine> {
  const machine = { calls: [] as string[], looks: 0, authorizations: [] as (string | undefined)[], slots: { running: 0, queued: 0, max } };
  const state = { status: "ready" as Machine["status"], isolation: "permission-model+pidns", isHung: false };
  const made = Object.assign(machine, state);
  const server: Server = createServer(peerServerOptions(tls), (request, response) => {
    made.authorizations.push(request.headers.authorization);
    request.resume();
    request.on("end", () => {
      if (request.url === "/healthz") made.looks += 1;
      else made.calls.push(request.url ?? "");
      if (made.isHung) return;
      const { status, isolation, slots } = made;
      if (request.url === "/healthz")
        response.writeHead(status === "ready" ? 200 : 503).end(JSON.stringify({ status, isolation, slots, processes: 1 }));
      else response.end(goodFrame);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const kill = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  cleanups.push(kill);
  const address = server.address() as AddressInfo;
  return Object.assign(made, { url: `https://127.0.0.1:${address.port}`, port: address.port, kill });
}

function clientOf(machines: readonly Machine[], peers = hub) {
  const client = createRunnerClient({ baseUrls: () => machines.map(({ url }) => url), peers });
  cleanups.push(() => client.close());
  const call = () => client.execute(head, new Uint8Array(), 2_000);
  /** Waits until each was looked at `times` times more, as it is now. */
  const looked = async (times = 2) => {
    const before = machines.map(({ looks }) => looks);
    await expect.poll(() => machines.every(({ looks }, i) => looks >= (before[i] ?? 0) + times), { timeout: 5_000 }).toBe(true);
  };
  return { client, call, looked };
}

const failure = async (work: Promise<unknown>): Promise<AppError> =>
  work.then(
    () => Promise.reject(new Error("it was answered")),
    (error: unknown) => (error instanceof AppError ? error : Promise.reject(new Error(String(error)))),
  );

test("a call goes to the machine with the most free slots, and no token goes with it", async () => {
  const machines = [await startMachine(8), await startMachine(64)];
  const { call, looked } = clientOf(machines);
  await looked();
  for (let i = 0; i < 10; i++) await call();
  expect(machines.map(({ calls }) => calls.length)).toEqual([0, 10]);
  // Another hub fills the large one.
  Object.assign(machines[1]?.slots ?? {}, { running: 60, queued: 3 });
  await looked();
  for (let i = 0; i < 10; i++) await call();
  expect(machines.map(({ calls }) => calls.length)).toEqual([10, 10]);
  expect(machines.flatMap(({ authorizations }) => authorizations).filter((given) => given !== undefined)).toEqual([]);
});

test("calls that run side by side share the free slots", async () => {
  const machines = [await startMachine(10), await startMachine(10)];
  const { call, looked } = clientOf(machines);
  await looked();
  await Promise.all(Array.from({ length: 20 }, call));
  expect(machines.map(({ calls }) => calls.length)).toEqual([10, 10]);
});

test("a machine that is killed costs no call, and is taken back when it is there again", async () => {
  const machines = [await startMachine(64), await startMachine(8)];
  const { call, looked } = clientOf(machines);
  await looked();
  await machines[0]?.kill();
  for (let i = 0; i < 20; i++) await call();
  expect(machines.map(({ calls }) => calls.length)).toEqual([0, 20]);
  const again = await startMachine(64, runner, machines[0]?.port);
  await expect.poll(async () => (await call(), again.calls.length), { timeout: 3_000, interval: 50 }).toBeGreaterThan(0);
});

test("one that says nothing any more is left out within a second, and one that stops at once when it says so", async () => {
  const machines = [await startMachine(64), await startMachine(8), await startMachine(4)];
  const { call, looked } = clientOf(machines);
  await looked();
  const [large, middle, small] = machines;
  if (large === undefined || middle === undefined || small === undefined) throw new Error("three");
  large.isHung = true;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  for (let i = 0; i < 5; i++) await call();
  expect(machines.map(({ calls }) => calls.length)).toEqual([0, 5, 0]);
  middle.status = "stopping";
  const before = middle.looks;
  await expect.poll(() => middle.looks, { timeout: 3_000 }).toBeGreaterThan(before + 1);
  await call();
  expect(machines.map(({ calls }) => calls.length)).toEqual([0, 5, 1]);
});

test("when none is known to be up they are asked all the same", async () => {
  const machine = await startMachine(8);
  machine.status = "stopping";
  const { call, looked } = clientOf([machine]);
  await looked();
  await call();
  expect(machine.calls).toHaveLength(1);
});

test("a machine with another host's certificate, or one of another authority, gets no call; alone it is ext.unavailable and nothing began", async () => {
  const stranger = await makePeerAuthority(join(dir.path, "stranger"));
  const foreign = { ...(await raw(await stranger.issue("127.0.0.1"))), ca: hub.ca };
  const elsewhere = await raw(await house.issue("127.0.0.9"));
  const bad = [await startMachine(64, foreign), await startMachine(64, elsewhere)];
  const fine = await startMachine(1);
  const { call } = clientOf([...bad, fine]);
  for (let i = 0; i < 5; i++) await call();
  expect(fine.calls).toHaveLength(5);
  const error = await failure(clientOf(bad).call());
  expect([error.code, hasBegun(error)]).toEqual(["ext.unavailable", false]);
  expect(bad.flatMap(({ calls, looks }) => [calls.length, looks])).toEqual([0, 0, 0, 0]);
});

test("a hub whose own certificate is not taken runs nothing, and says ext.unavailable", async () => {
  const machine = await startMachine(8);
  const stranger = await makePeerAuthority(join(dir.path, "second"));
  const own = { ...(await raw(await stranger.issue("localhost"))), ca: hub.ca };
  const error = await failure(clientOf([machine], own).call());
  expect(error.code).toBe("ext.unavailable");
  expect([machine.calls.length, machine.looks]).toEqual([0, 0]);
});

test("the weakest isolation of all counts", async () => {
  const machines = [await startMachine(8), await startMachine(8)];
  Object.assign(machines[1] ?? {}, { isolation: "permission-model+uid" });
  const { client, looked } = clientOf(machines);
  await looked();
  expect(client.isolation()).toBe("permission-model+uid");
});
