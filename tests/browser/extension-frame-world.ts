/**
 * An instance with a community in which the poll sample and a hostile extension are installed, and browsers of its members.
 *
 * Invariant: built, packed, signed, uploaded and consented to as any package; pages are the shipped ones, so nothing here makes an attack easier or
 * harder than it is.
 */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import {
  claimInstance,
  createPackagesClient,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  type PackagesClient,
} from "@althing/client";
import type { Install } from "@althing/contract";
import { bundleFile, packBundle } from "@althing/extension/bundle";
import { newPublisherKey, signBundle, type PublisherKey } from "@althing/extension/trust";
import { buildProject } from "@althing/sdk";
import { repositoryRoot, startInstance, tempDir, type TestInstance } from "@althing/testkit";
import type { Browser, BrowserContextOptions, Frame, Page } from "playwright-core";
import { openWatchedPage, startChromium, type WatchedPage } from "./chromium.ts";
import { atHeading } from "./page-walk.ts";
import { keepIdentity } from "./web-world.ts";

export const pollId = "org.althing.poll";
export const hostileId = "org.example.hostile";
/** The one host that the hostile extension's page was granted. */
export const grantedHost = "granted.example.org";

export interface FrameWorld {
  readonly instance: TestInstance;
  readonly browser: Browser;
  readonly admin: PackagesClient;
  readonly installs: Readonly<Record<"poll" | "hostile", Install>>;
  /** Recovery phrases: alice owns the garden, bob and dora are in it, mallory is not. */
  readonly phrases: Readonly<Record<"alice" | "bob" | "dora" | "mallory", string>>;
  /** Somebody else's web server: what reached it, and what it serves. */
  readonly foreign: ForeignServer;
  close(): Promise<void>;
}

export interface ForeignServer {
  readonly url: string;
  readonly hits: string[];
  readonly pages: Map<string, string>;
  close(): Promise<void>;
}

const hostileManifest = {
  manifestVersion: 2,
  name: hostileId,
  version: "1.0.0",
  displayName: "Hostile",
  engine: "^1.0.0",
  capabilities: [{ name: "http.fetch", reason: "To reach one host." }],
  egress: [{ host: grantedHost, reason: "Its page asks it." }],
  endpoints: [
    { method: "GET", path: "/echo" },
    { method: "POST", path: "/echo" },
    { method: "GET", path: "/items/:id" },
  ],
  ui: {
    entry: "ui/index.html",
    nav: [
      { label: "Start", path: "/start" },
      { label: "Second", path: "/second" },
      { label: "Owners", path: "/owners", permission: "members.manage" },
      { label: "Silent", path: "/silent" },
    ],
    csp: { connect: [grantedHost] },
  },
};
const hostileDocument = `<!doctype html>
<html lang="en"><head><meta charset="utf-8" /><title>Hostile</title><script type="module" src="./page.js"></script></head>
<body><main><h1>A page</h1></main></body></html>
`;

async function makeHostileProject(folder: string): Promise<string> {
  await mkdir(join(folder, "src"), { recursive: true });
  await mkdir(join(folder, "ui"));
  await cp(join(import.meta.dirname, "extension-frame-hostile-guest.ts"), join(folder, "src/index.ts"));
  await cp(join(import.meta.dirname, "extension-frame-hostile-page.ts"), join(folder, "ui/page.ts"));
  await writeFile(join(folder, "ui/index.html"), hostileDocument);
  await writeFile(join(folder, "manifest.json"), JSON.stringify({ ...hostileManifest, publisher: { id: "x", name: "Example" } }));
  return folder;
}

/** Builds a project, signs it with a key that the instance trusts from now on, uploads it, consents and switches it on. A name keeps its key. */
export async function installProject(
  admin: PackagesClient,
  community: string,
  folder: string,
  key: PublisherKey = newPublisherKey(),
): Promise<Install> {
  const { files } = await buildProject({ folder });
  const written = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as { name: string; version: string };
  const manifest = { ...written, publisher: { id: key.publisherId, name: "Example" } };
  const packed = new Map(files).set("manifest.json", new TextEncoder().encode(JSON.stringify(manifest)));
  const { bundle, contentHash } = await packBundle([...packed].map(([path, bytes]) => bundleFile(path, bytes)));
  const signature = signBundle({ contentHash, name: written.name, version: written.version, publisher: key.publisherId }, key);
  await admin.call("trust.add", { body: { pem: key.publicKeyPem } });
  const { id } = await admin.upload(community, { bundle: new Uint8Array(bundle), signature });
  return admin.call("packages.change", { params: { community, install: id }, body: { consent: { contentHash }, active: true } });
}

export async function startForeignServer(): Promise<ForeignServer> {
  const hits: string[] = [];
  const pages = new Map<string, string>();
  const server: Server = createServer((request, response) => {
    const path = request.url ?? "";
    const page = pages.get(path);
    if (page === undefined) hits.push(`${request.method} ${path}`);
    response.writeHead(page === undefined ? 204 : 200, { "content-type": "text/html", "access-control-allow-origin": "*" }).end(page ?? "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const close = () => new Promise<void>((resolve) => void (server.closeAllConnections(), server.close(() => resolve())));
  return { url: `http://127.0.0.1:${port}`, hits, pages, close };
}

export async function openFrameWorld(): Promise<FrameWorld> {
  const [instance, browser, foreign, dir] = await Promise.all([startInstance(), startChromium(), startForeignServer(), tempDir()]);
  const { url } = instance;
  const phrases = { alice: newRecoveryPhrase(), bob: newRecoveryPhrase(), dora: newRecoveryPhrase(), mallory: newRecoveryPhrase() };
  const identity = await identityFromPhrase(phrases.alice);
  await claimInstance({ url, token: /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "", handle: "alice", identity });
  const admin = createPackagesClient({ identity, urls: [url] });
  const { id: community } = await admin.call("communities.create", { body: { name: "garden", displayName: "The garden" } });
  for (const handle of ["bob", "dora", "mallory"] as const) {
    const { token } = await admin.call("invitations.create", { body: {} });
    await joinInstance({ url, token, handle, identity: await identityFromPhrase(phrases[handle]) });
    if (handle === "mallory") continue;
    await admin.call("communities.addMember", { params: { community }, body: { identity: handle, roles: ["member"] } });
  }
  const outboundHttp = { enabled: true, allowlist: [grantedHost] };
  await admin.call("policy.put", { params: { community }, body: { outboundHttp } });
  const poll = await installProject(admin, community, join(repositoryRoot, "extensions/poll"));
  const hostile = await installProject(admin, community, await makeHostileProject(join(dir.path, "hostile")));
  const close = async () => {
    await browser.close();
    await admin.close();
    await instance.stop();
    await foreign.close();
    await dir.remove();
  };
  return { instance, browser, admin, installs: { poll, hostile }, phrases, foreign, close };
}

/** A browser of its own that keeps this identity. */
export async function openAs({ instance, browser }: FrameWorld, phrase: string, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const watched = await openWatchedPage(browser, options);
  await keepIdentity(watched, instance.url, phrase);
  return watched;
}

export async function gotoExtension({ instance }: FrameWorld, page: Page, extension: string, path = ""): Promise<void> {
  await page.goto(`${instance.url}/c/garden/x/${extension}${path}`);
  await atHeading(page, extension === pollId ? "Poll" : "Hostile");
}

/** What went wrong on a page, but for the one origin of an instance on loopback that no source list can name. */
export function faultsOf(...watched: readonly WatchedPage[]): string[] {
  return watched.flatMap(({ faults }) => faults.filter((fault) => !/^console: .*'frame-ancestors' does not support .*\[::1\]/.test(fault)));
}

/** The extension's document, once it has answered the host. */
export async function frameOf(page: Page): Promise<Frame> {
  await page.locator(".frame-status:empty").waitFor({ state: "attached" });
  const handle = await page.locator("iframe.extension-frame").elementHandle();
  const frame = await handle?.contentFrame();
  if (frame === null || frame === undefined) throw new Error("there is no frame");
  return frame;
}
