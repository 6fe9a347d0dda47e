/**
 * Installs of a community: the handlers of its routes, and what the gateway needs of them.
 *
 * Invariant: every handler asks the gate for the permission first and reads its record freshly; who is shown an install sees today's trust and policy
 * in it. docs/architecture/installs.md.
 */
import {
  AppError,
  extensionPagesSchema,
  hasCode,
  memberWith,
  type CommunityId,
  type CommunityPermission,
  type EndpointId,
  type ExtensionPages,
  type Grants,
  type Install,
  type InstallId,
  type TrustState,
} from "@althing/contract";
import { mayInstall } from "@althing/policy";
import type { PluginCaller } from "../extension-deps.ts";
import { urlRefusalError } from "../fetcher/index.ts";
import { createNameBinding } from "../registry/name-binding.ts";
import { openPackageRows } from "../registry/package-rows.ts";
import { prepareComponent } from "../registry/prepare-component.ts";
import { retryConflicts } from "@althing/store";
import type { Input, Output } from "../registry/route-input.ts";
import { createStaticRegistry, type WantedPackage } from "../registry/static-registry.ts";
import type { StagedBundle, Upload } from "../upload/index.ts";
import { admitPackage } from "./admit-package.ts";
import { changeInstall, rollBack } from "./change-install.ts";
import { createRunnables, type Runnables } from "./create-runnable.ts";
import { installEventsOf } from "./install-events.ts";
import { openInstallRows, versionsOf } from "./install-rows.ts";
import { toInstall } from "./install-view.ts";
import {
  effectiveOf,
  findInstall,
  placeOf,
  requireRevision,
  type ChangeOptions,
  type InstallsContext,
  type InstallsDeps,
} from "./installs-deps.ts";
import { eraseFromInstalls } from "./erase-person.ts";
import { createRemovals } from "./remove-install.ts";
import { createSubscribedInstalls, type SubscribedInstall } from "./subscribed-installs.ts";
import { createTodaysTrust } from "./todays-trust.ts";
import { fromOwnRegistry } from "./own-registry.ts";

export interface Installs extends Runnables {
  list(caller: PluginCaller, input: Input<"packages.list">): Promise<Output<"packages.list">>;
  get(caller: PluginCaller, input: Input<"packages.get">): Promise<Install>;
  /** For members: what runs now and has pages. @throws {community.not_found} {auth.forbidden} */
  pages(caller: PluginCaller, input: Input<"packages.pages">): Promise<Output<"packages.pages">>;
  /** Nothing of the body is read before policy allows uploads. */
  upload(caller: PluginCaller, input: Input<"packages.upload">, upload: Upload, options?: ChangeOptions): Promise<Install>;
  installRegistry(caller: PluginCaller, input: Input<"packages.installRegistry">, options?: ChangeOptions): Promise<Install>;
  change(caller: PluginCaller, input: Input<"packages.change">, options?: ChangeOptions): Promise<Install>;
  rollback(caller: PluginCaller, input: Input<"packages.rollback">, options?: ChangeOptions): Promise<Install>;
  retry(caller: PluginCaller, input: Input<"packages.retry">, options?: ChangeOptions): Promise<Install>;
  remove(caller: PluginCaller, input: Input<"packages.remove">, options?: ChangeOptions): Promise<void>;
  versions(caller: PluginCaller, input: Input<"packages.versions">): Promise<Output<"packages.versions">>;
  /** Which install it is, by its id or the extension's. @throws {install.not_found} */
  locate(
    community: CommunityId,
    install: string,
  ): Promise<{ readonly id: InstallId; readonly community: CommunityId; readonly extension: string }>;
  /** Every install of a community, with its grants and the trust that was found at the install. */
  all(
    community: CommunityId,
  ): Promise<readonly { readonly id: InstallId; readonly extension: string; readonly granted: Grants; readonly trust: TrustState }[]>;
  /** Who takes part in the community's hooks. @throws {store.unavailable} */
  subscribed(community: CommunityId): Promise<readonly SubscribedInstall[]>;
  /** Takes a person's name out of a community's packages. @throws {store.unavailable} call again */
  erase(community: CommunityId, person: EndpointId): Promise<void>;
  /** Ends removals that were broken off, and removes objects that nobody needs; at start and now and then. */
  sweep(): Promise<void>;
}

const registryScheme = "registry:";

/**
 * @example
 * const installs = createInstalls({ store, shelf, uploads, trust, runner, gate, fetcher, vault, purge: [], clock: Date, log });
 * const install = await installs.active(community, "org.example.greeter");
 * if (install !== undefined) await installs.runnable(install);
 */
export function createInstalls(deps: InstallsDeps): Installs {
  const packages = openPackageRows(deps.store);
  const { uploads, fetcher, trust, clock, checkCron, gate, shelf } = deps;
  const cron = checkCron === undefined ? {} : { checkCron };
  const context: InstallsContext = {
    ...deps,
    packages,
    rows: openInstallRows(deps.store),
    binding: createNameBinding(packages.names, clock),
    today: createTodaysTrust({ trust, shelf, clock }),
    registries: createStaticRegistry({ pins: packages.pins, uploads, fetcher, trust, clock, ...cron }),
  };
  const { rows } = context;
  const removals = createRemovals(context);
  const runnables = createRunnables(context);

  async function enter(caller: PluginCaller, ref: string, permission: CommunityPermission): Promise<CommunityId> {
    const community = await gate.resolve(caller, ref);
    await gate.authorize(caller, community, permission);
    return community;
  }

  async function show(community: CommunityId, install: string): Promise<Install> {
    const [found, policy] = await Promise.all([findInstall(context, community, install), gate.policy(community)]);
    return toInstall(context, found, effectiveOf(policy));
  }

  /** Stages, admits, and leaves no file behind whatever happens. */
  async function admit(
    caller: PluginCaller,
    community: CommunityId,
    source: Install["source"],
    options: ChangeOptions,
    stage: () => Promise<StagedBundle>,
  ): Promise<Install> {
    const staged = await stage();
    try {
      const extension = await admitPackage(context, removals, { caller, community, staged, source, options });
      context.log("info", "install.admitted", { community, extension, contentHash: staged.contentHash, by: caller.endpoint });
      return await show(community, extension);
    } finally {
      await staged.dispose();
    }
  }

  /** @throws {policy.registry_forbidden} {policy.host_not_allowed} {fetch.url_forbidden} */
  async function requireRegistry(community: CommunityId, url: string): Promise<readonly string[]> {
    const effective = effectiveOf(await gate.policy(community));
    const isOwn = url.startsWith(registryScheme);
    const check = isOwn ? undefined : fetcher.checkUrl("registry", url);
    const refusal = mayInstall(effective, { kind: "registry", host: check?.ok === true ? check.target.host : "" });
    // No host is asked for a package of the own registry.
    const isRefused =
      refusal !== undefined &&
      (refusal.code === "policy.registry_forbidden" || (check?.ok === true && refusal.code === "policy.host_not_allowed"));
    if (isRefused) throw new AppError(refusal.code, refusal.params);
    if (check?.ok === false) throw urlRefusalError(check.refusal, "registry", 0);
    return effective.values.registryAllowlist;
  }

  /** A redirect leads to another host, which the policy is asked about as well. */
  async function fetchFrom(community: CommunityId, wanted: WantedPackage): Promise<StagedBundle> {
    try {
      return await context.registries.fetch(wanted);
    } catch (error) {
      if (!hasCode(error, "fetch.host_not_allowed")) throw error;
      const host = String(error.params["observed"] ?? "");
      const refusal = mayInstall(effectiveOf(await gate.policy(community)), { kind: "registry", host });
      throw refusal === undefined ? error : new AppError(refusal.code, refusal.params, { cause: error });
    }
  }

  return {
    ...runnables,
    erase: (community, person) => eraseFromInstalls(rows, community, person),
    subscribed: createSubscribedInstalls(context),
    async list(caller, { community: ref, after = "", limit }) {
      const community = await enter(caller, ref, "plugins.read");
      const effective = effectiveOf(await gate.policy(community));
      const { records } = await rows.installs.list({ prefix: [community], limit: 1_000 });
      const found = records.filter(({ value }) => value.id > after).toSorted((a, b) => (a.value.id < b.value.id ? -1 : 1));
      const page = found.slice(0, limit);
      const shown = await Promise.all(page.map(({ value, revision }) => toInstall(context, { row: value, revision }, effective)));
      const last = page.at(-1);
      return { packages: shown, ...(found.length > page.length && last !== undefined ? { next: last.value.id } : {}) };
    },
    async get(caller, { community: ref, install }) {
      return show(await enter(caller, ref, "plugins.read"), install);
    },
    async pages(caller, { community: ref }) {
      const community = await gate.resolve(caller, ref);
      if ((await gate.permissionsOf(caller, community)) === undefined)
        throw new AppError("auth.forbidden", { permission: "membership of this community", who: memberWith("members.invite") });
      const effective = effectiveOf(await gate.policy(community));
      const { records } = await rows.installs.list({ prefix: [community], limit: 1_000 });
      const extensions: ExtensionPages[] = [];
      for (const { value, revision } of records) {
        const { id, extension, displayName, version, uiUrl, state, blocked, manifest } = await toInstall(
          context,
          { row: value, revision },
          effective,
        );
        const { ui, endpoints } = extensionPagesSchema.shape.manifest.partial().parse(manifest);
        if (state !== "active" || blocked !== undefined || uiUrl === undefined || ui === undefined) continue;
        extensions.push({ id, extension, displayName, version, uiUrl, manifest: { ui, endpoints: endpoints ?? [] } });
      }
      return { extensions };
    },
    async upload(caller, { community: ref }, upload, options = {}) {
      const community = await enter(caller, ref, "plugins.packages.manage");
      const refusal = mayInstall(effectiveOf(await gate.policy(community)), { kind: "upload" });
      if (refusal !== undefined) throw new AppError(refusal.code, refusal.params);
      return admit(caller, community, { kind: "upload" }, options, () => uploads.receive(upload));
    },
    async installRegistry(caller, { community: ref, url, name, version }, options = {}) {
      const community = await enter(caller, ref, "plugins.packages.manage");
      const allowlist = await requireRegistry(community, url);
      const source = { kind: "registry" as const, url };
      if (!url.startsWith(registryScheme))
        return admit(caller, community, source, options, () => fetchFrom(community, { url, name, version, allowlist }));
      const wanted = { name: name ?? url.slice(registryScheme.length), version };
      return admit(caller, community, source, options, () => fromOwnRegistry(packages, shelf, wanted));
    },
    async change(caller, input, options = {}) {
      const extension = await changeInstall(context, runnables.bundle, caller, input, options);
      return show(await gate.resolve(caller, input.community), extension);
    },
    async rollback(caller, input, options = {}) {
      const extension = await rollBack(context, caller, input, options);
      return show(await gate.resolve(caller, input.community), extension);
    },
    async retry(caller, { community: ref, install }, { ifMatch } = {}) {
      const community = await enter(caller, ref, "plugins.packages.manage");
      await retryConflicts("the package", async () => {
        const { row, revision } = await findInstall(context, community, install);
        requireRevision(ifMatch, revision);
        if (row.quarantine === undefined) return;
        const { contentHash } = row.current;
        await shelf.tar(contentHash);
        const { componentSha256 } = await shelf.open(contentHash);
        await prepareComponent(deps.runner, row.extension, { contentHash, componentSha256 });
        const { quarantine: _lifted, ...rest } = row;
        const events = installEventsOf({ before: row, after: rest, by: caller.endpoint });
        await context.commit(community, [rows.installs.toPut(placeOf(row), rest, revision)], events);
        deps.log("info", "install.retried", { community, extension: row.extension, by: caller.endpoint });
      });
      return show(community, install);
    },
    async remove(caller, { community: ref, install, data }, options = {}) {
      const community = await enter(caller, ref, "plugins.packages.manage");
      const { extension } = await removals.remove(community, install, data, { ...options, by: caller.endpoint });
      deps.log("info", "install.removed", { community, extension, data, by: caller.endpoint });
    },
    async versions(caller, { community: ref, install }) {
      const community = await enter(caller, ref, "plugins.read");
      const { row } = await findInstall(context, community, install);
      const all = await versionsOf(rows, community, row.extension);
      const newest = all.toSorted((a, b) => (a.arrival.at < b.arrival.at ? 1 : -1));
      return {
        versions: newest.map(({ arrival, granted }) => {
          const isCurrent = arrival.contentHash === row.current.contentHash;
          const { version, contentHash, at: installedAt, by: installedBy, trust: state } = arrival;
          return { version, contentHash, installedAt, installedBy, trust: state, granted: isCurrent ? row.granted : granted };
        }),
      };
    },
    async locate(community, install) {
      const { row } = await findInstall(context, community, install);
      return { id: row.id, community, extension: row.extension };
    },
    async all(community) {
      const { records } = await rows.installs.list({ prefix: [community], limit: 1_000 });
      return records.map(({ value: { id, extension, granted, current } }) => ({ id, extension, granted, trust: current.trust }));
    },
    async sweep() {
      await removals.sweep();
      await shelf.sweep();
    },
  };
}
