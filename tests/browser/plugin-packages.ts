/**
 * Packages for the screens of plugins: built with the author's kit, packed and signed as any package, and a registry to fetch them from.
 *
 * Invariant: nothing here gets around a check: who is trusted, what is declared and what was signed is what the product's own writers make of it.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import type { AlthingClient } from "@althing/client";
import type { Grants, Install } from "@althing/contract";
import { signRegistryIndex } from "@althing/extension/registry-index";
import { newPublisherKey, type PublisherKey } from "@althing/extension/trust";
import { buildTypeScript } from "@althing/sdk";
import { makePackage, type MadePackage, type PackageToMake } from "../../packages/extension/test/make-package.ts";

let component: Promise<Uint8Array> | undefined;

/** One component for all of them. */
function guest(): Promise<Uint8Array> {
  component ??= buildTypeScript({ entry: join(import.meta.dirname, "plugin-guest.ts") }).then((built) => built.component);
  return component;
}

export const greeterId = "org.example.greeter";

const greeterEndpoints = [
  { method: "GET", path: "/greet" },
  { method: "GET", path: "/fail" },
] as const;
const greeting = {
  type: "string",
  title: "Greeting",
  description: "The word before the name.",
  default: "Hello",
  minLength: 1,
  maxLength: 10,
} as const;

/** Asks for nothing but to answer. */
export const greeter: PackageToMake = {
  name: greeterId,
  displayName: "Greeter",
  description: "Greets members, in words that the community chooses.",
  license: "Apache-2.0",
  homepage: "https://example.org/greeter",
  capabilities: [{ name: "storage.kv", reason: "To remember whom it greeted." }],
  endpoints: [...greeterEndpoints],
  settings: { type: "object", properties: { greeting } },
};

/** The next version asks for more. */
export const greeterNext: PackageToMake = {
  ...greeter,
  version: "1.1.0",
  capabilities: [...(greeter.capabilities ?? []), { name: "http.fetch", reason: "To look up how people greet elsewhere." }],
  egress: [{ host: "greetings.example.org", reason: "It knows greetings of many languages." }],
  endpoints: [...greeterEndpoints, { method: "GET", path: "/reach/:host" }],
  settings: { type: "object", properties: { greeting, loud: { type: "boolean", title: "Loud", default: false } } },
  limits: { timeMs: 900 },
};

/** Asks for one of everything that people decide about. */
export const everything: PackageToMake = {
  name: "org.example.everything",
  displayName: "Everything",
  description: "Asks for one of everything.",
  stage: "experimental",
  capabilities: [
    { name: "http.fetch", reason: "To ask other servers." },
    { name: "members.read", reason: "To know whom to greet." },
    { name: "secrets.get", reason: "To sign in there." },
  ],
  egress: [
    { host: "allowed.example.org", reason: "It is asked first." },
    { host: "refused.example.net", reason: "It is asked second." },
  ],
  endpoints: [
    { method: "GET", path: "/greet" },
    { method: "GET", path: "/fail" },
    { method: "GET", path: "/reach/:host" },
    { method: "GET", path: "/open", public: true },
  ],
  events: ["member.*"],
  filters: [{ point: "comment.before_create", mode: "fail_closed" }],
  jobs: [{ name: "tick", schedule: { cron: "0 9 * * 1", timeZone: "Asia/Tokyo" } }],
  settings: {
    type: "object",
    properties: {
      words: { type: "array", title: "Words", items: { type: "string", minLength: 2 }, default: [], maxItems: 3 },
      mode: { type: "string", title: "Mode", enum: ["calm", "loud"], default: "calm" },
      most: { type: "integer", title: "At most", minimum: 1, maximum: 9, default: 3 },
      note: { type: "string", title: "Note", maxLength: 2_000, default: "" },
      API_KEY: { type: "string", title: "Key of the service", secret: true },
    },
  },
  limits: { fuel: 20_000_000, timeMs: 1_000 },
};

export interface Publisher {
  readonly key: PublisherKey;
  pack(wanted: PackageToMake): Promise<MadePackage>;
  /** Uploads and consents, as `client`'s person. @returns as it is then */
  install(client: AlthingClient, upload: Upload, community: string, wanted: PackageToMake, grant?: Partial<Grants>): Promise<Install>;
}

type Upload = (community: string, files: { readonly bundle: Uint8Array<ArrayBuffer>; readonly signature: string }) => Promise<Install>;

export function newPublisher(): Publisher {
  const key = newPublisherKey();
  const pack = async (wanted: PackageToMake) => makePackage({ signer: key, component: await guest(), ...wanted });
  return {
    key,
    pack,
    async install(client, upload, community, wanted, grant) {
      const { bundle, signature, contentHash } = await pack(wanted);
      const { id } = await upload(community, { bundle: new Uint8Array(bundle), signature });
      const consent = { contentHash, ...(grant === undefined ? {} : { grant }) };
      return client.call("packages.change", { params: { community, install: id }, body: { consent, active: true } });
    },
  };
}

/** Writes bundle and signature as a person has them on a device. */
export async function writePackage(folder: string, made: MadePackage): Promise<{ readonly bundle: string; readonly signature: string }> {
  await mkdir(folder, { recursive: true });
  const bundle = join(folder, `${made.name}-${made.version}.althing`);
  const signature = `${bundle}.sig.json`;
  await writeFile(bundle, made.bundle);
  await writeFile(signature, made.signature);
  return { bundle, signature };
}

export interface StaticRegistry {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  offer(packages: readonly MadePackage[], signer: PublisherKey): void;
  close(): Promise<void>;
}

/** A registry on any web server; this one is on this machine, so the operator has to make an exception for it. */
export async function startStaticRegistry(): Promise<StaticRegistry> {
  const files = new Map<string, Uint8Array | string>();
  // An index never comes twice under one number with another content.
  let version = 0;
  const server = createServer((request, response) => {
    const file = files.get((request.url ?? "").slice(1));
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    host: "127.0.0.1",
    port,
    url: `http://127.0.0.1:${port}/index.json`,
    offer(packages, signer) {
      files.clear();
      for (const made of packages) {
        files.set(`${made.name}-${made.version}.althing`, made.bundle);
        files.set(`${made.name}-${made.version}.sig.json`, made.signature);
      }
      version += 1;
      const entries = packages.map((made) => ({
        ...{ name: made.name, version: made.version, contentHash: made.contentHash, bytes: made.bundle.length },
        path: `${made.name}-${made.version}.althing`,
        signature: `${made.name}-${made.version}.sig.json`,
      }));
      files.set("index.json", signRegistryIndex({ version, expires: "2099-01-01T00:00:00Z", packages: entries }, signer));
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Lines of `althing.toml` that let the instance fetch from it. */
export function registryException({ host, port }: StaticRegistry): string {
  return `[[private_hosts]]\nuse = "registry"\nscheme = "http"\nhost = "${host}"\nport = ${port}\ncidr = "127.0.0.0/8"\n`;
}
