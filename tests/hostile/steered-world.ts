/**
 * Hub and runner in this process, real both, with what lies between them in the test's hands: the way of each call, the names that guests look up, the time.
 *
 * Invariant: parts are the product's own (gateway, broker, store, nats-server, sandbox processes); what the test adds is a listener through which the hub
 * reaches its runner, which writes down each call before it passes it on, and a web server on loopback under a public name.
 */
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { join } from "node:path";
import { createPackagesClient, type PackagesClient } from "@althing/client";
import { executeHeadSchema, type ExecuteHead } from "@althing/contract";
import { newPublisherKey } from "@althing/extension";
import { createConnect } from "@althing/extension/fetcher";
import { startRunner, type Runner } from "@althing/runner";
import { tempDir } from "@althing/testkit";
import { makePackage, type PackageToMake } from "../../packages/extension/test/make-package.ts";
import { callAs, serveHub, type Answered, type ServedHub } from "../../packages/hub/test/serve-hub.ts";
import { makeCertificate } from "../../packages/runner/test/service/made-certificate.ts";

/** Of the hub in the test's process. */
export const runnerToken = "R".repeat(43);

export interface SteeredWorld {
  readonly hub: ServedHub;
  readonly runner: Runner;
  readonly client: PackagesClient;
  /** Heads of the calls that went to the runner, in order. */
  readonly heads: ExecuteHead[];
  /** Requests that reached the web server. */
  readonly requests: string[];
  /** Where the web server is, under its public name. */
  readonly siteUrl: string;
  install(community: string, wanted: PackageToMake): Promise<void>;
  call(community: string, extension: string, path: string, headers?: Record<string, string>): Promise<Answered>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** One answers at once, one with a megabyte, one never. */
export const sitePaths = { prompt: "/prompt", large: "/large", never: "/never" } as const;

async function listening(server: HttpServer | TlsServer): Promise<number> {
  server.listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => server.once("listening", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("it listens on no port");
  return address.port;
}

async function startSite(host: string, requests: string[]) {
  await using dir = await tempDir();
  const { cert, key } = await makeCertificate(dir.path, [host]);
  const site = createTlsServer({ cert, key }, (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (request.url === sitePaths.prompt) response.end("prompt");
    else if (request.url === sitePaths.large) response.end(Buffer.alloc(1024 * 1024 - 1));
  });
  const port = await listening(site);
  const close = async () => {
    site.closeAllConnections();
    await new Promise<void>((resolve) => site.close(() => resolve()));
  };
  return { cert, port, close };
}

/** Passes on what the hub sends to its runner, byte for byte. */
export async function startWatchedWay(runnerUrl: string, heads: ExecuteHead[]) {
  const way = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      if (request.url === "/v1/execute") {
        const length = body.readUInt32BE(0);
        heads.push(executeHeadSchema.parse(JSON.parse(body.subarray(4, 4 + length).toString("utf8"))));
      }
      const { authorization = "", "content-type": type = "" } = request.headers;
      const method = request.method ?? "GET";
      fetch(`${runnerUrl}${request.url}`, {
        method,
        headers: { authorization, "content-type": type },
        ...(method === "GET" ? {} : { body }),
      }).then(
        async (answer) =>
          response
            .writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" })
            .end(Buffer.from(await answer.arrayBuffer())),
        () => response.destroy(),
      );
    });
  });
  const port = await listening(way);
  const close = async () => {
    way.closeAllConnections();
    await new Promise<void>((resolve) => way.close(() => resolve()));
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

export async function openSteeredWorld(host: string): Promise<SteeredWorld> {
  const [hub, dir] = await Promise.all([serveHub(), tempDir()]);
  const requests: string[] = [];
  const heads: ExecuteHead[] = [];
  const site = await startSite(host, requests);
  const runner = await startRunner({
    ...{
      data: join(dir.path, "runner"),
      token: runnerToken,
      frameAncestors: [hub.url],
      publicBase: "http://127.0.0.1",
      logLevel: "silent",
      node: "t",
    },
    ...{ internal: { host: "127.0.0.1", port: 0 }, public: { host: "127.0.0.1", port: 0 } },
    hubUrl: `http://127.0.0.1:${hub.config.ports.internal}`,
    privateHosts: [{ use: "egress", scheme: "https", host, port: site.port, cidr: "127.0.0.0/8" }],
    fetcher: { resolver: { resolve: async () => ["127.0.0.1"] }, connect: createConnect({ extraAuthorities: [site.cert] }) },
  });
  const way = await startWatchedWay(runner.internalUrl, heads);
  hub.runnerUrl = way.url;
  const client = createPackagesClient({ identity: hub.admin, urls: [hub.url], now: () => Date.now() + hub.shiftMs });
  const signer = newPublisherKey();
  await client.call("trust.add", { body: { pem: signer.publicKeyPem } });
  return {
    ...{ hub, runner, client, heads, requests, siteUrl: `https://${host}:${site.port}` },
    async install(community, wanted) {
      const { bundle, signature, contentHash } = await makePackage({ signer, ...wanted });
      const { id } = await client.upload(community, { bundle: new Uint8Array(bundle), signature });
      await client.call("packages.change", { params: { community, install: id }, body: { consent: { contentHash }, active: true } });
    },
    call(community, extension, path, headers = {}) {
      const now = (Date.now() + hub.shiftMs) / 1_000;
      return callAs(hub, hub.admin, { method: "GET", path: `/api/communities/${community}/ext/${extension}${path}`, headers, now });
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await way.close();
      await runner.close(0);
      await hub[Symbol.asyncDispose]();
      await site.close();
      await dir.remove();
    },
  };
}
