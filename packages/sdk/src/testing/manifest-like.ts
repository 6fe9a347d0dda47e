/**
 * As much of a manifest as the mock host acts on. The whole schema is `@althing/extension/manifest`; a bundle is validated by it, a unit test is not.
 */
export interface ManifestLike {
  readonly name: string;
  readonly version: string;
  readonly capabilities?: readonly { readonly name: string }[];
  readonly egress?: readonly { readonly host: string }[];
  readonly endpoints?: readonly { readonly method: string; readonly path: string }[];
  readonly events?: readonly string[];
  readonly filters?: readonly { readonly point: string }[];
  readonly jobs?: readonly { readonly name: string }[];
  readonly settings?: { readonly properties?: Readonly<Record<string, unknown>> };
}

/** Values of the settings that nobody set. */
export function defaultSettings(manifest: ManifestLike): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, node] of Object.entries(manifest.settings?.properties ?? {})) {
    if (typeof node === "object" && node !== null && "default" in node) found[name] = node.default;
  }
  return found;
}

/** Is a host among the granted ones, exact or `*.suffix`? */
export function mayReach(manifest: ManifestLike, host: string): boolean {
  return (manifest.egress ?? []).some(({ host: pattern }) =>
    pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern,
  );
}
