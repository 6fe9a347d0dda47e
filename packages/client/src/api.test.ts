/** The transport against a server that misbehaves: what is repeated, what is refused, what never goes out twice. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AppError, toProblem, type ErrorCode } from "@althing/contract";
import { identityFromPhrase, newRecoveryPhrase, type Identity } from "@althing/crypto";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createApi, type Api } from "./api.ts";
import { platform } from "#platform";

interface Seen {
  readonly nonce: string;
  readonly idempotencyKey: string | undefined;
}
type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let identity: Identity;
beforeAll(async () => {
  identity = await identityFromPhrase(newRecoveryPhrase());
});
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const task of cleanUp.splice(0).toReversed()) await task();
});

/** A server that gives these answers in turn, the last one for ever. */
async function serve(...answers: Answer[]): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server: Server = createServer((request, response) => {
    request.resume().on("end", () => {
      if (request.url === "/healthz") return response.writeHead(503).end();
      seen.push({
        nonce: /nonce="([^"]+)"/.exec(String(request.headers["signature-input"]))?.[1] ?? "",
        idempotencyKey: request.headers["idempotency-key"]?.toString(),
      });
      answers[Math.min(seen.length, answers.length) - 1]?.(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUp.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`, seen };
}

function apiOf(...urls: string[]): Api {
  const http = platform.createHttp({});
  cleanUp.push(() => http.close());
  return createApi({ identity, urls, http, now: Date.now });
}

const json =
  (status: number, body: unknown): Answer =>
  (_request, response) =>
    void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
const problem = (code: ErrorCode): Answer => {
  const error = new AppError(code);
  return json(error.status, toProblem(error, "r1"));
};
const invitation = json(201, { token: "A".repeat(43), expiresAt: "2027-01-01T00:00:00Z" });
const reset: Answer = (request) => void request.socket.destroy();
const create = (api: Api) => api.call("invitations.create", { body: {} });
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe("calls of the interface", () => {
  it("sign a stale request anew, once, and never send the same signature twice", async () => {
    const { url, seen } = await serve(problem("auth.stale"), invitation);
    await create(apiOf(url));
    expect(new Set(seen.map((one) => one.nonce)).size).toBe(2);
    const stubborn = await serve(problem("auth.stale"));
    await expect(create(apiOf(stubborn.url))).rejects.toEqual(code("auth.stale"));
    expect(stubborn.seen).toHaveLength(2);
  });

  it("go on to the next address after 503 or a lost connection, under the same idempotency key, and stay there", async () => {
    for (const failure of [problem("system.stopping"), reset]) {
      const first = await serve(failure);
      const second = await serve(invitation);
      const api = apiOf(first.url, second.url);
      await create(api);
      expect(second.seen[0]?.idempotencyKey).toBe(first.seen[0]?.idempotencyKey);
      expect(second.seen[0]?.idempotencyKey).toBeTruthy();
      expect(api.url).toBe(second.url);
      await create(api);
      expect(second.seen).toHaveLength(2);
    }
  });

  it("do not repeat what may have arrived and must not happen twice", async () => {
    const first = await serve(reset);
    const second = await serve(invitation);
    const body = { token: "A".repeat(43), handle: "ada", keys: identity.card };
    await expect(apiOf(first.url, second.url).call("claim.post", { body })).rejects.toEqual(code("client.unreachable"));
    expect(second.seen).toHaveLength(0);
  });

  it("do not go on after a refusal", async () => {
    const first = await serve(problem("auth.forbidden"));
    const second = await serve(invitation);
    await expect(create(apiOf(first.url, second.url))).rejects.toEqual(code("auth.forbidden"));
    expect(second.seen).toHaveLength(0);
  });

  it("never follow a redirect", async () => {
    const target = await serve(invitation);
    const { url } = await serve((_request, response) => void response.writeHead(307, { location: target.url }).end());
    await expect(create(apiOf(url))).rejects.toEqual(code("client.bad_answer"));
    expect(target.seen).toHaveLength(0);
  });

  it("use no answer that does not fit the contract", async () => {
    for (const answer of [
      json(201, { token: "short" }),
      json(200, {}),
      json(418, { code: "made.up" }),
      (_: IncomingMessage, response: ServerResponse) => void response.writeHead(201).end("{"),
    ]) {
      const { url } = await serve(answer);
      await expect(create(apiOf(url))).rejects.toEqual(code("client.bad_answer"));
    }
  });

  it("name the address that cannot be reached", async () => {
    await expect(create(apiOf("http://127.0.0.1:1"))).rejects.toEqual(code("client.unreachable"));
  });

  it("does not let a server speak of this client's own state, records or pins", async () => {
    for (const code of ["epoch.no_key", "pin.changed", "state.corrupt", "client.closed"] as const) {
      const error = new AppError(code, { room: "x", epoch: 1 });
      const { url } = await serve(json(404, toProblem(error, "r1")));
      await expect(apiOf(url).call("me.get")).rejects.toMatchObject({ code: "client.bad_answer" });
    }
  });
});
