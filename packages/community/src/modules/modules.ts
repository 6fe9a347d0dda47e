/**
 * Which built-in modules a community has, and how they are set.
 *
 * Invariant: enabled and settings are read at every use, so a switch holds for the next request; settings are complete when they are handed out.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  faultsOf,
  moduleNames,
  modulesAtFounding,
  moduleSettings,
  type CommunityId,
  type ModuleName,
  type ModuleSettings,
  type ModuleState,
} from "@althing/contract";
import type { Store, Write } from "@althing/store";
import { z } from "zod";
import { withGuards, type Authority } from "../authority.ts";
import type { EventLog } from "../events/index.ts";

export interface Modules {
  /** Settings of an enabled module. @throws {module.disabled} */
  settings<M extends ModuleName>(community: CommunityId, module: M): Promise<ModuleSettings<M>>;
  /** As `settings`; `undefined` for a module that is off. */
  settingsIfEnabled<M extends ModuleName>(community: CommunityId, module: M): Promise<ModuleSettings<M> | undefined>;
  /** What a module writes with a change of its own state; set while the plane is built. */
  onChange<M extends ModuleName>(
    module: M,
    writes: (community: CommunityId, state: { readonly enabled: boolean; readonly settings: ModuleSettings<M> }) => readonly Write[],
  ): void;
  /** Of a community that ends. */
  purge(community: CommunityId): Promise<void>;
  /** For members: how their community is set is no secret; and for who reads plugins. @throws {community.not_found} {auth.forbidden} */
  list(caller: Caller, input: { readonly community: string }): Promise<{ modules: ModuleState[] }>;
  /** @throws {community.not_found} {auth.forbidden} */
  get(caller: Caller, input: { readonly community: string; readonly module: ModuleName }): Promise<ModuleState>;
  /** @throws {auth.forbidden} {module.settings_invalid} {request.precondition_failed} */
  change(
    caller: Caller,
    input: {
      readonly community: string;
      readonly module: ModuleName;
      readonly enabled?: boolean | undefined;
      readonly settings?: Readonly<Record<string, unknown>> | undefined;
    },
    condition?: { readonly ifMatch?: number },
  ): Promise<ModuleState>;
}

export interface ModulesDeps {
  readonly store: Store;
  readonly authority: Authority;
  readonly events: EventLog;
}

export function createModules({ store, authority, events }: ModulesDeps): Modules {
  /** `community-modules/<community>/<module>`; without a record it is as at founding. */
  const rows = store.collection({
    name: "community-modules",
    schema: z.strictObject({ enabled: z.boolean(), settings: z.record(z.string(), z.unknown()) }),
  });

  async function read(community: CommunityId, module: ModuleName): Promise<ModuleState> {
    const row = await rows.get([community, module]);
    const enabled = row?.value.enabled ?? modulesAtFounding.includes(module);
    return { module, enabled, settings: moduleSettings[module].parse(row?.value.settings ?? {}), revision: row?.revision ?? 0 };
  }

  function checked(module: ModuleName, settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const parsed = moduleSettings[module].safeParse(settings);
    if (parsed.success) return parsed.data;
    const faults = faultsOf(parsed.error);
    const detail = faults.map(({ path, message }) => `${path}: ${message}`).join("; ");
    throw new AppError("module.settings_invalid", { module, detail: detail.slice(0, 500) }, { faults });
  }

  async function settingsIfEnabled<M extends ModuleName>(community: CommunityId, module: M) {
    const state = await read(community, module);
    return state.enabled ? (state.settings as ModuleSettings<M>) : undefined;
  }

  /** @throws {community.not_found} {auth.forbidden} */
  async function readableBy(caller: Caller, community: string): Promise<CommunityId> {
    const standing = await authority.standing(caller, community);
    const { value } =
      standing.member === undefined ? (await authority.require(caller, community, "plugins.read")).community : standing.community;
    return value.id;
  }

  type OnChange = (community: CommunityId, state: { readonly enabled: boolean; readonly settings: never }) => readonly Write[];
  const changed = new Map<ModuleName, OnChange>();

  return {
    settingsIfEnabled,
    purge: async (community) => void (await store.batch(moduleNames.map((module) => rows.toDelete([community, module])))),
    onChange: (module, writes) => void changed.set(module, writes),
    async settings<M extends ModuleName>(community: CommunityId, module: M) {
      const settings = await settingsIfEnabled(community, module);
      if (settings === undefined) throw new AppError("module.disabled", { module });
      return settings;
    },
    async list(caller, { community }) {
      const id = await readableBy(caller, community);
      return { modules: await Promise.all(moduleNames.map((module) => read(id, module))) };
    },
    async get(caller, { community, module }) {
      return read(await readableBy(caller, community), module);
    },
    async change(caller, { community, module, enabled, settings }, { ifMatch } = {}) {
      const { id } = (await authority.require(caller, community, "plugins.settings.manage")).community.value;
      await events.act(id, async () => {
        const standing = await authority.require(caller, id, "plugins.settings.manage");
        const before = await read(id, module);
        if (ifMatch !== undefined && ifMatch !== before.revision)
          throw new AppError("request.precondition_failed", { expected: ifMatch, observed: before.revision });
        const next = {
          enabled: enabled ?? before.enabled,
          settings: settings === undefined ? before.settings : checked(module, settings),
        };
        const more = changed.get(module)?.(id, next as never) ?? [];
        return {
          writes: withGuards(standing, [rows.toPut([id, module], next, before.revision), ...more]),
          events: [
            {
              topic: "module.changed",
              actor: { kind: "member", endpoint: caller.endpoint },
              subject: `module/${module}`,
              summary: `The module ${module} was changed`,
              data: { module, enabled: next.enabled },
            },
          ],
          result: undefined,
        };
      });
      return read(id, module);
    },
  };
}
