/**
 * An instance for the screens of plugins: people with and without the rights, a publisher whom it trusts, a registry it may fetch from.
 *
 * Invariant: ada is an admin of each community and mo a moderator, whose role holds every permission on plugins as it is born; max is a moderator by a role
 * that holds none of them but to look, and bob a plain member.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createPackagesClient, type PackagesClient } from "@althing/client";
import { tempDir, type TempDir } from "@althing/testkit";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import type { WatchedPage } from "./chromium.ts";
import type { PackageToMake } from "../../packages/extension/test/make-package.ts";
import { newPublisher, registryException, startStaticRegistry, type Publisher, type StaticRegistry } from "./plugin-packages.ts";
import { startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

export interface PluginWorld {
  readonly web: WebWorld;
  readonly registry: StaticRegistry;
  /** The instance trusts it. */
  readonly publisher: Publisher;
  readonly dir: TempDir;
  readonly people: Readonly<Record<"ada" | "mo" | "max" | "bob", WebPerson>>;
  /** Speaks for ada. */
  readonly packages: PackagesClient;
  /** A community that alice founded, with all of them in it. */
  found(name: string): Promise<string>;
  upload: PackagesClient["upload"];
  /** In the registry of the instance, as its admin. */
  publish(wanted: PackageToMake): Promise<void>;
  close(): Promise<void>;
}

export async function openPluginWorld(): Promise<PluginWorld> {
  const [dir, registry] = await Promise.all([tempDir(), startStaticRegistry()]);
  const data = join(dir.path, "data");
  await mkdir(data, { mode: 0o700 });
  await writeFile(join(data, "althing.toml"), registryException(registry), { mode: 0o600 });
  const web = await startWebWorld({ data });
  const publisher = newPublisher();
  await web.admin.client.call("trust.add", { body: { pem: publisher.key.publicKeyPem } });
  const people = { ada: await web.person("ada"), mo: await web.person("mo"), max: await web.person("max"), bob: await web.person("bob") };
  const packages = createPackagesClient({ identity: people.ada.identity, urls: [web.instance.url] });
  return {
    ...{ web, registry, publisher, dir, people, packages },
    async found(name) {
      await web.community(name, web.admin, [
        { who: people.ada, roles: ["admin"] },
        { who: people.mo, roles: ["moderator", "member"] },
        { who: people.bob },
      ]);
      const permissions = ["moderation.act", "plugins.read", "events.read"];
      await web.admin.client.call("roles.create", { params: { community: name }, body: { role: "warden", permissions } });
      await web.admin.client.call("communities.addMember", { params: { community: name }, body: { identity: "max", roles: ["warden"] } });
      return name;
    },
    upload: (community, files) => packages.upload(community, files),
    async publish(wanted) {
      const { bundle, signature } = await publisher.pack(wanted);
      const own = createPackagesClient({ identity: web.admin.identity, urls: [web.instance.url] });
      await own.publish({ bundle: new Uint8Array(bundle), signature });
      await own.close();
    },
    async close() {
      await packages.close();
      await web[Symbol.asyncDispose]();
      await registry.close();
      await dir.remove();
    },
  };
}

/** Refusals that a test provokes are in the console as failed requests, and nothing else is. */
export async function endClean(watched: WatchedPage): Promise<void> {
  expect(watched.faults.filter((fault) => !/status of 4\d\d/.test(fault))).toEqual([]);
  await watched.close();
}

/** The whole refusal: rule, what was seen, who can change it, what to do next, the request. */
export async function expectWholeRefusal(page: Page, ...texts: readonly (string | RegExp)[]): Promise<void> {
  const refusal = page.getByRole("alert").filter({ hasText: "What to do next" }).first();
  await refusal.waitFor();
  const told = await refusal.innerText();
  for (const text of texts) expect(told).toMatch(text);
  expect(told).toMatch(/Code\s+[a-z_]+\.[a-z_]+/);
  expect(told).toMatch(/Request\s+[0-9A-HJKMNP-TV-Z]{26}/);
}

export const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name, exact: typeof name === "string" });
