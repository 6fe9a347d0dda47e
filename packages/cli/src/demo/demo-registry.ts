/**
 * What the demonstration's community installs: a package made from a template, in a static registry on this machine.
 *
 * Invariant: the package takes an author's way (project, build, pack, sign), the registry a publisher's (a folder, a signed list, a web server); the server
 * listens on loopback alone, serves this folder's files and nothing else, and is gone with its process.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import type { Config } from "@althing/contract";
import type { Context } from "../context.ts";
import { signatureNameOf } from "../ext/bundle-file.ts";
import { buildFiles, changedManifest, openProject, packedName, packFiles } from "../ext/project.ts";
import { signPacked, type Publisher } from "../ext/publisher-keys.ts";
import { writeStaticRegistry } from "../ext/static-registry.ts";

const host = "127.0.0.1";

export interface DemoRegistry {
  /** As a community's allowlist names it. */
  readonly host: string;
  readonly url: string;
  /** The operator's exception that lets the instance fetch from it. */
  readonly privateHost: Config["private_hosts"][number];
  close(): Promise<void>;
}

/** Serves what lies in the folder when it is asked for. */
export async function serveDemoRegistry(folder: string): Promise<DemoRegistry> {
  const server = createServer((request, response) => {
    const name = (request.url ?? "").slice(1);
    void readdir(folder)
      .then((names) => (names.includes(name) ? readFile(join(folder, name)) : undefined))
      .then(
        (file) => (file === undefined ? response.writeHead(404).end() : response.writeHead(200).end(file)),
        () => response.writeHead(404).end(),
      );
  });
  server.listen(0, host);
  await new Promise<void>((resolve, reject) => server.once("listening", resolve).once("error", reject));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("the registry listens on no port");
  const { port } = address;
  return {
    host,
    url: `http://${host}:${port}/index.json`,
    privateHost: { use: "registry", scheme: "http", host, port, cidr: "127.0.0.0/8" },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** A package with a job, packed, signed and listed in the folder. @returns its name */
export async function fillDemoRegistry(context: Context, folder: string, publisher: Publisher): Promise<string> {
  const { createProject } = await import("@althing/sdk");
  const project = join(folder, "project");
  await rm(project, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await createProject({ template: "job", name: "ticker", folder: project });
  const built = await buildFiles(project);
  const { text, manifest } = await changedManifest(await openProject(project), { publisherId: publisher.publisherId });
  const packed = await packFiles(new Map([...built.files, ["manifest.json", new TextEncoder().encode(text)]]));
  const file = join(folder, packedName(manifest));
  await writeFile(file, packed.bundle);
  await writeFile(signatureNameOf(file), await signPacked(packed, manifest, publisher));
  await rm(project, { recursive: true, force: true });
  await writeStaticRegistry(context, folder, publisher, 7);
  return manifest.name;
}
