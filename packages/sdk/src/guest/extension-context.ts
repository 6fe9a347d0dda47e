/**
 * What every handler knows about its invocation.
 *
 * Invariant: everything here was said by the platform, nothing by the caller; settings were checked against the manifest's schema before.
 */
import type { WitContext } from "./bindings.ts";

export interface Actor {
  readonly id: string;
  readonly handle: string;
  readonly permissions: readonly string[];
}

export interface ExtensionContext<Settings = Readonly<Record<string, unknown>>> {
  readonly requestId: string;
  readonly community: string;
  readonly extension: string;
  readonly version: string;
  /** Absent in jobs, in events without a person and on public endpoints. */
  readonly actor: Actor | undefined;
  /** Of this community, defaults filled in; never secrets. */
  readonly settings: Settings;
  /** Milliseconds that the invocation may take. */
  readonly timeLimitMs: number;
  /** When the invocation began. It is the guest's only clock and stands still during a call. */
  readonly time: Date;
}

export function readContext<Settings>(context: WitContext, readSettings: (settings: unknown) => Settings): ExtensionContext<Settings> {
  const settings: unknown = JSON.parse(context.settings);
  return {
    requestId: context.requestId,
    community: context.community,
    extension: context.extension,
    version: context.version,
    actor: context.actor ?? undefined,
    settings: readSettings(settings),
    timeLimitMs: context.timeLimitMs,
    time: new Date(context.time),
  };
}
