/** Calls over several nodes of which one dies, hangs, is fenced or breaks off: what is asked where, and what is never done twice. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AppError, toProblem, type ErrorCode, type Health } from "@althing/contract";
import { identityFromPhrase, newRecoveryPhrase, type Identity } from "@althing/crypto";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createApi } from "./api.ts";
import type { FailoverTimes } from "./failover.ts";
import { platform } from "#platform";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Node {
  readonly url: string;
  /** Idempotency keys of the calls that came, in order. */
  readonly keys: (string | undefined)[];
  readonly signatures: string[];
  /** How often its health page was asked for. */
  probes: number;
  answer: Answer;
  health: Answer;
  /** Bodies it has carried out. */
  readonly done: Set<string>;
}

let identity: Identity;
beforeAll(async () => {
  identity = await identityFromPhrase(newRecoveryPhrase());
});
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const task of cleanUp.splice(0).toReversed()) await task();
});

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    void response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
const problem = (code: ErrorCode, headers: Record<string, string> = {}): Answer => {
  const error = new AppError(code, { detail: "fenced" });
  return json(error.status, toProblem(error, "r1"), headers);
};
const invitation = json(201, { token: "A".repeat(43), expiresAt: "2027-01-01T00:00:00Z" });
const hang: Answer = () => undefined;
const reset: Answer = (request) => void request.socket.destroy();
const fenced = problem("system.unavailable", { "retry-after": "1" });
const inMidAnswer: Answer = (_request, response) => {
  response.writeHead(201, { "content-type": "application/json", "content-length": "200" }).write('{"token":"AAAA');
  setTimeout(() => response.destroy(), 20);
};
const healthy = (urls?: readonly string[]): Answer => {
  const health: Health = {
    status: "ready",
    version: "0.1.0",
    node: "n1",
    claimable: false,
    posture: {
      auth: "enforce",
      acl: { state: "live", revision: 1 },
      tls: "off-loopback",
      cluster: { size: 3, quorum: true, replicas: 3, heard: 3 },
      store: { kind: "jetstream", ready: true, schema: 1 },
      at_rest: "off",
      signing: "none",
      fsync: "always",
      sandbox: "none",
      private_hosts: 0,
    },
    ...(urls === undefined ? {} : { urls: [...urls] }),
  };
  return json(200, health);
};

async function serve(answer: Answer, health: Answer = healthy()): Promise<Node> {
  const node = { keys: [], signatures: [], probes: 0, answer, health, done: new Set<string>() };
  const server: Server = createServer((request, response) => {
    request.resume().on("end", () => {
      if (request.url === "/healthz") {
        found.probes += 1;
        return found.health(request, response);
      }
      found.keys.push(request.headers["idempotency-key"]?.toString());
      found.signatures.push(String(request.headers["signature"]));
      found.answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUp.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const found: Node = { ...node, url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}` };
  return found;
}

const quick: FailoverTimes = { quietMs: 60, signMs: 120, patienceMs: 1_500 };

function apiOf(nodes: readonly { readonly url: string }[], times: FailoverTimes = quick) {
  const http = platform.createHttp({});
  cleanUp.push(() => http.close());
  return createApi({ identity, urls: nodes.map(({ url }) => url), http, now: Date.now, times });
}
const create = (api: ReturnType<typeof apiOf>) => api.call("invitations.create", { body: {} });
const claim = (api: ReturnType<typeof apiOf>) =>
  api.call("claim.post", { body: { token: "A".repeat(43), handle: "ada", keys: identity.card } });
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe("a call over several nodes", () => {
  it.each([
    ["is dead", reset, reset],
    ["accepts and never answers, not even for its health", hang, hang],
    ["accepts and never answers, and says of itself that it does not serve", hang, fenced],
    ["is fenced", fenced, fenced],
    ["breaks off in mid-answer", inMidAnswer, healthy()],
  ])("goes on to the next when the first %s, under the same key and another signature", async (_what, answer, health) => {
    const [first, second] = [await serve(answer, health), await serve(invitation)];
    const api = apiOf([first, second]);
    const beganMs = performance.now();
    await create(api);
    expect(performance.now() - beganMs).toBeLessThan(1_500);
    expect([...new Set([...first.keys, ...second.keys])]).toHaveLength(1);
    expect(new Set([...first.signatures, ...second.signatures]).size).toBe(2);
    await create(api);
    expect([first.keys.length, second.keys.length]).toEqual([1, 2]);
    expect(api.url).toBe(second.url);
  });

  it("waits for a slow node that lives, and does not have the work done twice", async () => {
    const slow: Answer = (request, response) => void setTimeout(() => invitation(request, response), 600);
    const [first, second] = [await serve(slow), await serve(invitation)];
    await create(apiOf([first, second]));
    expect(first.probes).toBeGreaterThan(0);
    expect(second.keys).toEqual([]);
  });

  it("waits for the outcome of its own first attempt, which the other nodes know to be under way", async () => {
    const [first, second] = [await serve(hang, hang), await serve(problem("request.in_progress", { "retry-after": "1" }))];
    const api = apiOf([first, second]);
    setTimeout(() => (second.answer = invitation), 400);
    await create(api);
    expect(new Set([...first.keys, ...second.keys]).size).toBe(1);
  });

  it("that is under way elsewhere, and not by our own doing, is told so at once", async () => {
    const [first, second] = [await serve(problem("request.in_progress", { "retry-after": "1" })), await serve(invitation)];
    await expect(create(apiOf([first, second]))).rejects.toEqual(code("request.in_progress"));
    expect(second.keys).toEqual([]);
  });

  it("is asked again while no node has a quorum, and ends with their reason when that lasts", async () => {
    const nodes = [await serve(fenced), await serve(fenced)];
    const api = apiOf(nodes);
    setTimeout(() => {
      for (const node of nodes) node.answer = invitation;
    }, 300);
    await create(api);
    for (const node of nodes) node.answer = fenced;
    await expect(create(apiOf(nodes, { ...quick, patienceMs: 300 }))).rejects.toEqual(code("system.unavailable"));
  });

  it("is asked again when all nodes say nothing to it and of themselves that they serve nobody, as in an election", async () => {
    // As a hub whose store has no leader: it gives up after longer than it is waited for.
    const late: Answer = (request, response) => void setTimeout(() => fenced(request, response), 300);
    const nodes = [await serve(late, fenced), await serve(late, fenced)];
    const api = apiOf(nodes);
    setTimeout(() => {
      for (const node of nodes) Object.assign(node, { answer: invitation, health: healthy() });
    }, 400);
    await create(api);
    expect(new Set(nodes.flatMap(({ keys }) => keys)).size).toBe(1);
  });

  it("ends with the reason of the one that answers, wherever it stands among those that are gone", async () => {
    const node = await serve(fenced);
    for (const urls of [
      [node.url, "http://127.0.0.1:1"],
      ["http://127.0.0.1:1", node.url],
    ])
      await expect(
        create(
          apiOf(
            urls.map((url) => ({ url })),
            { ...quick, patienceMs: 300 },
          ),
        ),
      ).rejects.toEqual(code("system.unavailable"));
  });

  it("is unreachable at once when nobody is there at all", async () => {
    const beganMs = performance.now();
    await expect(create(apiOf([{ url: "http://127.0.0.1:1" }, { url: "http://127.0.0.1:2" }]))).rejects.toEqual(code("client.unreachable"));
    expect(performance.now() - beganMs).toBeLessThan(1_000);
  });

  it("that must not happen twice goes to a node that lives, and never to a second one", async () => {
    const [hung, broken, third] = [await serve(hang, hang), await serve(reset), await serve(invitation)];
    await expect(claim(apiOf([hung, broken, third]))).rejects.toEqual(code("client.unreachable"));
    expect([hung.keys.length, broken.keys.length, third.keys.length]).toEqual([0, 1, 0]);
  });

  it("ends when its caller ends it, wherever it is", async () => {
    const [first, second] = [await serve(hang), await serve(invitation)];
    const signal = AbortSignal.timeout(150);
    await expect(apiOf([first, second]).call("invitations.create", { body: {} }, { signal })).rejects.toMatchObject({
      name: "TimeoutError",
    });
    expect(second.keys).toEqual([]);
  });

  it("of many asks a hung node once whether it lives", async () => {
    const [first, second] = [await serve(hang, hang), await serve(invitation)];
    const api = apiOf([first, second]);
    await Promise.all(Array.from({ length: 12 }, () => create(api)));
    expect(first.probes).toBe(1);
  });
});

describe("addresses that an instance names", () => {
  const learned = async (named: (own: string, other: string) => { ours?: string[]; theirs?: string[] }) => {
    const [first, second] = [await serve(invitation), await serve(invitation)];
    const { ours, theirs } = named(first.url, second.url);
    second.health = healthy(theirs);
    const api = apiOf([first]);
    await api.learn(ours ?? []);
    first.answer = reset;
    return { api, second };
  };

  it("are used when the node they lead to names this one in turn", async () => {
    const { api, second } = await learned((own, other) => ({ ours: [own, other], theirs: [other, own.replace("127.0.0.1", "localhost")] }));
    await create(api);
    expect(api.url).toBe(second.url);
  });

  it("get nothing that is signed when they lead to another instance, at which the same person may be known", async () => {
    for (const theirs of [["http://localhost:1"], undefined]) {
      const { api, second } = await learned((_own, other) => ({ ours: [other], ...(theirs === undefined ? {} : { theirs }) }));
      await expect(create(api)).rejects.toEqual(code("client.unreachable"));
      expect(second.signatures).toEqual([]);
    }
  });

  it("are passed over when they are in clear text, on this machine as seen from outside, or nonsense", async () => {
    const [first, second] = [await serve(invitation), await serve(invitation)];
    second.health = healthy([first.url, "https://hub.example"]);
    const api = apiOf([first]);
    await api.learn(["http://hub.example", "javascript:alert(1)", "", "https://user:word@hub.example", ...Array<string>(100).fill("x")]);
    expect(api.isSeveral).toBe(false);
    const remote = apiOf([{ url: "https://hub.example" }]);
    await remote.learn([second.url]);
    expect([remote.isSeveral, second.probes]).toEqual([false, 0]);
  });
});
