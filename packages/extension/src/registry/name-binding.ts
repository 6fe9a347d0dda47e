/**
 * To whom a package's name belongs on this instance: its first signer.
 *
 * Invariant: the first verified signer of a name binds it, by publishing or by an install, in the batch that makes the package known; another signer, or none, is
 * refused until an admin of the instance says otherwise. Nothing rebinds a name by itself. The signer's id survives a renewed certificate (trust.md).
 */
import { AppError, type TrustState } from "@althing/contract";
import type { Collection, Write } from "@althing/store";
import type { ExtensionClock, PluginCaller } from "../extension-deps.ts";
import type { NameRow } from "./package-rows.ts";
import { requireInstance } from "./require-instance.ts";
import { retryConflicts } from "@althing/store";

export interface NameBinding {
  /**
   * Writes that hold the name to this signer, or nothing for an unsigned package whose name nobody has.
   * @throws {registry.name_bound}
   */
  claim(caller: PluginCaller, name: string, trust: TrustState): Promise<readonly Write[]>;
  /** An admin's consent that the name goes to another signer. @throws {auth.forbidden} {registry.not_found} */
  rebind(caller: PluginCaller, input: { readonly name: string; readonly signer: string; readonly publisherId: string }): Promise<void>;
}

export function createNameBinding(names: Collection<NameRow>, clock: ExtensionClock): NameBinding {
  const bound = (caller: PluginCaller, signer: string, publisherId: string): NameRow => ({
    signer,
    publisherId,
    boundAt: new Date(clock.now()).toISOString(),
    boundBy: caller.endpoint,
  });
  return {
    async claim(caller, name, trust) {
      const row = await names.get([name]);
      const signer = trust.verified ? trust.signer : undefined;
      if (row === undefined) {
        // "Nobody has it" must still hold when an unsigned package comes in.
        return [signer === undefined ? names.toCheck([name], 0) : names.toPut([name], bound(caller, signer.id, signer.publisherId), 0)];
      }
      if (signer?.id !== row.value.signer)
        throw new AppError("registry.name_bound", { name, expected: row.value.signer, observed: signer?.id ?? "nobody" });
      return [names.toCheck([name], row.revision)];
    },
    async rebind(caller, { name, signer, publisherId }) {
      requireInstance(caller, "registry.manage");
      await retryConflicts("the name", async () => {
        const row = await names.get([name]);
        if (row === undefined) throw new AppError("registry.not_found", { name, version: "" });
        await names.put([name], bound(caller, signer, publisherId), row.revision);
      });
    },
  };
}
