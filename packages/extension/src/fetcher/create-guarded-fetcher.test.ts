import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeTestAuthority, type ServerIdentity } from "../../test/ssrf-vectors/make-test-authority.ts";
import { egress, openFetcherWorld, publicAddress, registry, type FetcherWorld } from "../../test/ssrf-vectors/open-fetcher-world.ts";
import { startSite } from "../../test/ssrf-vectors/start-site.ts";
import { createConnect, createGuardedFetcher } from "./index.ts";

const kib = 1024;
const privateHosts = (port: number, host = "registry.example.org") => [
  { use: "registry" as const, scheme: "https" as const, host, port, cidr: "127.0.0.0/8" },
];

let world: FetcherWorld;
beforeAll(async () => {
  world = await openFetcherWorld();
});
afterAll(() => world.close());

const site: FetcherWorld["site"] = (listener) => world.site(listener);
const rawSite: FetcherWorld["rawSite"] = (answer) => world.rawSite(answer);
const fetcherFor: FetcherWorld["fetcherFor"] = (target, options) => world.fetcherFor(target, options);
const refusal = (code: string, params: object) => expect.objectContaining({ code, params: expect.objectContaining(params) });
const text = async (response: { bytes(): Promise<Uint8Array> }) => Buffer.from(await response.bytes()).toString();

test("over real TLS through an exact exception: the answer, its headers, the hops", async () => {
  const target = await site((request, response) => {
    response.writeHead(200, {
      "content-type": "application/json",
      "x-seen-host": request.headers.host,
      connection: "x-secret",
      "x-secret": "1",
    });
    response.end(JSON.stringify({ accept: request.headers["accept-encoding"] }));
  });
  const fetcher = createGuardedFetcher({
    clock: Date,
    resolver: { resolve: async () => ["127.0.0.1"] },
    connect: createConnect({ extraAuthorities: [world.authority.cert] }),
    privateHosts: privateHosts(target.port),
  });
  const response = await fetcher.fetch({ use: "registry", url: `https://registry.example.org:${target.port}/a?b#c`, allowlist: null });
  expect(await text(response)).toBe('{"accept":"identity"}');
  expect(response.status).toBe(200);
  expect(response.url).toBe(`https://registry.example.org:${target.port}/a?b`);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "application/json",
    "x-seen-host": `registry.example.org:${target.port}`,
  });
  expect(response.headers.has("connection") || response.headers.has("x-secret")).toBe(false);
  expect(response.hops).toEqual([{ host: "registry.example.org", address: "127.0.0.1", status: 200 }]);
  fetcher.close();
});

test("without the exception, or with one that differs in a single field, the same place is refused and never connected to", async () => {
  const target = await site((_request, response) => response.end("secret"));
  const [entry] = privateHosts(target.port);
  if (!entry) throw new Error("no entry");
  const differing = [
    undefined,
    { ...entry, use: "egress" as const },
    { ...entry, scheme: "http" as const },
    { ...entry, host: "other.example.org" },
    { ...entry, port: target.port === 1 ? 2 : target.port - 1 },
    { ...entry, cidr: "127.0.0.2/32" },
    { ...entry, cidr: "10.0.0.0/8" },
  ];
  for (const exception of differing) {
    const fetcher = createGuardedFetcher({
      clock: Date,
      resolver: { resolve: async () => ["127.0.0.1"] },
      connect: createConnect({ extraAuthorities: [world.authority.cert] }),
      privateHosts: exception ? [exception] : [],
      rules: { registry: { ports: [443, target.port] } },
    });
    await expect(
      fetcher.fetch({ use: "registry", url: `https://registry.example.org:${target.port}/`, allowlist: null }),
      JSON.stringify(exception),
    ).rejects.toEqual(refusal("fetch.private_address", { rule: "loopback", observed: "127.0.0.1", host: "registry.example.org" }));
  }
  expect(target.connectionCount()).toBe(0);
});

test("an exception is for its network: a public address under it is refused when only the exception opened the port", async () => {
  const target = await site((_request, response) => response.end());
  const fetcher = fetcherFor(target, {
    privateHosts: [{ use: "registry", scheme: "https", host: "registry.example.org", port: 8443, cidr: "10.0.0.0/8" }],
  });
  await expect(fetcher.fetch({ ...registry(""), url: "https://registry.example.org:8443/" })).rejects.toEqual(
    refusal("fetch.private_address", { rule: "outside_private_host", observed: publicAddress }),
  );
});

test("an exception lifts neither the allowlist nor the rule on user names", async () => {
  const target = await site((_request, response) => response.end());
  const fetcher = fetcherFor(target, { privateHosts: privateHosts(443) });
  await expect(fetcher.fetch(registry("/", { allowlist: ["other.example.org"] }))).rejects.toEqual(
    refusal("fetch.host_not_allowed", { rule: "allowlist" }),
  );
  await expect(fetcher.fetch({ ...registry(""), url: "https://a:b@registry.example.org/" })).rejects.toEqual(
    refusal("fetch.url_forbidden", { rule: "userinfo" }),
  );
});

test("this instance's own address is refused, single or in a network, also when it is public", async () => {
  const target = await site((_request, response) => response.end());
  for (const own of [publicAddress, "93.184.215.0/24"]) {
    const fetcher = fetcherFor(target, { ownAddresses: () => [own] });
    await expect(fetcher.fetch(registry("/")), own).rejects.toEqual(
      refusal("fetch.private_address", { rule: "own_address", observed: publicAddress }),
    );
  }
});

test("egress without a list of hosts fetches nothing", async () => {
  const target = await site((_request, response) => response.end());
  await expect(fetcherFor(target).fetch(egress("/", { allowlist: null }))).rejects.toEqual(
    refusal("fetch.host_not_allowed", { rule: "allowlist" }),
  );
});

test("a certificate for another name, from an unknown authority, expired, or none at all, is refused", async () => {
  const stranger = await makeTestAuthority(world.dir, "stranger");
  const wrong: readonly [ServerIdentity, string][] = [
    [await world.authority.issue("wrong-name", "DNS:evil.example.org,IP:93.184.215.14"), "ERR_TLS_CERT_ALTNAME_INVALID"],
    [await stranger.issue("stranger-site", "DNS:registry.example.org"), "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    [await world.authority.issue("expired", "DNS:registry.example.org", { isExpired: true }), "CERT_HAS_EXPIRED"],
  ];
  for (const [bad, detail] of wrong) {
    let requests = 0;
    const target = await startSite(bad, (_request, response) => {
      requests += 1;
      response.end();
    });
    const failing = fetcherFor(target).fetch(registry("/", { headers: { authorization: "Bearer secret" } }));
    await expect(failing, detail).rejects.toEqual(refusal("fetch.certificate", { detail, host: "registry.example.org" }));
    expect(requests).toBe(0);
    await target.close();
  }
});

test("NODE_TLS_REJECT_UNAUTHORIZED=0 does not turn the check off, and variables for proxies are not read", async () => {
  const proxied = await site((_request, response) => response.end("through a proxy"));
  const target = await site((_request, response) => response.end("direct"));
  const variables = {
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
    NODE_USE_ENV_PROXY: "1",
    HTTPS_PROXY: `http://127.0.0.1:${proxied.port}`,
    ALL_PROXY: `http://127.0.0.1:${proxied.port}`,
  };
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    expect(await text(await fetcherFor(target).fetch(registry("/")))).toBe("direct");
    const untrusting = fetcherFor(target, {
      connect: (pinned, signal) => createConnect()({ ...pinned, address: "127.0.0.1", port: target.port }, signal),
    });
    await expect(untrusting.fetch(registry("/"))).rejects.toEqual(refusal("fetch.certificate", {}));
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
  expect(proxied.connectionCount()).toBe(0);
});

test("every fetch has a connection of its own, closed when the body was read, discarded, or left", async () => {
  const target = await site((_request, response) => response.end("x".repeat(200 * kib)));
  const fetcher = fetcherFor(target);
  await (await fetcher.fetch(registry("/"))).bytes();
  await target.idle();
  (await fetcher.fetch(registry("/"))).discard();
  await target.idle();
  for await (const chunk of (await fetcher.fetch(registry("/"))).stream()) {
    expect(chunk.byteLength).toBeGreaterThan(0);
    break;
  }
  await target.idle();
  expect(target.connectionCount()).toBe(3);
});

test("when the first of several addresses does not answer, the next vetted one is used", async () => {
  const target = await site((_request, response) => response.end("second"));
  const tried: string[] = [];
  const toAddress = createConnect({ extraAuthorities: [world.authority.cert] });
  const fetcher = fetcherFor(target, {
    resolver: { resolve: async () => ["93.184.215.15", "2606:4700:4700::1111", publicAddress] },
    connect: async (pinned, signal) => {
      tried.push(pinned.address);
      if (pinned.address !== publicAddress) throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
      return toAddress({ ...pinned, address: "127.0.0.1", port: target.port }, signal);
    },
  });
  expect(await text(await fetcher.fetch(registry("/")))).toBe("second");
  expect(tried).toEqual(["93.184.215.15", "2606:4700:4700::1111", publicAddress]);
});

test("nothing listening is unreachable, with the address and the system's code", async () => {
  const target = await startSite(world.identity, () => undefined);
  await target.close();
  await expect(fetcherFor(target).fetch(registry("/"))).rejects.toEqual(
    refusal("fetch.unreachable", { detail: "ECONNREFUSED", observed: `${publicAddress} port 443` }),
  );
});

test("redirects: three are followed with a new look-up each, the fourth is refused", async () => {
  const target = await site((request, response) => {
    const left = Number(request.url?.slice(1));
    if (left === 0) response.end("here");
    else response.writeHead(302, { location: `/${left - 1}` }).end("body of a redirect");
  });
  const looked: string[] = [];
  const fetcher = fetcherFor(target, {
    resolver: {
      resolve: async (host) => {
        looked.push(host);
        return [publicAddress];
      },
    },
  });
  const response = await fetcher.fetch(registry("/3"));
  expect(await text(response)).toBe("here");
  expect(response.hops).toHaveLength(4);
  expect(looked).toHaveLength(4);
  await expect(fetcher.fetch(registry("/4"))).rejects.toEqual(refusal("fetch.redirect_refused", { rule: "too_many_redirects", hop: 4 }));
  await target.idle();
});

test("a redirect that resolves inside is refused although the first host was public", async () => {
  const target = await site((_request, response) => response.writeHead(302, { location: "https://other.example.org/" }).end());
  const fetcher = fetcherFor(target, {
    resolver: { resolve: async (host) => [host === "other.example.org" ? "10.0.0.7" : publicAddress] },
  });
  await expect(fetcher.fetch(registry("/"))).rejects.toEqual(
    refusal("fetch.private_address", { rule: "private", observed: "10.0.0.7", hop: 1 }),
  );
  expect(target.connectionCount()).toBe(1);
});

test("a public place cannot redirect into the operator's private host, which its own redirects may stay in", async () => {
  const target = await site((request, response) => {
    const to = request.headers.host === "registry.example.org" ? "https://other.example.org/a" : "/b";
    if (request.url === "/b") response.end("inside");
    else response.writeHead(302, { location: to }).end();
  });
  const fetcher = fetcherFor(target, {
    privateHosts: [{ use: "registry", scheme: "https", host: "other.example.org", port: 443, cidr: "93.184.215.14/32" }],
  });
  await expect(fetcher.fetch(registry("/"))).rejects.toEqual(
    refusal("fetch.redirect_refused", { rule: "private_host_redirect", observed: "other.example.org" }),
  );
  expect(await text(await fetcher.fetch({ ...registry(""), url: "https://other.example.org/" }))).toBe("inside");
});

test("a guest is not led to another host, and may take the redirect itself when it asks for that", async () => {
  const target = await site((_request, response) => response.writeHead(302, { location: "https://other.example.org/" }).end());
  const both = ["*.example.org"];
  await expect(fetcherFor(target).fetch(egress("/", { allowlist: both }))).rejects.toEqual(
    refusal("fetch.redirect_refused", { rule: "cross_host_redirect", observed: "other.example.org" }),
  );
  const manual = await fetcherFor(target).fetch(egress("/", { allowlist: both, redirect: "manual" }));
  expect([manual.status, manual.headers.get("location")]).toEqual([302, "https://other.example.org/"]);
  manual.discard();
});

test("across origins only harmless headers go on: no authorization, no cookie, no header of the caller's own", async () => {
  const seen: IncomingMessage["headers"][] = [];
  const target = await site((request, response) => {
    seen.push(request.headers);
    if (request.url === "/same") response.writeHead(302, { location: "/on" }).end();
    else if (request.url === "/on") response.writeHead(302, { location: "https://other.example.org/end" }).end();
    else response.end();
  });
  const headers = { authorization: "Bearer s", cookie: "c=1", "x-api-key": "k", accept: "text/plain", "user-agent": "mine" };
  await (await fetcherFor(target).fetch(registry("/same", { headers }))).bytes();
  expect(seen[1]).toMatchObject({ ...headers, host: "registry.example.org" });
  const { host, accept, "user-agent": agent, ...others } = seen[2] ?? {};
  expect([host, accept, agent]).toEqual(["other.example.org", "text/plain", "mine"]);
  expect(Object.keys(others).toSorted()).toEqual(["accept-encoding", "connection"]);
});

test("method and body after a redirect are as the standard says, and no body goes to another origin", async () => {
  const seen: string[] = [];
  const target = await site((request, response) => {
    const [, status, to] = request.url?.split("/") ?? [];
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      seen.push(`${request.method} ${Buffer.concat(chunks).toString()} ${request.headers["content-type"] ?? "-"}`);
      if (status === "done") response.end();
      else response.writeHead(Number(status), { location: to === "other" ? "https://other.example.org/done" : "/done" }).end();
    });
  });
  const fetcher = fetcherFor(target);
  const post = { method: "POST", body: "data", headers: { "content-type": "text/plain" } };
  for (const [status, expected] of [
    [301, "GET  -"],
    [302, "GET  -"],
    [303, "GET  -"],
    [307, "POST data text/plain"],
    [308, "POST data text/plain"],
  ] as const) {
    await (await fetcher.fetch(registry(`/${status}/same`, post))).bytes();
    expect(seen.splice(0)).toEqual(["POST data text/plain", expected]);
  }
  await (await fetcher.fetch(registry("/303/same", { method: "PUT", body: "d" }))).bytes();
  await (await fetcher.fetch(registry("/302/same", { method: "PUT", body: "d" }))).bytes();
  await (await fetcher.fetch(registry("/303/same", { method: "HEAD" }))).bytes();
  expect(seen.splice(0)).toEqual(["PUT d -", "GET  -", "PUT d -", "PUT d -", "HEAD  -", "HEAD  -"]);
  await expect(fetcher.fetch(registry("/307/other", post))).rejects.toEqual(
    refusal("fetch.redirect_refused", { rule: "body_across_origins" }),
  );
  expect(seen.splice(0)).toEqual(["POST data text/plain"]);
});

test.each([
  ["dns", { dnsTimeoutMs: 80 }, { resolver: { resolve: () => new Promise<never>(() => {}) } }],
  ["connect", { connectTimeoutMs: 80 }, { connect: () => new Promise<never>(() => {}) }],
  ["headers", { headersTimeoutMs: 80 }, {}],
  ["total", { totalTimeoutMs: 80 }, {}],
])("over the limit for %s it ends in time, also when what it waits for ignores the signal", async (rule, limits, options) => {
  const target = await site(() => undefined);
  const startedAt = performance.now();
  const [limitMs] = Object.values(limits);
  await expect(fetcherFor(target, { limits: { registry: limits }, ...options }).fetch(registry("/"))).rejects.toEqual(
    refusal("fetch.timeout", { rule, limitMs }),
  );
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  await target.idle();
});

test("headers that trickle, and interim answers without end, are over the limit all the same", async () => {
  const trickle = await rawSite((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nx-a: ");
    const timer = setInterval(() => socket.write("a"), 5);
    socket.on("close", () => clearInterval(timer));
  });
  await expect(fetcherFor(trickle, { limits: { registry: { headersTimeoutMs: 100 } } }).fetch(registry("/"))).rejects.toEqual(
    refusal("fetch.timeout", { rule: "headers" }),
  );
  const interim = await rawSite((socket) => {
    const timer = setInterval(() => socket.write("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"), 1);
    socket.on("close", () => clearInterval(timer));
  });
  await expect(fetcherFor(interim).fetch(registry("/"))).rejects.toEqual(refusal("fetch.bad_response", { rule: "interim_answers" }));
  await Promise.all([trickle.idle(), interim.idle()]);
});

test("a body that trickles ends at the total limit, read or not", async () => {
  const target = await site((_request, response) => {
    const timer = setInterval(() => response.write("a"), 5);
    response.on("close", () => clearInterval(timer));
  });
  const fetcher = fetcherFor(target, { limits: { egress: { totalTimeoutMs: 150 } } });
  await expect((await fetcher.fetch(egress("/"))).bytes()).rejects.toEqual(refusal("fetch.timeout", { rule: "total" }));
  const unread = await fetcher.fetch(egress("/"));
  await target.idle();
  await expect(unread.bytes()).rejects.toEqual(refusal("fetch.timeout", { rule: "total" }));
});

test("the caller's signal and close() end a fetch in each phase, and a closed fetcher takes no more", async () => {
  const target = await site((_request, response) => response.write("start"));
  const caller = new AbortController();
  const ended = expect(
    fetcherFor(target, { resolver: { resolve: () => new Promise<never>(() => {}) } }).fetch(registry("/", { signal: caller.signal })),
  ).rejects.toEqual(refusal("fetch.aborted", { detail: "the caller ended it" }));
  caller.abort();
  await ended;
  await expect(fetcherFor(target).fetch(registry("/", { signal: AbortSignal.abort() }))).rejects.toEqual(refusal("fetch.aborted", {}));
  const fetcher = fetcherFor(target);
  const response = await fetcher.fetch(registry("/"));
  const reading = expect(response.bytes()).rejects.toEqual(refusal("fetch.aborted", { detail: "the fetcher was closed" }));
  await nextTurn();
  fetcher.close();
  await reading;
  await target.idle();
  await expect(fetcher.fetch(registry("/"))).rejects.toEqual(refusal("fetch.aborted", { detail: "the fetcher is closed" }));
});

test("two hundred fetches with one signal leave no listener and no socket behind", async () => {
  const target = await site((_request, response) => response.end("x"));
  const fetcher = fetcherFor(target);
  const caller = new AbortController();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  for (let round = 0; round < 50; round += 1) {
    await Promise.all(Array.from({ length: 4 }, async () => (await fetcher.fetch(egress("/", { signal: caller.signal }))).bytes()));
  }
  await target.idle();
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});

test("the socket of a fetch that was given up during the handshake is destroyed", async () => {
  const sockets: Socket[] = [];
  const mute = createServer((socket) => void sockets.push(socket.on("error", () => undefined)));
  mute.listen(0, "127.0.0.1");
  await once(mute, "listening");
  const address = mute.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const fetcher = fetcherFor({ port: address.port }, { limits: { registry: { connectTimeoutMs: 100 } } });
  await expect(fetcher.fetch(registry("/"))).rejects.toEqual(refusal("fetch.timeout", { rule: "connect" }));
  await Promise.all(sockets.filter((socket) => !socket.closed).map((socket) => once(socket.resume(), "close")));
  mute.close();
  await once(mute, "close");
});
