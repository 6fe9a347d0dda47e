/**
 * Asks the runner to check and prepare the component of a stored bundle.
 *
 * Invariant: the runner fetched the bytes by itself, so its word on what it prepared is compared with what was staged: if the two differ, the
 * bytes changed in between.
 */
import { AppError } from "@althing/contract";

/** The part of the runner's client that publish and install need. */
export interface Preparer {
  /** @throws {component.refused} {ext.unavailable} */
  prepare(contentHash: string): Promise<{ readonly componentSha256: string; readonly profile?: string }>;
}

/** What a manifest has that only the own interface can answer. */
export type BeyondHttp = Readonly<Record<"events" | "filters" | "jobs", readonly unknown[]>>;

/**
 * @param manifest given where a package comes in: a component that speaks HTTP only is not taken with events, filters or jobs
 * @throws {component.refused} {ext.unavailable} {ext.integrity}
 */
export async function prepareComponent(
  runner: Preparer,
  extension: string,
  bundle: { readonly contentHash: string; readonly componentSha256: string },
  manifest?: BeyondHttp,
): Promise<void> {
  const { componentSha256, profile } = await runner.prepare(bundle.contentHash);
  if (componentSha256 !== bundle.componentSha256) {
    throw new AppError("ext.integrity", { extension, detail: "the runner prepared another component than the one that came in" });
  }
  const beyond = (["events", "filters", "jobs"] as const).filter((field) => (manifest?.[field].length ?? 0) > 0);
  if (profile === "wasi-http" && beyond.length > 0)
    throw new AppError("component.refused", {
      rule: "profile",
      detail: `a wasi:http component answers HTTP only; the manifest has ${beyond.join(", ")}`,
    });
}
