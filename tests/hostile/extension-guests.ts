/**
 * The hostile extensions as components, compiled with the author's own kit, and how they are packed.
 *
 * Invariant: what attacks is made as any package is; nothing is left out that a real author would have to get past.
 */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { buildAssemblyScript, buildTypeScript } from "@althing/sdk";
import { tempDir } from "@althing/testkit";
import type { PackageToMake } from "../../packages/extension/test/make-package.ts";

const folder = join(import.meta.dirname, "guests");
type Method = "GET" | "POST" | "PUT";
type Endpoint = NonNullable<PackageToMake["endpoints"]>[number];

const rawPaths: readonly (readonly [Method, string])[] = [
  ["GET", "/ok"],
  ["GET", "/pair/:first/:second"],
  ["POST", "/echo"],
  ["GET", "/seen"],
  ["GET", "/loop"],
  ["GET", "/recurse"],
  ["GET", "/grow"],
  ["GET", "/hoard"],
  ["GET", "/fill"],
  ["GET", "/trap"],
  ["GET", "/abort"],
  ["GET", "/storm/:n"],
  ["GET", "/logs/:n/:bytes"],
  ["GET", "/labels/:n"],
  ["GET", "/big/:n"],
  ["GET", "/html"],
  ["GET", "/cookie"],
  ["GET", "/split"],
  ["GET", "/status/:code"],
  ["GET", "/denied"],
  ["GET", "/secret/:name"],
  ["GET", "/kv/:key"],
  ["PUT", "/kv/:key"],
  ["GET", "/keys"],
  ["POST", "/count"],
  ["GET", "/fetch"],
];
const typescriptPaths: readonly (readonly [Method, string])[] = (
  [
    "/ok",
    "/loop",
    "/swallow",
    "/recurse",
    "/hoard",
    "/backtrack",
    "/throw",
    "/denied",
    "/storm/:n",
    "/logs/:n/:bytes",
    "/labels/:n",
    "/big/:n",
  ] as const
).map((path) => ["GET", path]);

/** Of the one in AssemblyScript. */
export const menaceEndpoints: readonly Endpoint[] = [
  ...rawPaths.map(([method, path]) => ({ method, path })),
  { method: "GET", path: "/open", public: true },
  { method: "GET", path: "/guarded", permission: "members.manage" },
];
export const menaceTypeScriptEndpoints: readonly Endpoint[] = typescriptPaths.map(([method, path]) => ({ method, path }));

export const menaceId = "org.example.menace";
/** The host that it asks to reach. */
export const menaceHost = "silent.example.org";

/** A component of guests/menace.as. */
export async function buildMenace(): Promise<Uint8Array> {
  await using dir = await tempDir();
  const entry = join(dir.path, "index.ts");
  await cp(join(folder, "menace.as"), entry);
  return (await buildAssemblyScript({ entry })).component;
}

/** A component of guests/extension-menace.ts. */
export async function buildMenaceInTypeScript(): Promise<Uint8Array> {
  return (await buildTypeScript({ entry: join(folder, "extension-menace.ts") })).component;
}

const reason = "It says so.";

/** Everything but the component and the signer. */
export function menaceManifest(changes: Partial<PackageToMake> = {}): PackageToMake {
  return {
    name: menaceId,
    capabilities: (["storage.kv", "secrets.get", "metrics", "http.fetch"] as const).map((name) => ({ name, reason })),
    egress: [{ host: menaceHost, reason }],
    endpoints: [...menaceEndpoints],
    ...changes,
  };
}
