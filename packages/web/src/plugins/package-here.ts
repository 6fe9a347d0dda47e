/** The package whose pages are shown, and what the reader may do with it. */
import type { EffectivePolicy, Install } from "@althing/contract";
import type { ManifestView } from "./manifest-view.ts";

export interface PackageHere {
  readonly install: Install;
  readonly view: ManifestView;
  /** `undefined` until it is read. */
  readonly effective: EffectivePolicy | undefined;
  readonly params: { readonly community: string; readonly install: Install["id"] };
  readonly mayManage: boolean;
  readonly maySet: boolean;
}

/** What a change of a package makes old. */
export const packageChanges = ["packages.", "jobs.", "deadLetters."] as const;

/** Settings without which it cannot be switched on, and that nobody has filled in. */
export function missingSettings({ install, view }: Pick<PackageHere, "install" | "view">): string[] {
  const secrets = view.secrets
    .filter(({ name, isNeeded }) => isNeeded && !install.secrets.some((secret) => secret.name === name))
    .map(({ name }) => name);
  const required = view.settings?.["required"];
  const plain = Array.isArray(required)
    ? required.filter((name) => typeof name === "string" && !Object.hasOwn(install.settings, name)).map(String)
    : [];
  return [...plain, ...secrets];
}
