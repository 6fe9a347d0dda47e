/**
 * How the community has set a module, for who may read it.
 *
 * Invariant: `undefined` says "not known to this reader", never "not set": screens then speak of the community's setting without its number.
 */
import type { ModuleName } from "@althing/contract";
import { useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";

interface SettingsSchema<S> {
  safeParse(value: unknown): { readonly success: true; readonly data: S } | { readonly success: false };
}

export function useModule<S>(module: ModuleName, schema: SettingsSchema<S>): S | undefined {
  const { community, ref, can } = useCommunity();
  const read = useRead(
    "modules.get",
    { params: { community: ref, module } },
    { enabled: community.roles !== undefined || can("plugins.read") },
  );
  const parsed = schema.safeParse(read.data?.settings);
  return parsed.success ? parsed.data : undefined;
}
