/**
 * What the host page has to know of an extension to frame it, read from its install.
 *
 * Invariant: everything that decides later (endpoints, places to go) is of the manifest that was consented to, as the hub gives it with the install; what
 * is not as a manifest has it is left out, and with it what it would have allowed.
 */
import { shownText } from "./frame-messages.ts";
import { isAtOrBelow, readPath } from "./plain-path.ts";
import type { FrameEndpoint } from "./call-desk.ts";

export interface NavItem {
  readonly label: string;
  /** Of the manifest; may have `:name` segments. */
  readonly path: string;
  readonly permission: string | undefined;
}

export interface ExtensionPages {
  readonly id: string;
  /** As people know it. */
  readonly name: string;
  /** Of the entry page, on the runner's origin. */
  readonly url: string;
  readonly endpoints: readonly FrameEndpoint[];
  readonly nav: readonly NavItem[];
}

/** The fields of an install that count here. */
export interface FramedInstall {
  readonly extension: string;
  readonly displayName: string;
  readonly uiUrl?: string | undefined;
  readonly manifest: Readonly<Record<string, unknown>>;
}

const nameMaxLength = 60;

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** `undefined`: it has no pages. */
export function readExtensionPages({ extension, displayName, uiUrl, manifest }: FramedInstall): ExtensionPages | undefined {
  if (uiUrl === undefined || !URL.canParse(uiUrl) || !/^https?:$/.test(new URL(uiUrl).protocol)) return undefined;
  const endpoints = listOf(manifest["endpoints"]).flatMap((one) => {
    const [method, path] = [field(one, "method"), field(one, "path")];
    return typeof method === "string" && typeof path === "string" ? [{ method, path }] : [];
  });
  const nav = listOf(field(manifest["ui"], "nav")).flatMap((one) => {
    const [label, path, permission] = [shownText(field(one, "label"), nameMaxLength), field(one, "path"), field(one, "permission")];
    if (label === undefined || typeof path !== "string" || !path.startsWith("/")) return [];
    return [{ label, path, permission: typeof permission === "string" ? permission : undefined }];
  });
  return { id: extension, name: shownText(displayName, nameMaxLength) ?? extension, url: uiUrl, endpoints, nav };
}

/** Roles that hold `ext.*` hold every permission that extensions declare. */
function holds(permissions: readonly string[], wanted: string | undefined): boolean {
  return wanted === undefined || permissions.includes(wanted) || (wanted.startsWith("ext.") && permissions.includes("ext.*"));
}

/** Items of the nav that this viewer sees as links. */
export function navLinks({ nav }: ExtensionPages, permissions: readonly string[]): readonly NavItem[] {
  return nav.filter(({ path, permission }) => !path.includes("/:") && holds(permissions, permission));
}

/**
 * May this viewer be shown this path? It is the entry `/`, or at or below a path of the nav; the longest of those decides on the permission.
 *
 * This steers what is shown and protects nothing: what a viewer may do is decided where endpoints are called.
 */
export function mayShow({ nav }: ExtensionPages, path: string, permissions: readonly string[]): boolean {
  const segments = readPath(path);
  if (segments === undefined) return false;
  const [closest] = nav
    .filter((item) => isAtOrBelow(item.path, segments))
    .toSorted((a, b) => b.path.split("/").filter(Boolean).length - a.path.split("/").filter(Boolean).length);
  if (closest === undefined) return segments.length === 0;
  return holds(permissions, closest.permission);
}
