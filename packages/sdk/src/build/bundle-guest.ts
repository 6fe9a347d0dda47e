/**
 * One JavaScript module of the author's entry, what it imports, and the guest runtime.
 *
 * Invariant: what is left to import are the world's interfaces and nothing else. Globals are installed before any module of the author runs; those that
 * are large (URL) are put in only where they are used.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleModule } from "./bundle-module.ts";
import type { BundleMap } from "./source-positions.ts";

const guest = (file: string) => fileURLToPath(new URL(`../guest/${file}`, import.meta.url));

const interfaces = ["log", "http", "kv", "secrets", "metrics", "events", "rooms", "members", "proposals", "schedule"];
const entryId = "\0althing-component";

/** What authors may import of this package (nothing of the toolchain belongs into a component), and what stands in for a library's tables. */
const faces: Readonly<Record<string, string>> = { "@althing/sdk/guest": guest("index.ts"), tr46: guest("ascii-domains.ts") };

function entryModule(authorEntry: string): string {
  const from = (path: string) => JSON.stringify(path);
  return [
    `import { beginInvocation } from ${from(guest("install-globals.ts"))};`,
    ...interfaces.map((name) => `import * as ${name} from "althing:extension/${name}@1.0.0";`),
    `import { connectHost } from ${from(guest("host-port.ts"))};`,
    `import { invoke } from ${from(guest("invoke.ts"))};`,
    `import { extension } from ${from(authorEntry)};`,
    `const host = { ${interfaces.join(", ")} };`,
    "export function handle(context, call) {",
    "  connectHost(host);",
    "  beginInvocation(context);",
    "  return invoke(extension, context, call);",
    "}",
  ].join("\n");
}

export interface GuestBundle {
  readonly code: string;
  readonly map: BundleMap;
}

/**
 * @param entry absolute path of the module that exports `extension`
 * @param folder of the project; paths in faults are relative to it
 * @throws {SdkError} `build.failed` with file, line and column of each fault
 */
export async function bundleGuest(entry: string, folder: string): Promise<GuestBundle> {
  const { code, sourceMap } = await bundleModule({
    input: entryId,
    entry,
    folder,
    faces,
    virtual: { [entryId]: entryModule(entry) },
    isExternal: (id) => id.startsWith("althing:extension/"),
    inject: { URL: [guest("url.ts"), "URL"], URLSearchParams: [guest("url.ts"), "URLSearchParams"] },
    what: "extension",
  });
  return { code, map: { json: sourceMap, base: join(folder, "dist") } };
}
