/**
 * A hub served inside the test's own process: real data folder, real nats-server, real store; time and the nonce store can be steered.
 */
import { join } from "node:path";
import { Writable } from "node:stream";
import type { ClaimStore, Store } from "@althing/store";
import { identityFromPhrase, newRecoveryPhrase, signRequest, type Identity } from "@althing/crypto";
import { tempDir } from "@althing/testkit";
import type { Config } from "@althing/contract";
import { createHub, type Hub, type HubOptions } from "../src/create-hub.ts";
import { openDataFolder, type DataFolder } from "../src/data-folder.ts";
import { openExtensionPlane, type ExtensionPlane } from "../src/extension-plane.ts";
import { createGate, type Gate } from "../src/gate.ts";
import { idempotencyCollection } from "../src/idempotency.ts";
import type { ListenerTimeouts } from "../src/listener.ts";
import { createLog } from "../src/log.ts";
import { writeNatsFiles } from "../src/nats-files.ts";
import { openState, type OpenState } from "../src/open-state.ts";
import type { RateLimits } from "../src/rate-limit.ts";
import { startTicker, tickIntervalMs } from "../src/ticker.ts";
import { endProcess, startNatsServer, testConfig } from "./hub-process.ts";

export interface ServedHub {
  readonly url: string;
  readonly config: Config;
  readonly hub: Hub;
  readonly gate: Gate;
  readonly state: OpenState;
  readonly folder: DataFolder;
  readonly extensions: ExtensionPlane;
  readonly admin: Identity;
  log(): string;
  /** Milliseconds added to the clock. */
  shiftMs: number;
  /** Makes the nonce store fail. */
  claimsFail: boolean;
  /** Nothing is written after an act: as if the hub had died before it answered. */
  answersLost: boolean;
  /** Where the hub takes its runner to be. */
  runnerUrl: string | undefined;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ServeOptions {
  readonly flags?: Record<string, unknown>;
  readonly rateLimits?: RateLimits;
  readonly timeouts?: Partial<ListenerTimeouts>;
  readonly eventStreamTimes?: HubOptions["eventStreamTimes"];
  readonly pageFolder?: string;
}

/** Tests fail to authenticate on purpose, thousands of times. */
export const looseRates: RateLimits = {
  requestsPerSecond: 1_000_000,
  failuresPerMinute: 1_000_000,
  loopbackFailuresPerMinute: 1_000_000,
  addressesMax: 1_000,
};

export async function serveHub(options: ServeOptions = {}): Promise<ServedHub> {
  const dir = await tempDir();
  const config = await testConfig(join(dir.path, "data"), options.flags);
  let text = "";
  const log = createLog({
    level: "debug",
    node: "t",
    stream: new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        text += chunk.toString();
        done();
      },
    }),
  });
  const steer: { shiftMs: number; claimsFail: boolean; answersLost: boolean; runnerUrl: string | undefined } = {
    shiftMs: 0,
    claimsFail: false,
    answersLost: false,
    runnerUrl: undefined,
  };
  const nowMs = () => Date.now() + steer.shiftMs;
  const folder = await openDataFolder(config.data, config.store);
  await writeNatsFiles(config, folder);
  const nats = await startNatsServer({ natsConfig: folder.paths.natsConfig, pidFile: folder.paths.natsPid, port: config.ports.nats });
  const state = await openState({ config, folder, nowMs, log });
  const gate = createGate();
  const runnerToken = "R".repeat(43);
  const pageFolder = options.pageFolder ?? join(dir.path, "no-page");
  const hub = await createHub({
    config,
    version: "0.0.0-test",
    gate,
    log,
    nowMs,
    pageFolder,
    runnerToken,
    socketPath: folder.paths.socket,
    checkAnswers: true,
    rateLimits: options.rateLimits ?? looseRates,
    ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
    ...(options.eventStreamTimes === undefined ? {} : { eventStreamTimes: options.eventStreamTimes }),
  });
  const claims: ClaimStore = {
    claim: (key, expiresAtMs) => (steer.claimsFail ? Promise.reject(new Error("the disk is gone")) : state.claims.claim(key, expiresAtMs)),
    close: () => state.claims.close(),
  };
  const extensions = await openExtensionPlane({
    ...{ config, folder, bus: state.bus, connection: state.connection, store: state.store, nowMs, log, runnerToken },
    runnerUrl: () => steer.runnerUrl,
    isOpen: () => gate.state === "open",
    onInvocation: (seen) => hub.metrics.observeInvocation(seen),
  });
  const store = forgetful(state.store, () => steer.answersLost);
  hub.serve({ bus: state.bus, store, claims, secretsKey: folder.keys.secretsKey, extensions, cluster: undefined });
  hub.health.setSources({
    acl: () => ({ state: state.bus.acl.state, revision: state.bus.acl.revision() }),
    store: { kind: state.store.kind, ready: true, schema: state.schemaVersion },
    fsync: state.fsync,
    natsConnected: () => state.connection.connected(),
    claimable: () => state.bus.users.claimable(),
    sandbox: () => undefined,
    signing: () => Promise.resolve(false),
  });
  await hub.listen();
  gate.open();
  const ticker = startTicker({
    intervalMs: tickIntervalMs,
    mayRun: () => gate.state === "open",
    work: () => extensions.community.tick(),
    onFailure: (err) => log.warn({ err }, "a tick failed"),
  });
  const admin = await newIdentity();
  await state.bus.users.bootstrap({ signPub: admin.signPub, handle: "root", keys: admin.card } as Parameters<
    typeof state.bus.users.bootstrap
  >[0]);
  return Object.assign(steer, {
    url: hub.url,
    config,
    hub,
    gate,
    state,
    folder,
    extensions,
    admin,
    log: () => text,
    async [Symbol.asyncDispose]() {
      gate.stop();
      await ticker.stop();
      await hub.close(500);
      await extensions.close();
      await state.close();
      await endProcess(nats, "SIGTERM");
      folder.close();
      await dir[Symbol.asyncDispose]();
    },
  });
}

/** A store that does not take answers while somebody says so. */
function forgetful(store: Store, isForgetful: () => boolean): Store {
  return {
    ...store,
    collection(def) {
      const records = store.collection(def);
      if (def.name !== idempotencyCollection.name) return records;
      return { ...records, put: (...args) => (isForgetful() ? Promise.reject(new Error("the hub is gone")) : records.put(...args)) };
    },
  };
}

export async function newIdentity(): Promise<Identity> {
  return identityFromPhrase(newRecoveryPhrase());
}

export interface SignedCall {
  readonly method: string;
  readonly path: string;
  /** JSON value, or bytes sent as they are. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly nonce?: string;
  /** Unix seconds of `created`. */
  readonly now?: number;
  readonly lifetimeSeconds?: number;
}

/** Headers and body of a signed request, not yet sent. */
export async function signedCall(
  url: string,
  identity: Identity,
  call: SignedCall,
): Promise<{ url: string; method: string; headers: Record<string, string>; body: Uint8Array | undefined }> {
  const body =
    call.body === undefined ? undefined : call.body instanceof Uint8Array ? call.body : new TextEncoder().encode(JSON.stringify(call.body));
  const headers = await signRequest(identity, {
    method: call.method,
    url: url + call.path,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...call.headers },
    ...(body === undefined ? {} : { body }),
    now: call.now ?? Date.now() / 1_000,
    ...(call.nonce === undefined ? {} : { nonce: call.nonce }),
    ...(call.lifetimeSeconds === undefined ? {} : { lifetimeSeconds: call.lifetimeSeconds }),
  });
  return { url: url + call.path, method: call.method, headers, body };
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly code: string | undefined;
  readonly json: Record<string, unknown>;
  readonly text: string;
}

export async function sendCall(call: {
  url: string;
  method: string;
  headers: Record<string, string>;
  body?: Uint8Array | undefined;
}): Promise<Answered> {
  const answer = await fetch(call.url, {
    method: call.method,
    headers: call.headers,
    ...(call.body === undefined ? {} : { body: call.body as Uint8Array<ArrayBuffer> }),
  });
  const text = await answer.text();
  let json: Record<string, unknown> = {};
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Not every answer is JSON; tests look at `text` then.
  }
  return { status: answer.status, headers: answer.headers, code: typeof json["code"] === "string" ? json["code"] : undefined, json, text };
}

export async function callAs(served: Pick<ServedHub, "url">, identity: Identity, call: SignedCall): Promise<Answered> {
  return sendCall(await signedCall(served.url, identity, call));
}
